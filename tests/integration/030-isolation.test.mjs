// A tenant never sees, addresses or guesses another's rows: for every call the answer is that of an id that does not exist.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newCustomer, operator } from './support/customer.mjs';
import { sharedStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

const ALL = ['messages:send', 'messages:read', 'contacts:read', 'contacts:create', 'webhooks:manage', 'sessions:manage', 'events:read'];

let stack;
let alice;
let mallory;
const owned = {};

before(async () => {
  stack = await sharedStack();
  alice = await newCustomer(stack, { permissions: ALL });
  mallory = await newCustomer(stack, { permissions: ALL });
  owned.contact = await alice.contact();
  owned.session = (await alice.post('/sessions', { engine: 'sandbox', name: 'own' })).data;
  assert.ok(owned.session.session_id);
  await until('the own session to connect', async () => (await alice.get(`/sessions/${owned.session.session_id}`)).data.state === 'connected');
  owned.message = await alice.send(owned.contact.id, 'secret of alice', { external_ref: 'INV-1', once: true });
  owned.hook = await alice.webhook('http://127.0.0.1:9/none', ['message_failed']);
  await alice.reaches(owned.message.message_id, 'read');
});
after(() => stack?.release());

/** The same call by mallory on alice's id and on one that does not exist must look alike. */
async function sameAsMissing(method, path, missingPath, body) {
  const call = (p) => mallory.http.request({ method, url: p, data: body, headers: body ? { 'Content-Type': 'application/json' } : {} });
  const theirs = await call(path);
  const missing = await call(missingPath);
  assert.equal(theirs.status, 404, `${method} ${path}: ${theirs.status} ${JSON.stringify(theirs.data)}`);
  const strip = ({ request_id, instance, ...rest }) => rest;
  assert.deepEqual(strip(theirs.data), strip(missing.data));
}

test('contacts', async () => {
  const path = `/contacts/${owned.contact.id}`;
  await sameAsMissing('get', path, '/contacts/2000000000');
  await sameAsMissing('patch', path, '/contacts/2000000000', { first_name: 'M' });
  await sameAsMissing('delete', path, '/contacts/2000000000');
  const found = await mallory.get('/contacts', { params: { phone: owned.contact.phone } });
  assert.deepEqual(found.data, []);
});

test('the same number may be a contact of both, and they stay apart', async () => {
  const theirs = await mallory.contact(owned.contact.phone);
  assert.notEqual(theirs.id, owned.contact.id);
  assert.deepEqual((await mallory.get(`/conversations/${theirs.id}/messages`)).data, []);
  assert.deepEqual(await mallory.outbox(owned.contact.phone), []);
});

test('messages', async () => {
  const none = 'msg_00000000000000000000000000';
  await sameAsMissing('get', `/messages/${owned.message.message_id}`, `/messages/${none}`);
  await sameAsMissing('post', `/messages/${owned.message.message_id}/cancel`, `/messages/${none}/cancel`);
  await sameAsMissing('get', `/conversations/${owned.contact.id}/messages`, '/conversations/2000000000/messages');
  await sameAsMissing('post', '/messages/send', '/messages/send', { contact_id: owned.contact.id, message_body: 'x' });
  assert.deepEqual((await mallory.get('/messages', { params: { external_ref: 'INV-1' } })).data, []);
  assert.deepEqual((await mallory.get('/messages', { params: { contact_id: owned.contact.id } })).data, []);
});

test('another tenant\'s session cannot be sent through', async () => {
  const theirs = await mallory.contact();
  const answer = await mallory.post('/messages/send', { contact_id: theirs.id, message_body: 'x', session_id: owned.session.session_id });
  const missing = await mallory.post('/messages/send', { contact_id: theirs.id, message_body: 'x', session_id: 2000000000 });
  assert.equal(answer.status, missing.status);
  assert.ok([404, 422].includes(answer.status));
  await sameAsMissing('get', `/sessions/${owned.session.session_id}`, '/sessions/2000000000');
  await sameAsMissing('delete', `/sessions/${owned.session.session_id}`, '/sessions/2000000000');
  await sameAsMissing('get', `/sessions/${owned.session.session_id}/qr`, '/sessions/2000000000/qr');
  const ids = (await mallory.get('/sessions')).data.map((s) => s.session_id);
  assert.ok(!ids.includes(owned.session.session_id));
});

test('webhooks', async () => {
  const none = 'wh_00000000000000000000000000';
  for (const [method, rest, body] of [
    ['get', ''], ['patch', '', { active: false }], ['delete', ''], ['post', '/test', {}], ['get', '/deliveries'],
  ]) {
    await sameAsMissing(method, `/webhooks/${owned.hook.webhook_id}${rest}`, `/webhooks/${none}${rest}`, body);
  }
  const ids = (await mallory.get('/webhooks')).data.map((w) => w.webhook_id);
  assert.ok(!ids.includes(owned.hook.webhook_id));
});

test('events', async () => {
  const mine = await until('alice to see her events', async () => {
    const { data } = await alice.get('/events');
    return data.length >= 3 && data;
  });
  assert.ok(mine.every((e) => e.tenant_id === alice.tenantId));
  const theirs = (await mallory.get('/events')).data;
  assert.ok(theirs.every((e) => e.tenant_id === mallory.tenantId));
});

test('a key is no operator, and idempotency keys are a tenant\'s own', async () => {
  for (const [method, path] of [['get', '/tenants'], ['get', `/tenants/${alice.tenantId}`], ['get', `/tenants/${alice.tenantId}/api-keys`], ['get', '/set-aside']]) {
    const answer = await mallory.http.request({ method, url: path, headers: { Authorization: `Bearer ${mallory.apiKey}`, Origin: 'http://x' } });
    assert.ok([401, 403].includes(answer.status), `${path}: ${answer.status}`);
  }
  const theirs = await mallory.contact();
  const first = await alice.send(owned.contact.id, 'k', {}, { 'Idempotency-Key': 'same-key' });
  const second = await mallory.send(theirs.id, 'k', {}, { 'Idempotency-Key': 'same-key' });
  assert.notEqual(first.message_id, second.message_id);
});

test('a revoked key is refused everywhere within 5 s', async () => {
  const key = await operator(stack).post(`/tenants/${alice.tenantId}/api-keys`, { name: 'short', permissions: ['contacts:read'] });
  const call = () => fetch(`${stack.url}/api/v1/contacts`, { headers: { 'X-API-Key': key.data.api_key } });
  assert.equal((await call()).status, 200);
  await operator(stack).delete(`/tenants/${alice.tenantId}/api-keys/${key.data.key_id}`);
  await until('the key to be refused', async () => (await call()).status === 401, 5000);
});
