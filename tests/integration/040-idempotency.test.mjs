// One key, one effect: however often and however concurrently a caller repeats itself.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newCustomer, newPhone, operator } from './support/customer.mjs';
import { sharedStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

let stack;
let customer;
let contact;

before(async () => {
  stack = await sharedStack();
  customer = await newCustomer(stack);
  contact = await customer.contact();
});
after(() => stack?.release());

const send = (body, key) => customer.post('/messages/send', { contact_id: contact.id, message_body: body }, { 'Idempotency-Key': key });

test('the same key and body replay the first answer', async () => {
  const first = await send('bill 1', 'bill-1');
  const again = await send('bill 1', 'bill-1');
  assert.equal(first.status, 202);
  assert.equal(again.status, 202);
  assert.deepEqual(again.data, first.data);
  assert.equal(again.headers['idempotent-replayed'], 'true');
  assert.equal(first.headers['idempotent-replayed'], undefined);
});

test('the key may be quoted, as the IETF draft has it', async () => {
  const bare = await send('bill 1b', 'bill-1b');
  const quoted = await send('bill 1b', '"bill-1b"');
  assert.equal(quoted.data.message_id, bare.data.message_id);
});

test('the order of members is no other body', async () => {
  const headers = { 'Idempotency-Key': 'order-1' };
  const a = await customer.post('/messages/send', { contact_id: contact.id, message_body: 'x' }, headers);
  const b = await customer.post('/messages/send', { message_body: 'x', contact_id: contact.id }, headers);
  assert.equal(b.data.message_id, a.data.message_id);
});

test('who asks again after valid_until is told of the first message, a new one is refused', async () => {
  const body = { contact_id: contact.id, message_body: 'soon', valid_until: new Date(Date.now() + 1500).toISOString() };
  const first = await customer.post('/messages/send', body, { 'Idempotency-Key': 'soon-1' });
  assert.equal(first.status, 202, JSON.stringify(first.data));
  await until('valid_until to pass', () => Date.now() > Date.parse(body.valid_until) + 500);
  const again = await customer.post('/messages/send', body, { 'Idempotency-Key': 'soon-1' });
  assert.equal(again.status, 202, JSON.stringify(again.data));
  assert.equal(again.data.message_id, first.data.message_id);
  const late = await customer.post('/messages/send', body, { 'Idempotency-Key': 'soon-2' });
  assert.equal(late.status, 422);
  assert.deepEqual(late.data.errors.map((e) => e.field), ['valid_until']);
});

test('the same key with another body is 422', async () => {
  await send('bill 2', 'bill-2');
  assert.equal((await send('bill 2, but more', 'bill-2')).status, 422);
});

test('a refused request leaves its key free', async () => {
  const wrong = await customer.post('/messages/send', { contact_id: contact.id }, { 'Idempotency-Key': 'free' });
  assert.equal(wrong.status, 422);
  assert.equal((await send('now right', 'free')).status, 202);
  const missing = await customer.post('/messages/send', { contact_id: 2000000000, message_body: 'x' }, { 'Idempotency-Key': 'free-2' });
  assert.equal(missing.status, 404);
  assert.equal((await send('now right', 'free-2')).status, 202);
});

test('a bad key is refused by name', async () => {
  for (const key of ['x'.repeat(300), 'with space and ü'.normalize('NFD').replace(/[^\x20-\x7e]/g, '') + '\t']) {
    const answer = await send('x', key);
    if (answer.status !== 202) assert.match(JSON.stringify(answer.data), /Idempotency-Key/);
    if (key.length > 255) assert.notEqual(answer.status, 202);
  }
});

test('50 concurrent equal requests make one message', async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, () => send('concurrent', 'fifty')));
  const taken = answers.filter((a) => a.status === 202);
  assert.ok(taken.length >= 1);
  for (const answer of answers) assert.ok([202, 409].includes(answer.status), String(answer.status));
  for (const answer of answers.filter((a) => a.status === 409)) assert.ok(answer.headers['retry-after']);
  assert.equal(new Set(taken.map((a) => a.data.message_id)).size, 1);
  const rows = await stack.sql(`SELECT count(*)::int AS n FROM messages WHERE contact_id = $1 AND body = 'concurrent'`, [contact.id]);
  assert.equal(rows[0].n, 1);
});

test('every POST that makes something takes a key', async () => {
  const headers = { 'Idempotency-Key': 'made-once' };
  const phone = newPhone();
  const contacts = [];
  for (let i = 0; i < 2; i++) contacts.push(await customer.post('/contacts', { phone_numbers: [{ number: phone }] }, headers));
  assert.deepEqual(contacts.map((c) => c.status), [201, 201]);
  assert.deepEqual(contacts[1].data, contacts[0].data);

  const hookKey = { 'Idempotency-Key': 'hook-once' };
  const hook = { url: 'http://127.0.0.1:9/', events: ['message_sent'], active: true };
  const first = await customer.post('/webhooks/register', hook, hookKey);
  const again = await customer.post('/webhooks/register', hook, hookKey);
  assert.equal(again.data.webhook_id, first.data.webhook_id);
  assert.ok(first.data.secret);
  assert.equal(again.data.secret ?? null, null, 'a secret is shown once');

  const ops = operator(stack);
  const opsKey = { headers: { 'Idempotency-Key': `tenant-${process.pid}` } };
  const tenants = [await ops.post('/tenants', { name: 'once' }, opsKey), await ops.post('/tenants', { name: 'once' }, opsKey)];
  assert.equal(tenants[1].data.tenant_id, tenants[0].data.tenant_id);
  const keyPath = `/tenants/${tenants[0].data.tenant_id}/api-keys`;
  const keyOnce = { headers: { 'Idempotency-Key': `key-${process.pid}` } };
  const body = { name: 'k', permissions: ['contacts:read'] };
  const keys = [await ops.post(keyPath, body, keyOnce), await ops.post(keyPath, body, keyOnce)];
  assert.equal(keys[1].data.key_id, keys[0].data.key_id);
  assert.equal(keys[1].data.api_key ?? null, null, 'a key is shown once');
});

test('20 racing upserts of one number give one contact', async () => {
  const phone = newPhone();
  const answers = await Promise.all(Array.from({ length: 20 }, () => customer.post('/contacts', { first_name: 'R', phone_numbers: [{ number: phone }] })));
  for (const answer of answers) assert.ok([200, 201].includes(answer.status), `${answer.status} ${JSON.stringify(answer.data)}`);
  assert.equal(new Set(answers.map((a) => a.data.id)).size, 1);
  assert.equal(answers.filter((a) => a.status === 201).length, 1);
});

test('`once`: a second send of that external_ref answers with the first message', async () => {
  const body = { contact_id: contact.id, message_body: 'reminder', external_ref: 'INV-77/stage-1', once: true };
  const answers = await Promise.all(Array.from({ length: 10 }, () => customer.post('/messages/send', body)));
  assert.equal(new Set(answers.map((a) => a.data.message_id)).size, 1);
  assert.equal(answers.filter((a) => a.status === 202).length, 1);
  assert.equal(answers.filter((a) => a.status === 200).length, 9);
  const noRef = await customer.post('/messages/send', { contact_id: contact.id, message_body: 'x', once: true });
  assert.equal(noRef.status, 422);
  const plain = await customer.post('/messages/send', { contact_id: contact.id, message_body: 'first', external_ref: 'INV-78' });
  const later = await customer.post('/messages/send', { contact_id: contact.id, message_body: 'second', external_ref: 'INV-78', once: true });
  assert.equal(later.status, 200);
  assert.equal(later.data.message_id, plain.data.message_id);
});
