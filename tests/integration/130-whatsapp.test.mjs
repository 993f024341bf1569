// A real session, from nothing to paired, and all that goes both ways, against the WhatsApp double.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { newPhone, operator } from './support/customer.mjs';
import { startEndpoint } from './support/endpoint.mjs';
import { assertQuietLogs } from './support/logs.mjs';
import { until } from './support/until.mjs';
import { conversation, newPhoneOn, newSession, pair, qrOf, sessionIs, startWhatsApp } from './support/whatsapp.mjs';

// A PNG of one pixel.
const PICTURE = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

let stack;
let endpoint;
let session;
let customer;
let ours; // the phone that holds the company's number
let erika;
let contact;
let files;

before(async () => {
  stack = await startWhatsApp({ env: { WA_WHATSAPP_READ_MARKS: 'received', WA_WHATSAPP_TYPING: 'text' } });
  endpoint = await startEndpoint();
  session = await newSession(stack);
  ({ customer } = session);
  await customer.webhook(endpoint.url, ['message_received', 'message_reaction', 'message_edited', 'message_deleted', 'message_sent',
    'message_delivered', 'message_read', 'message_failed', 'session_connected', 'session_disconnected']);
  ours = await newPhoneOn(stack, { name: 'Finance' });
  erika = await newPhoneOn(stack, { reads: true });
  contact = await customer.contact(`+${erika.number}`);
  files = http.createServer((req, res) => {
    const { mime, bytes } = FILES[req.url.slice(1)];
    res.writeHead(200, { 'Content-Type': mime }).end(bytes);
  }).listen(0, '127.0.0.1');
  await once(files, 'listening');
});
after(async () => {
  files?.close();
  await endpoint?.close();
  await stack?.stop();
});

test('a QR code as PNG, SVG and text; scanned, the session is connected and says so', async () => {
  const png = await qrOf(session, 'image/png');
  assert.equal(png.status, 200);
  assert.equal(png.headers['content-type'], 'image/png');
  assert.equal(png.data.subarray(1, 4).toString(), 'PNG');
  assert.ok(Date.parse(png.headers['x-expires-at']) > Date.now());
  const svg = await qrOf(session, 'image/svg+xml');
  assert.match(svg.data.toString(), /^<svg /);
  const shown = await pair(session, ours);
  assert.equal(shown.phone_number, `+${ours.number}`);
  const told = await endpoint.event('session_connected');
  assert.equal(told.data.session_id, session.id);
  const again = await qrOf(session);
  assert.equal(again.status, 409);
  assert.match(JSON.parse(again.data).detail, /state is connected/);
});

test('a text arrives, is delivered and read', async () => {
  const sent = await customer.send(contact.id, 'Your invoice is due');
  const shown = await erika.shows('the text', (m) => m.body === 'Your invoice is due');
  assert.equal(shown.from, ours.number);
  await customer.reaches(sent.message_id, 'read');
  await endpoint.event('message_read', (e) => e.data.message_id === sent.message_id);
});

test('where it is asked for, customers see typing before a text, and their own messages as read', async () => {
  const frida = await newPhoneOn(stack);
  const { id } = await customer.contact(`+${frida.number}`);
  await customer.send(id, 'Good morning');
  await frida.shows('the text', (m) => m.body === 'Good morning');
  assert.deepEqual(await frida.call('GET', '/chatstates?wait=1'), [{ from: ours.number, state: 'composing', shown: 0 }]);
  const written = await frida.write(ours, { text: 'And to you' });
  await until('a read mark', async () => {
    const { receipts } = await frida.call('GET', `/sent/${written.id}`);
    if (!receipts.some(({ type }) => type === 'read')) throw new Error(JSON.stringify(receipts));
    return true;
  });
});

const FILES = {
  image: { mime: 'image/png', bytes: PICTURE, with: { caption: 'Our branch' } },
  document: { mime: 'application/pdf', bytes: Buffer.from('%PDF-1.4 statement'), with: { caption: 'October', filename: 'statement.pdf' } },
  audio: { mime: 'audio/ogg', bytes: Buffer.from('OggS a voice'), with: {} },
  video: { mime: 'video/mp4', bytes: Buffer.from('\0\0\0\x18ftypmp42 a film'), with: { caption: 'How to pay' } },
};

for (const [type, { mime, bytes, with: extra }] of Object.entries(FILES)) {
  test(`a file of type ${type} arrives whole, and one that comes is kept and served`, async () => {
    const sent = await customer.send(contact.id, undefined, {
      message_type: type,
      media_url: `http://127.0.0.1:${files.address().port}/${type}`,
      ...extra,
    });
    const shown = await erika.shows(`the ${type}`, (m) => m.type === type);
    assert.equal(shown.media.sha256, sha256(bytes));
    assert.equal(shown.media.mime, mime);
    assert.equal(shown.media.file_name, extra.filename);
    assert.equal(shown.body, extra.caption);
    await customer.reaches(sent.message_id, 'read');

    await erika.write(ours, { type, data: bytes.toString('base64'), mime, file_name: extra.filename, caption: extra.caption });
    const told = await endpoint.event('message_received', (e) => e.data.message_type === type);
    assert.equal(told.data.message_body, extra.caption ?? '');
    assert.equal(told.data.filename, extra.filename);
    const file = await customer.get(told.data.media_url, { responseType: 'arraybuffer' });
    assert.equal(file.status, 200);
    assert.match(file.headers['content-type'], new RegExp(`^${mime}`));
    assert.equal(sha256(file.data), sha256(bytes));
    const kept = await stack.sql('SELECT size_bytes FROM media WHERE sha256 = $1', [sha256(bytes)]);
    assert.deepEqual(kept.map((row) => Number(row.size_bytes)), [bytes.length], 'what went out and what came in is one file');
  });
}

test('replies, reactions, edits, deletions, locations and contacts come typed', async () => {
  const { id } = await erika.write(ours, { text: 'I pay on Munday' });
  const told = await endpoint.event('message_received', (e) => e.data.message_body === 'I pay on Munday');
  await erika.write(ours, { type: 'reaction', target: id, emoji: '👍' });
  const reaction = await endpoint.event('message_reaction');
  assert.equal(reaction.data.message_id, told.data.message_id);
  assert.equal(reaction.data.emoji, '👍');
  await erika.write(ours, { type: 'edit', target: id, text: 'I pay on Monday' });
  const edited = await endpoint.event('message_edited');
  assert.equal(edited.data.message_body, 'I pay on Monday');
  assert.equal((await customer.message(told.data.message_id)).message_body, 'I pay on Monday');
  await erika.write(ours, { type: 'delete', target: id });
  const deleted = await endpoint.event('message_deleted');
  assert.equal(deleted.data.message_id, told.data.message_id);
  assert.ok((await customer.message(told.data.message_id)).deleted_at);
  await erika.write(ours, { text: 'Yes', reply_to: id });
  const reply = await endpoint.event('message_received', (e) => e.data.message_body === 'Yes');
  assert.equal(reply.data.reply_to, told.data.message_id);
  assert.equal((await customer.message(reply.data.message_id)).reply_to, told.data.message_id);
  await erika.write(ours, { type: 'location', latitude: 52.5, longitude: 13.4, name: 'Home' });
  const place = await endpoint.event('message_received', (e) => e.data.message_type === 'location');
  assert.equal(place.data.detail.latitude, 52.5);
  assert.equal((await customer.message(place.data.message_id)).detail.latitude, 52.5);
  await erika.write(ours, { type: 'contact', name: 'Max', phone: '+4917600000001' });
  const card = await endpoint.event('message_received', (e) => e.data.message_type === 'contacts');
  assert.deepEqual(card.data.detail, [{ name: 'Max', phone_numbers: ['+4917600000001'] }]);
  assert.equal((await customer.message(card.data.message_id)).detail[0].name, 'Max');
  const log = (await customer.get('/events', { params: { limit: 100 } })).data;
  assert.deepEqual(log.find((e) => e.data.message_id === card.data.message_id).data.detail, card.data.detail);
});

test('who writes by LID is the same contact, and what the own phone writes is in the conversation', async () => {
  await erika.write(ours, { text: 'by lid', addressing: 'lid' });
  const told = await endpoint.event('message_received', (e) => e.data.message_body === 'by lid');
  assert.equal(told.data.contact_id, contact.id);
  await ours.write(erika, { text: 'from the phone itself' });
  const own = await until('the own message', async () => (await conversation(customer, contact.id))
    .find((m) => m.message_body === 'from the phone itself'));
  assert.equal(own.direction, 'outgoing');
});

test('a stranger who writes first to a customer\'s own number is that customer\'s', async () => {
  const stranger = await newPhoneOn(stack);
  await stranger.write(ours, { text: 'Do you lend money?' });
  const told = await endpoint.event('message_received', (e) => e.data.message_body === 'Do you lend money?');
  assert.equal(told.tenant_id, customer.tenantId);
  assert.equal(told.data.phone_number, `+${stranger.number}`);
  const [found] = (await customer.get('/contacts', { params: { phone: `+${stranger.number}` } })).data;
  assert.equal(found.id, told.data.contact_id);
});

test('what Postgres refuses is set aside and acknowledged, the others go on, and the operator puts it back', async () => {
  await stack.sql("ALTER TABLE messages ADD CONSTRAINT poison CHECK (body IS DISTINCT FROM 'It is poison') NOT VALID");
  await erika.write(ours, { text: 'It is poison' });
  await erika.write(ours, { text: 'And this is not' });
  await endpoint.event('message_received', (e) => e.data.message_body === 'And this is not');
  const aside = await until('it to be set aside', async () =>
    (await operator(stack).get('/set-aside')).data.find((work) => work.kind === 'inbound'));
  assert.match(aside.reason, /Postgres refuses it/);
  assert.equal(aside.tenant_id, customer.tenantId);
  const waiting = async () => (await stack.phones.get(`/phones/${ours.number}`)).data.companions[0].waiting;
  await until('WhatsApp to hear that it was taken', async () => (await waiting()) === 0);
  const { id: sessionId } = session;
  const [before] = await stack.sql('SELECT since FROM sessions WHERE id = $1', [sessionId]);
  const retry = async () => (await operator(stack).post(`/set-aside/${aside.id}/retry`)).status;
  assert.equal(await retry(), 202);
  await until('it to be refused once more', async () =>
    (await stack.sql('SELECT retried_at FROM set_aside WHERE id = $1', [aside.id]))[0].retried_at === null);
  await stack.sql('ALTER TABLE messages DROP CONSTRAINT poison');
  assert.equal(await retry(), 202);
  await endpoint.event('message_received', (e) => e.data.message_body === 'It is poison');
  await until('nothing of it to be kept twice', async () =>
    (await stack.sql('SELECT payload FROM set_aside WHERE id = $1', [aside.id]))[0].payload === null);
  const [after] = await stack.sql('SELECT since FROM sessions WHERE id = $1', [sessionId]);
  assert.deepEqual(after, before, 'the connection was not lost for it');
});

test('a number that is not on WhatsApp fails with that reason', async () => {
  const nobody = await customer.contact(newPhone());
  const sent = await customer.send(nobody.id, 'Is anybody there?');
  const failed = await customer.reaches(sent.message_id, 'failed');
  assert.equal(failed.error_code, 'not_on_whatsapp');
});

test('463 holds the message with its reason and until when, and it is not tried meanwhile', async () => {
  const stranger = await newPhoneOn(stack);
  const other = await customer.contact(`+${stranger.number}`);
  await stack.phones.post('/faults', { kind: 'ack_error', code: 463, times: 'always', to: stranger.number });
  const sent = await customer.send(other.id, 'Hello stranger');
  const held = await until('the message to be held', async () => {
    const message = await customer.message(sent.message_id);
    return message.held?.reason === 'reach_out_limited' && message;
  });
  assert.equal(held.status, 'queued');
  assert.equal(held.attempts, 1);
  assert.ok(Date.parse(held.held.until) > Date.now() + 60_000);
});

test('479 is tried again, and shows once', async () => {
  await stack.phones.post('/faults', { kind: 'ack_error', code: 479, to: erika.number });
  const sent = await customer.send(contact.id, 'Refused at first');
  const read = await customer.reaches(sent.message_id, 'read');
  assert.equal(read.attempts, 2);
  assert.equal((await erika.inbox()).filter((m) => m.body === 'Refused at first').length, 1);
});

test('a login that another process takes is replaced', async () => {
  const second = await newSession(stack, customer);
  const phone = await newPhoneOn(stack, { name: 'Second number' });
  await pair(second, phone);
  await phone.call('POST', '/devices/1/stream-error', { code: 440 });
  const replaced = await sessionIs(second, 'replaced');
  assert.equal(replaced.reason, 'another process uses this login');
  const told = await endpoint.event('session_disconnected', (e) => e.data.session_id === second.id);
  assert.equal(told.data.reason, replaced.reason);
});

test('a number that WhatsApp bans while the connection is away is banned, and that is told too', async () => {
  const third = await newSession(stack, customer);
  const phone = await newPhoneOn(stack, { name: 'Third number' });
  await pair(third, phone);
  await stack.phones.post('/faults', { kind: 'login_refused', code: 403, times: 'always', from: phone.number });
  await phone.call('POST', '/devices/1/drop');
  const banned = await sessionIs(third, 'banned');
  assert.equal(banned.reason, 'WhatsApp has banned this number');
  await endpoint.event('session_disconnected', (e) => e.data.session_id === third.id && e.data.reason === banned.reason);
  const qr = await qrOf(third);
  assert.equal(qr.status, 409);
});

test('a code that nobody scans in time: the session has failed and says so, and begins anew when asked', async () => {
  await stack.phones.post('/faults', { kind: 'no_codes' });
  const fourth = await newSession(stack, customer);
  const failed = await sessionIs(fourth, 'failed');
  assert.equal(failed.reason, 'nobody scanned the code in time');
  await endpoint.event('session_disconnected', (e) => e.data.session_id === fourth.id && e.data.reason === failed.reason);
  await pair(fourth, await newPhoneOn(stack, { name: 'Fourth number' }));
});

test('logged out on the phone: a state, an event, and pairing by a typed code', async () => {
  await ours.call('DELETE', '/devices/1');
  const out = await sessionIs(session, 'logged_out');
  assert.ok(out.reason);
  await endpoint.event('session_disconnected', (e) => e.data.session_id === session.id);
  const code = await customer.post(`/sessions/${session.id}/pairing-code`, { phone_number: `+${ours.number}` });
  assert.equal(code.status, 200, JSON.stringify(code.data));
  assert.match(code.data.code, /^[A-Z0-9]{8}$/);
  await until('WhatsApp to have heard of the code', () => ours.call('POST', '/code', { code: code.data.code }));
  await sessionIs(session, 'connected');
  const sent = await customer.send(contact.id, 'Paired again');
  await erika.shows('it', (m) => m.body === 'Paired again');
  await customer.reaches(sent.message_id, 'read');
});

test('no body, no key and no phone number is in a log', async () => {
  await assertQuietLogs(stack, ['Your invoice is due', 'I pay on', 'by lid', 'My card', 'Paired again', erika.number, ours.number]);
});
