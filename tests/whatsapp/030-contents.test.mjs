// All kinds of contents, both ways.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, test } from 'node:test';
import { bodyOf, jidOf, newNumber, startAll } from './support/setup.mjs';

let admin, clients, stop, client;
const [business, contact] = [newNumber(), newNumber()];
const jid = jidOf(contact);
before(async () => {
  ({ admin, clients, stop } = await startAll());
  client = await clients.paired(admin, business);
  await admin.phone(contact);
});
after(() => stop());

const hash = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');

/** The entry that the contact's phone shows for a message that the client sent. */
async function shown(id) {
  return (await admin.until(`/phones/${contact}/inbox`, (entries) => entries.some((entry) => entry.id === id))).find((entry) => entry.id === id);
}

async function sent(content, options) {
  return shown(await client.do('send', jid, content, options));
}

async function received(request) {
  const { id } = await admin.write(contact, business, request);
  return { id, ...(await client.message(id)) };
}

test('files go up encrypted and the phone decrypts and checks them', async () => {
  for (const [kind, bytes, extra] of [
    ['image', PNG, { caption: 'A chart', mimetype: 'image/png' }],
    ['document', crypto.randomBytes(3 << 20), { fileName: 'contract.pdf', mimetype: 'application/pdf', caption: 'Please sign' }],
    ['audio', crypto.randomBytes(5000), { mimetype: 'audio/ogg; codecs=opus' }],
    ['video', crypto.randomBytes(7001), { mimetype: 'video/mp4' }],
  ]) {
    const entry = await sent({ kind, data: bytes.toString('base64'), ...extra });
    assert.equal(entry.type, kind);
    assert.deepEqual([entry.media.sha256, entry.media.size, entry.media.mime], [hash(bytes), bytes.length, extra.mimetype]);
    assert.deepEqual([entry.body, entry.media.file_name], [extra.caption, extra.fileName]);
  }
});

test('files of a contact are downloaded and decrypted by the client', async () => {
  const bytes = crypto.randomBytes(100_000);
  for (const [type, mime] of [['image', 'image/jpeg'], ['document', 'application/pdf'], ['audio', 'audio/ogg'], ['video', 'video/mp4']]) {
    const message = await received({ type, mime, data: bytes.toString('base64'), caption: type === 'audio' ? undefined : 'look' });
    assert.equal(message.content[`${type}Message`].mimetype, mime);
    assert.equal(hash(Buffer.from(await client.do('download', message.id), 'base64')), hash(bytes));
  }
});

test('a reply names what it answers', async () => {
  const first = await received({ text: 'how much?' });
  const entry = await sent({ text: '100 EUR' }, { quoted: first.id });
  assert.deepEqual([entry.body, entry.reply_to], ['100 EUR', first.id]);
  const answer = await received({ text: 'too much', reply_to: entry.id });
  const { contextInfo, text } = answer.content.extendedTextMessage;
  assert.deepEqual([text, contextInfo.stanzaId, bodyOf(contextInfo.quotedMessage)], ['too much', entry.id, '100 EUR']);
  assert.equal(contextInfo.participant, jidOf(business));
});

test('reactions are set and taken back', async () => {
  const first = await received({ text: 'thank you' });
  const key = { remoteJid: jid, fromMe: false, id: first.id };
  const set = await sent({ react: { text: '👍', key } });
  assert.deepEqual([set.type, set.emoji, set.target], ['reaction', '👍', first.id]);
  assert.equal((await sent({ react: { text: '', key } })).emoji, '');
  const entry = await sent({ text: 'a text' });
  const reaction = await received({ type: 'reaction', target: entry.id, emoji: '❤' });
  assert.deepEqual([reaction.content.reactionMessage.text, reaction.content.reactionMessage.key.id], ['❤', entry.id]);
});

test('messages are edited and deleted', async () => {
  const first = await sent({ text: 'with a mitsake' });
  const key = { remoteJid: jid, fromMe: true, id: first.id };
  const edit = await sent({ text: 'with a mistake', edit: key });
  assert.deepEqual([edit.type, edit.target, edit.body], ['edit', first.id, 'with a mistake']);
  const deletion = await sent({ delete: key });
  assert.deepEqual([deletion.type, deletion.target], ['delete', first.id]);
  const theirs = await received({ text: 'nonsense' });
  const edited = await received({ type: 'edit', target: theirs.id, text: 'sense' });
  assert.equal(edited.content.protocolMessage.key.id, theirs.id);
  assert.equal(bodyOf(edited.content.protocolMessage.editedMessage), 'sense');
  const deleted = await received({ type: 'delete', target: theirs.id });
  assert.equal(deleted.content.protocolMessage.type, 'REVOKE');
  assert.equal(deleted.content.protocolMessage.key.id, theirs.id);
});

test('locations and contact cards', async () => {
  const place = await sent({ location: { degreesLatitude: 52.5, degreesLongitude: 13.4, name: 'Branch' } });
  assert.deepEqual([place.type, place.latitude, place.longitude, place.name], ['location', 52.5, 13.4, 'Branch']);
  const card = await sent({ contacts: { displayName: 'Adviser', contacts: [{ displayName: 'Adviser', vcard: 'BEGIN:VCARD\nFN:Adviser\nEND:VCARD' }] } });
  assert.deepEqual([card.type, card.name], ['contact', 'Adviser']);
  const theirs = await received({ type: 'location', latitude: 1.5, longitude: -2.5, name: 'Home' });
  assert.deepEqual([theirs.content.locationMessage.degreesLatitude, theirs.content.locationMessage.degreesLongitude], [1.5, -2.5]);
  const theirCard = await received({ type: 'contact', name: 'Max', phone: '+4917612345678' });
  assert.match(theirCard.content.contactMessage.vcard, /waid=4917612345678/);
});

test('what a request lacks is told', async () => {
  await assert.rejects(admin.write(contact, business, { type: 'image' }), ({ status }) => status === 400);
  await assert.rejects(admin.write(contact, business, { type: 'poem' }), ({ status }) => status === 400);
  await assert.rejects(admin.write(contact, '4900000000', { text: 'x' }), ({ status }) => status === 404);
});
