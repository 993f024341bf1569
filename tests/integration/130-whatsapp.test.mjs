// A real session, from nothing to paired, and all that goes both ways, against the WhatsApp double.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { newPhone } from './support/customer.mjs';
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
  stack = await startWhatsApp();
  endpoint = await startEndpoint();
  session = await newSession(stack);
  ({ customer } = session);
  await customer.webhook(endpoint.url, ['message_received', 'message_reaction', 'message_edited', 'message_deleted', 'message_sent',
    'message_delivered', 'message_read', 'message_failed', 'session_connected', 'session_disconnected']);
  ours = await newPhoneOn(stack, { name: 'Finance' });
  erika = await newPhoneOn(stack, { reads: true });
  contact = await customer.contact(`+${erika.number}`);
  files = http.createServer((req, res) => res.writeHead(200, { 'Content-Type': 'image/png' }).end(PICTURE)).listen(0, '127.0.0.1');
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

test('a picture arrives whole, and one that comes is kept and served', async () => {
  const sent = await customer.send(contact.id, undefined, {
    message_type: 'image',
    media_url: `http://127.0.0.1:${files.address().port}/a.png`,
    caption: 'Our branch',
  });
  const shown = await erika.shows('the picture', (m) => m.type === 'image');
  assert.equal(shown.media.sha256, sha256(PICTURE));
  await customer.reaches(sent.message_id, 'read');
  await erika.write(ours, { type: 'document', data: PICTURE.toString('base64'), mime: 'image/png', file_name: 'id.png', caption: 'My card' });
  const told = await endpoint.event('message_received', (e) => e.data.message_type === 'document');
  assert.equal(told.data.message_body, 'My card');
  const file = await customer.get(told.data.media_url, { responseType: 'arraybuffer' });
  assert.equal(sha256(file.data), sha256(PICTURE));
});

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
  assert.equal((await customer.message(reply.data.message_id)).reply_to, told.data.message_id);
  await erika.write(ours, { type: 'location', latitude: 52.5, longitude: 13.4, name: 'Home' });
  const place = await endpoint.event('message_received', (e) => e.data.message_type === 'location');
  assert.equal((await customer.message(place.data.message_id)).detail.latitude, 52.5);
  await erika.write(ours, { type: 'contact', name: 'Max', phone: '+4917600000001' });
  const card = await endpoint.event('message_received', (e) => e.data.message_type === 'contacts');
  assert.equal((await customer.message(card.data.message_id)).detail[0].name, 'Max');
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

test('logged out on the phone: a state, an event, and pairing by a typed code', async () => {
  await ours.call('DELETE', '/devices/1');
  const out = await sessionIs(session, 'logged_out');
  assert.ok(out.reason);
  await endpoint.event('session_disconnected', (e) => e.data.session_id === session.id);
  const code = await customer.post(`/sessions/${session.id}/pairing-code`, { phone_number: `+${ours.number}` });
  assert.equal(code.status, 200, JSON.stringify(code.data));
  assert.match(code.data.code, /^[A-Z0-9]{8}$/);
  await ours.call('POST', '/code', { code: code.data.code });
  await sessionIs(session, 'connected');
  const sent = await customer.send(contact.id, 'Paired again');
  await erika.shows('it', (m) => m.body === 'Paired again');
  await customer.reaches(sent.message_id, 'read');
});

test('no body, no key and no phone number is in a log', async () => {
  await assertQuietLogs(stack, ['Your invoice is due', 'I pay on', 'by lid', 'My card', 'Paired again', erika.number, ours.number]);
});
