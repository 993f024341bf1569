// Messages both ways, really encrypted, between the worker and the phones of the double.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newId, newNumber, startDouble } from './support/double.mjs';

let double, gateway, company, customer;
before(async () => {
  double = await startDouble();
  gateway = await double.gateway();
  company = await double.pair(gateway);
  customer = newNumber();
  await double.phone(customer, { name: 'Customer' });
});
after(async () => {
  assert.equal(gateway.output, '', 'nothing is printed');
  await gateway.stop();
  await double.stop();
});

const inbound = (waId) => gateway.next('inbound', (frame) => frame.waId === waId);
const said = ({ type, body, phone, fromMe }) => ({ type, body, phone, fromMe });
const receipt = (waId, level) => gateway.next('receipt', (frame) => frame.waId === waId && frame.level === level);

async function written(message) {
  const [id] = await double.write(customer, company.number, message);
  return { id, frame: await inbound(id) };
}

async function shown(fields) {
  const since = (await double.get(`/phones/${customer}/inbox`)).length;
  const waId = newId();
  gateway.sendMessage(company.line, { phone: customer, waId, ...fields });
  await gateway.next('acked', (frame) => frame.waId === waId);
  const [entry] = await double.inbox(customer, 1, since);
  assert.equal(entry.id, waId);
  return entry;
}

test('a text is acked, shown, delivered and read', async () => {
  await double.call('PATCH', `/phones/${customer}`, { reads: true });
  const entry = await shown({ type: 'text', body: 'Your balance is 12 €' });
  assert.equal(entry.body, 'Your balance is 12 €');
  await receipt(entry.id, 'delivered');
  await receipt(entry.id, 'read');
});

test('the same id sent again is shown once', async () => {
  const { id } = await shown({ type: 'text', body: 'once' });
  gateway.sendText(company.line, customer, id, 'once');
  await gateway.next('acked', (frame) => frame.waId === id);
  const later = await shown({ type: 'text', body: 'after it' });
  const entries = (await double.get(`/phones/${customer}/inbox`)).filter((entry) => entry.id === id);
  assert.deepEqual(entries.map(({ copies }) => copies), [2]);
  assert.equal(later.body, 'after it');
});

for (const [type, contentType, extra] of [
  ['image', 'image/jpeg', { caption: 'a picture' }],
  ['video', 'video/mp4', { caption: 'a film' }],
  ['audio', 'audio/ogg', {}],
  ['document', 'application/pdf', { filename: 'statement.pdf', caption: 'October' }],
]) {
  test(`${type} arrives whole, with what belongs to it`, async () => {
    const bytes = Buffer.from(`${type} `.repeat(60_000)); // more than one part
    const sha256 = gateway.addMedia(contentType, bytes);
    const entry = await shown({ type, sha256, ...extra });
    assert.equal(entry.type, type);
    assert.equal(entry.media.mime, contentType);
    assert.equal(entry.media.sha256, sha256);
    assert.equal(entry.body, type === 'audio' ? undefined : extra.caption);
    assert.equal(entry.media.file_name, extra.filename);
  });
}

test('the device takes the name of its owner and is present', async () => {
  const [{ presence }] = await double.companions(company.number, ([one]) => one.presence === 'available');
  assert.equal(presence, 'available');
});

test('a text and its reply', async () => {
  const first = await written({ text: 'hello' });
  assert.deepEqual(said(first.frame), { type: 'text', body: 'hello', phone: customer, fromMe: 0 });
  const reply = await written({ text: 'about that', reply_to: first.id });
  assert.equal(reply.frame.quoted, first.id);
  const receipts = await double.receipts(customer, first.id, 'delivery');
  assert.ok(receipts.length > 0);
});

test('a reaction, an edit and a deletion name the message that they mean', async () => {
  const { id } = await written({ text: 'thirty' });
  for (const [message, type, body] of [
    [{ type: 'reaction', target: id, emoji: '👍' }, 'reaction', '👍'],
    [{ type: 'reaction', target: id, emoji: '' }, 'reaction', ''],
    [{ type: 'edit', target: id, text: 'thirteen' }, 'edit', 'thirteen'],
    [{ type: 'delete', target: id }, 'delete', null],
  ]) {
    const { frame } = await written(message);
    assert.deepEqual([frame.type, frame.body, frame.target], [type, body, id]);
  }
});

test('a location and a contact card', async () => {
  const place = await written({ type: 'location', latitude: 52.5, longitude: 13.4, name: 'Bank', address: 'Street 1' });
  assert.deepEqual([place.frame.type, place.frame.body], ['location', 'Bank']);
  assert.deepEqual(JSON.parse(place.frame.detail), { latitude: 52.5, longitude: 13.4, name: 'Bank', address: 'Street 1' });
  const card = await written({ type: 'contact', name: 'Ada', phone: '+49 151 2345678' });
  assert.deepEqual([card.frame.type, card.frame.body], ['contacts', 'Ada']);
  assert.deepEqual(JSON.parse(card.frame.detail), [{ name: 'Ada', phone_numbers: ['+491512345678'] }]);
});

test('media is fetched, checked and kept before its message is handed over', async () => {
  const bytes = Buffer.from('scan of a passport '.repeat(30_000));
  const { frame } = await written({
    type: 'document', data: bytes.toString('base64'), mime: 'application/pdf', file_name: 'passport.pdf', caption: 'here',
  });
  assert.deepEqual([frame.type, frame.body, frame.filename, frame.contentType], ['document', 'here', 'passport.pdf', 'application/pdf']);
  assert.deepEqual(gateway.media.get(frame.sha256).bytes, bytes);
});

test('what has no kind here is handed over as such', async () => {
  const { frame } = await written({ type: 'sticker', data: Buffer.from('webp').toString('base64'), mime: 'image/webp' });
  assert.equal(frame.type, 'other');
});

test('a message that was typed on the own phone belongs to the conversation', async () => {
  const [id] = await double.write(company.number, customer, { text: 'I call you later' });
  assert.deepEqual(said(await inbound(id)), { type: 'text', body: 'I call you later', phone: customer, fromMe: 1 });
});

test('who writes under a LID is known by the phone number', async () => {
  const { frame } = await written({ text: 'from a LID', addressing: 'lid' });
  assert.equal(frame.phone, customer);
});

test('a message of somebody without a number waits at WhatsApp until the number is known; others go on', async () => {
  const stranger = newNumber();
  await double.phone(stranger);
  const hidden = { text: 'guess who', addressing: 'lid', hide_number: true };
  const [id] = await double.write(stranger, company.number, hidden);
  await gateway.next('log', ({ what }) => what === 'sender_without_number');
  await written({ text: 'I have one' });
  const [told] = await double.write(stranger, company.number, { text: 'it is me', addressing: 'lid' });
  await inbound(told);
  assert.ok(!company.session.inbound.some(({ waId }) => waId === id));
  await double.drop(company.number, company.device);
  assert.deepEqual(said(await inbound(id)), { type: 'text', body: 'guess who', phone: stranger, fromMe: 0 });
  await gateway.state(company.line, 'connected'); // again: what waited came before that
});

test('a number that is not on WhatsApp fails for good', async () => {
  const waId = newId();
  gateway.sendText(company.line, newNumber(), waId, 'hello?');
  const { verdict, code } = await gateway.next('failed', (frame) => frame.waId === waId);
  assert.deepEqual([verdict, code], ['give_up', 'not_on_whatsapp']);
});

test('a phone that cannot read a message gets it again', async () => {
  await double.fault({ kind: 'undecryptable', to: customer });
  const entry = await shown({ type: 'text', body: 'read me' });
  assert.equal(entry.body, 'read me');
});

test('messages keep their order, both ways', async () => {
  const count = 60;
  const since = (await double.get(`/phones/${customer}/inbox`)).length;
  const ids = Array.from({ length: count }, newId);
  ids.forEach((id, i) => gateway.sendText(company.line, customer, id, `out ${i}`));
  const writing = double.write(customer, company.number, { text: 'in', count });
  const entries = await double.inbox(customer, count, since);
  assert.deepEqual(entries.map(({ id }) => id), ids);
  const incoming = await writing;
  await inbound(incoming.at(-1));
  const order = company.session.inbound.map(({ waId }) => waId).filter((id) => incoming.includes(id));
  assert.deepEqual(order, incoming);
});
