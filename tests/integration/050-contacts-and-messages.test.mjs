// Contacts, conversations, lists, scheduling, cancelling, expiry, erasure.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newCustomer, newPhone } from './support/customer.mjs';
import { sharedStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

let stack;
let customer;

before(async () => {
  stack = await sharedStack();
  customer = await newCustomer(stack);
});
after(() => stack?.release());

const inMs = (ms) => new Date(Date.now() + ms).toISOString();
const nextPage = (answer) => answer.headers.link?.match(/<([^>]+)>;\s*rel="next"/)?.[1];

test('a contact is made, read, changed', async () => {
  const phones = [newPhone(), newPhone()];
  const made = await customer.post('/contacts', {
    first_name: 'Ada', last_name: 'L', email: 'ada@example.com', metadata: { customer: 17 }, phone_numbers: phones.map((number) => ({ number })),
  });
  assert.equal(made.status, 201, JSON.stringify(made.data));
  assert.equal(typeof made.data.id, 'number');
  const read = (await customer.get(`/contacts/${made.data.id}`)).data;
  assert.deepEqual(read.phone_numbers.map((p) => p.number), phones);
  assert.deepEqual(read.metadata, { customer: 17 });
  assert.match(read.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const changed = await customer.http.patch(`/contacts/${made.data.id}`, { first_name: 'Augusta' });
  assert.equal(changed.status, 200, JSON.stringify(changed.data));
  assert.equal(changed.data.first_name, 'Augusta');
  assert.equal(changed.data.last_name, 'L');
  for (const number of phones) {
    assert.equal((await customer.get('/contacts', { params: { phone: number } })).data[0].id, made.data.id);
  }
});

test('lists are newest first, in pages that neither repeat nor skip', async () => {
  const own = await newCustomer(stack);
  const contact = await own.contact();
  const sent = [];
  for (let i = 0; i < 7; i++) sent.push((await own.send(contact.id, `n${i}`)).message_id);
  const seen = [];
  let page = await own.get('/messages', { params: { limit: 3 } });
  for (let pages = 0; pages < 5; pages++) {
    seen.push(...page.data.map((m) => m.message_id));
    const next = nextPage(page);
    if (!next) break;
    page = await own.http.get(new URL(next, stack.url).toString());
  }
  assert.deepEqual(seen, sent.toReversed?.() ?? [...sent].reverse());
  const newest = await own.get(`/conversations/${contact.id}/messages`, { params: { limit: 3 } });
  assert.deepEqual(newest.data.map((m) => m.message_id), sent.slice(4), 'a page is oldest first, the first page is the newest');
  const older = await own.http.get(new URL(nextPage(newest), stack.url).toString());
  assert.deepEqual(older.data.map((m) => m.message_id), sent.slice(1, 4));
});

test('messages are found by external_ref, status and contact', async () => {
  const contact = await customer.contact();
  const sent = await customer.send(contact.id, 'x', { external_ref: 'find-me', metadata: { invoice: 9 } });
  const read = await customer.reaches(sent.message_id, 'read');
  assert.deepEqual(read.metadata, { invoice: 9 });
  for (const params of [{ external_ref: 'find-me' }, { contact_id: contact.id, status: 'read' }]) {
    const { data } = await customer.get('/messages', { params });
    assert.deepEqual(data.map((m) => m.message_id), [sent.message_id]);
  }
  assert.deepEqual((await customer.get('/messages', { params: { contact_id: contact.id, status: 'failed' } })).data, []);
});

test('each step has its time, and they are in order', async () => {
  const contact = await customer.contact();
  const { message_id, status, created_at, contact_id } = await customer.send(contact.id, 'x');
  assert.equal(status, 'queued');
  assert.equal(contact_id, contact.id);
  const m = await customer.reaches(message_id, 'read');
  const steps = ['created_at', 'queued_at', 'sending_at', 'sent_at', 'delivered_at', 'read_at'].map((name) => {
    assert.match(m[name] ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, name);
    return Date.parse(m[name]);
  });
  assert.deepEqual(steps, [...steps].sort((a, b) => a - b));
  assert.equal(m.created_at, created_at);
  assert.equal(m.attempts, 1);
});

test('phone_number stands in place of contact_id', async () => {
  const phone = newPhone();
  const answer = await customer.post('/messages/send', { phone_number: phone, message_body: 'hello' });
  assert.equal(answer.status, 202, JSON.stringify(answer.data));
  await customer.reaches(answer.data.message_id, 'read');
  assert.equal((await customer.get('/contacts', { params: { phone } })).data[0].id, answer.data.contact_id);
  const both = await customer.post('/messages/send', { phone_number: phone, contact_id: answer.data.contact_id, message_body: 'x' });
  assert.equal(both.status, 422);
});

test('send_at holds a message until then', async () => {
  const contact = await customer.contact();
  const at = inMs(1500);
  const answer = await customer.send(contact.id, 'later', { send_at: at });
  assert.equal(answer.status, 'scheduled');
  const after_ = await customer.send(contact.id, 'now');
  await customer.reaches(after_.message_id, 'read');
  assert.equal((await customer.message(answer.message_id)).status, 'scheduled');
  const sent = await customer.reaches(answer.message_id, 'read');
  assert.ok(Date.parse(sent.sending_at) >= Date.parse(at), `${sent.sending_at} >= ${at}`);
});

test('valid_until expires what could not be sent in time, and says so', async () => {
  const contact = await customer.contact(newPhone('0003'));
  const ahead = await customer.send(contact.id, 'blocks for a while');
  const late = await customer.send(contact.id, 'too late', { send_at: inMs(3000), valid_until: inMs(3001) });
  await customer.reaches(ahead.message_id, 'failed');
  const expired = await until('it to be expired or sent', async () => {
    const m = await customer.message(late.message_id);
    return ['expired', 'failed', 'sent', 'delivered', 'read'].includes(m.status) && m;
  });
  assert.equal(expired.status, 'expired');
  assert.equal(expired.attempts, 0);
  assert.ok(expired.expired_at);
});

test('a scheduled message is cancelled once, a sent one is not', async () => {
  const contact = await customer.contact();
  const scheduled = await customer.send(contact.id, 'never', { send_at: inMs(60_000) });
  const cancelled = await customer.post(`/messages/${scheduled.message_id}/cancel`, {});
  assert.equal(cancelled.status, 200, JSON.stringify(cancelled.data));
  assert.equal(cancelled.data.status, 'cancelled');
  assert.equal((await customer.post(`/messages/${scheduled.message_id}/cancel`, {})).status, 409);
  const sent = await customer.send(contact.id, 'sent');
  await customer.reaches(sent.message_id, 'read');
  assert.equal((await customer.post(`/messages/${sent.message_id}/cancel`, {})).status, 409);
  assert.deepEqual((await customer.outbox(contact.phone)).map((m) => m.message_body), ['sent']);
});

test('a queued message behind another can be cancelled, and the next one goes', async () => {
  const contact = await customer.contact(newPhone('0002'));
  const first = await customer.send(contact.id, 'first');
  const second = await customer.send(contact.id, 'second');
  const third = await customer.send(contact.id, 'third');
  const cancelled = await customer.post(`/messages/${second.message_id}/cancel`, {});
  assert.equal(cancelled.status, 200, JSON.stringify(cancelled.data));
  await customer.reaches(first.message_id, 'read');
  await customer.reaches(third.message_id, 'read');
  assert.deepEqual((await customer.outbox(contact.phone)).map((m) => m.message_body), ['first', 'third']);
});

test('a conversation keeps its order', async () => {
  const contact = await customer.contact();
  const bodies = Array.from({ length: 40 }, (_, i) => `line ${i}`);
  let last;
  for (const body of bodies) last = await customer.send(contact.id, body);
  await customer.reaches(last.message_id, 'read');
  const shown = await customer.outbox(contact.phone);
  assert.deepEqual(shown.map((m) => m.message_body), bodies);
  assert.ok(shown.every((m) => m.copies === 1));
});

test('erasure blanks a person wherever it stands and keeps the counts', async () => {
  const contact = await customer.contact();
  const sent = await customer.send(contact.id, 'private words', { metadata: { secret: 'private' } });
  await customer.reaches(sent.message_id, 'read');
  assert.equal((await customer.inbound(contact.phone, 'private answer')).status, 202);
  await until('the answer to be stored', async () => (await customer.get(`/conversations/${contact.id}/messages`)).data.length === 2);
  const waiting = await customer.send(contact.id, 'private plan', { send_at: inMs(60_000) });
  const erased = await customer.http.delete(`/contacts/${contact.id}`);
  assert.ok([200, 204].includes(erased.status), JSON.stringify(erased.data));
  assert.equal((await customer.get(`/contacts/${contact.id}`)).status, 404);
  assert.deepEqual((await customer.get('/contacts', { params: { phone: contact.phone } })).data, []);
  const rows = await stack.sql('SELECT status, body, phone, metadata FROM messages WHERE contact_id = $1', [contact.id]);
  assert.equal(rows.length, 3);
  assert.ok(rows.every((r) => !/private/.test(`${r.body}${JSON.stringify(r.metadata)}`)));
  const plan = await stack.sql('SELECT status FROM messages WHERE id = $1', [waiting.message_id]);
  assert.equal(plan[0].status, 8, 'what was scheduled is cancelled');
  const ledger = await stack.sql(`SELECT count(*)::int AS n FROM sandbox.ledger WHERE body LIKE '%private%' AND tenant_id = $1`, [customer.tenantId]);
  assert.equal(ledger[0].n, 0);
  const whole = await stack.sql(`SELECT count(*)::int AS n FROM contacts WHERE id = $1 AND (first_name IS NOT NULL OR email IS NOT NULL)`, [contact.id]);
  assert.equal(whole[0].n, 0);
});

test('media is fetched once, soon after acceptance, and served to its tenant only', async () => {
  const { startEndpoint } = await import('./support/endpoint.mjs');
  const host = await startEndpoint();
  let fetched = 0;
  host.server.removeAllListeners('request');
  host.server.on('request', (req, res) => {
    fetched += 1;
    res.writeHead(200, { 'Content-Type': 'application/pdf' }).end('%PDF-1.4 invoice');
  });
  const contact = await customer.contact();
  const sent = await customer.send(contact.id, undefined, {
    message_type: 'document', media_url: `http://127.0.0.1:${host.port}/invoice.pdf`, caption: 'Invoice 9', filename: 'invoice-9.pdf', send_at: inMs(1500),
  });
  await until('the media to be fetched before send_at', async () => fetched === 1 && (await customer.message(sent.message_id)).status === 'scheduled');
  await customer.reaches(sent.message_id, 'read');
  assert.equal(fetched, 1);
  const [shown] = await customer.outbox(contact.phone);
  assert.equal(shown.caption, 'Invoice 9');
  assert.equal(shown.message_type, 'document');
  const media = await customer.get(`/media/${shown.media_sha256}`, { responseType: 'text' });
  assert.equal(media.data, '%PDF-1.4 invoice');
  const other = await newCustomer(stack);
  assert.equal((await other.get(`/media/${shown.media_sha256}`)).status, 404);
  await host.close();
});

test('a download link that points on to a store is followed, but not for ever and not past the guard', async () => {
  const { startEndpoint } = await import('./support/endpoint.mjs');
  const host = await startEndpoint();
  const pointsTo = { '/invoice': '/store/one?sig=a', '/store/one?sig=a': `http://127.0.0.1:${host.port}/file`, '/round': '/round', '/inside': 'http://10.0.0.1/file' };
  host.server.removeAllListeners('request');
  host.server.on('request', (req, res) => {
    const location = pointsTo[req.url];
    if (location) res.writeHead(302, { Location: location }).end('gone on');
    else res.writeHead(200, { 'Content-Type': 'application/pdf' }).end('%PDF-1.4 moved');
  });
  const contact = await customer.contact();
  const send = (path) => customer.send(contact.id, undefined, { message_type: 'document', media_url: `http://127.0.0.1:${host.port}${path}` });
  await customer.reaches((await send('/invoice')).message_id, 'read');
  const [shown] = await customer.outbox(contact.phone);
  const media = await customer.get(`/media/${shown.media_sha256}`, { responseType: 'text' });
  assert.equal(media.data, '%PDF-1.4 moved');
  for (const path of ['/round', '/inside']) {
    const failed = await customer.reaches((await send(path)).message_id, 'failed');
    assert.equal(failed.error_code, 'media_failed');
  }
  await host.close();
});

test('media that cannot be had fails the message with a reason', async () => {
  const contact = await customer.contact();
  const sent = await customer.send(contact.id, undefined, { message_type: 'image', media_url: 'http://127.0.0.1:9/none.png' });
  const failed = await customer.reaches(sent.message_id, 'failed');
  assert.equal(failed.error_code, 'media_failed');
  const next = await customer.send(contact.id, 'goes on');
  await customer.reaches(next.message_id, 'read');
});
