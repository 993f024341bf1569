// What a customer does to an endpoint in bad days: new secrets, events once more.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newCustomer } from './support/customer.mjs';
import { guideSignature, standardSignature, startEndpoint } from './support/endpoint.mjs';
import { sharedStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

let stack;
const opened = [];

before(async () => {
  stack = await sharedStack();
});
after(async () => {
  for (const endpoint of opened) await endpoint.close();
  await stack?.release();
});

async function listening(answer) {
  const endpoint = await startEndpoint(answer);
  opened.push(endpoint);
  return endpoint;
}

/** A customer with an endpoint that was sent the reading of one message. */
async function customerWithOneRead(answer) {
  const endpoint = await listening(answer);
  const customer = await newCustomer(stack);
  const hook = await customer.webhook(endpoint.url, ['message_read']);
  const contact = await customer.contact();
  await customer.send(contact.id, 'x');
  const event = await endpoint.event('message_read');
  return { endpoint, customer, hook, contact, event };
}

/** Which of the secrets have signed a post, in either way. */
function signers({ headers, raw, body }, secrets) {
  const standard = headers['webhook-signature'].split(' ');
  const [, t, rest] = headers['x-webhook-signature'].match(/^t=(\d+),(.*)$/);
  const guide = rest.split(',');
  return secrets.map((secret) => {
    const one = standard.includes(standardSignature(secret, body.id, headers['webhook-timestamp'], raw));
    assert.equal(guide.includes(`v1=${guideSignature(secret, t, raw)}`), one, 'both headers hold the same secrets');
    return one;
  });
}

async function signedBy(customer, hook, endpoint, secrets, wanted) {
  await until(`a delivery that is signed by ${wanted}`, async () => {
    const test = await customer.post(`/webhooks/${hook.webhook_id}/test`, {});
    const post = await until('the test', () => endpoint.posts.find((p) => p.body.id === test.data.event_id));
    return JSON.stringify(signers(post, secrets)) === JSON.stringify(wanted);
  }, 10_000);
}

test('a rotated secret and the one before it both sign while they overlap', async () => {
  const { endpoint, customer, hook } = await customerWithOneRead();
  const path = `/webhooks/${hook.webhook_id}/rotate-secret`;
  const second = await customer.post(path, { overlap_s: 3600 }, { 'Idempotency-Key': 'r1' });
  assert.equal(second.status, 201, JSON.stringify(second.data));
  assert.equal(second.data.webhook_id, hook.webhook_id);
  assert.match(second.data.secret, /^whsec_/);
  assert.notEqual(second.data.secret, hook.secret);
  const again = await customer.post(path, { overlap_s: 3600 }, { 'Idempotency-Key': 'r1' });
  assert.equal(again.headers['idempotent-replayed'], 'true');
  assert.equal(again.data.secret, undefined, 'a secret is shown once');
  await signedBy(customer, hook, endpoint, [hook.secret, second.data.secret], [true, true]);
  const third = await customer.post(path, { overlap_s: 0 });
  await signedBy(customer, hook, endpoint, [hook.secret, second.data.secret, third.data.secret], [false, false, true]);
});

test("another tenant's endpoint is not found, a wrong overlap is refused", async () => {
  const { hook, customer } = await customerWithOneRead();
  const other = await newCustomer(stack);
  assert.equal((await other.post(`/webhooks/${hook.webhook_id}/rotate-secret`, {})).status, 404);
  assert.equal((await other.post(`/webhooks/${hook.webhook_id}/replay`, { status: 'delivered' })).status, 404);
  assert.equal((await customer.post(`/webhooks/${hook.webhook_id}/rotate-secret`, { overlap_s: -1 })).status, 422);
});

test('an event is replayed with the same id, by its id', async () => {
  const { endpoint, customer, hook, event } = await customerWithOneRead();
  await deliveryIs(customer, hook, event.id, 'delivered');
  const answer = await customer.post(`/webhooks/${hook.webhook_id}/replay`, { event_id: event.id });
  assert.equal(answer.status, 202, JSON.stringify(answer.data));
  assert.deepEqual(answer.data, { replayed: 1 });
  const posts = await until('it to come again', () => {
    const found = endpoint.posts.filter((p) => p.body.id === event.id);
    return found.length === 2 && found;
  });
  assert.deepEqual(posts[1].body, posts[0].body);
});

async function deliveryIs(customer, hook, eventId, status) {
  return until(`its delivery to be ${status}`, async () => {
    const { data } = await customer.get(`/webhooks/${hook.webhook_id}/deliveries`);
    return data.find((d) => d.event_id === eventId)?.status === status;
  });
}

test('what ran out of attempts is replayed by status', async () => {
  let answer = 200;
  const { endpoint, customer, hook, contact } = await customerWithOneRead(() => answer);
  answer = 500;
  await customer.send(contact.id, 'y');
  await until('a failed attempt', () => endpoint.posts.length > 1);
  const refused = endpoint.posts.at(-1).body;
  // The shared stack's schedule takes half a minute; how it comes to its end is tested elsewhere.
  await stack.sql("UPDATE deliveries SET attempts = 50 WHERE event_type = 7 AND open AND tenant_id = $1", [customer.tenantId]);
  await stack.sql("UPDATE deliveries SET open = false, status = 2, next_attempt_at = NULL WHERE open AND tenant_id = $1", [customer.tenantId]);
  await deliveryIs(customer, hook, refused.id, 'failed');
  answer = 200;
  const before = endpoint.posts.length;
  const replayed = await customer.post(`/webhooks/${hook.webhook_id}/replay`, { status: 'failed', events: ['message_read'] });
  assert.deepEqual(replayed.data, { replayed: 1 });
  await until('it to be delivered', () => endpoint.posts.length > before && endpoint.posts.at(-1).body.id === refused.id);
  await deliveryIs(customer, hook, refused.id, 'delivered');
});

test('what came while an endpoint was paused is replayed by range, in order', async () => {
  const { endpoint, customer, hook, contact, event } = await customerWithOneRead();
  await customer.http.patch(`/webhooks/${hook.webhook_id}`, { active: false });
  const from = new Date(Date.parse(event.created_at) + 1).toISOString();
  const bodies = [];
  for (let i = 0; i < 5; i++) bodies.push(await customer.send(contact.id, `${i}`));
  for (const { message_id: id } of bodies) await customer.reaches(id, 'read');
  await customer.http.patch(`/webhooks/${hook.webhook_id}`, { active: true });
  const answer = await customer.post(`/webhooks/${hook.webhook_id}/replay`, { from });
  assert.deepEqual(answer.data, { replayed: 5 }, 'message_read only, which it subscribes to');
  await until('all five', () => endpoint.events('message_read').length === 6);
  const missed = endpoint.events('message_read').slice(1).map((e) => e.data.message_id);
  assert.deepEqual(missed, bodies.map((b) => b.message_id));
  const nothing = await customer.post(`/webhooks/${hook.webhook_id}/replay`, { from: '2001-01-01T00:00:00Z', to: '2001-01-02T00:00:00Z' });
  assert.deepEqual(nothing.data, { replayed: 0 });
});

test('a replay says what is wrong with it', async () => {
  const { customer, hook } = await customerWithOneRead();
  const path = `/webhooks/${hook.webhook_id}/replay`;
  for (const [body, field] of [[{}, 'event_id'], [{ event_id: 'evt_x' }, 'event_id'], [{ from: 'yesterday' }, 'from'],
    [{ status: 'pending' }, 'status'], [{ events: ['nope'] }, 'events[0]'], [{ since: 1 }, 'since']]) {
    const answer = await customer.post(path, body);
    assert.equal(answer.status, 422, JSON.stringify(body));
    assert.ok(answer.data.errors.some((e) => e.field === field), JSON.stringify(answer.data));
  }
  await stack.sql("UPDATE webhooks SET disabled_at = now(), disabled_reason = 'gone' WHERE public_id = $1", [hook.webhook_id]);
  assert.equal((await customer.post(path, { status: 'delivered' })).status, 409);
  const test = await customer.post(`/webhooks/${hook.webhook_id}/test`, {});
  assert.equal(test.status, 409, 'nothing would be sent');
});

test('an endpoint that fails everything for five days is disabled, and not before', async () => {
  const endpoint = await listening(() => 500);
  const customer = await newCustomer(stack);
  const contact = await customer.contact();
  const hooks = {};
  for (const age of ['4 days 23 hours', '5 days 1 hour']) {
    hooks[age] = await customer.webhook(endpoint.url, ['message_read']);
    await stack.sql('UPDATE webhooks SET failing_since = now() - $2::interval WHERE public_id = $1', [hooks[age].webhook_id, age]);
  }
  await customer.send(contact.id, 'x');
  const disabled = await until('the older one to be disabled', async () => {
    const { data } = await customer.get(`/webhooks/${hooks['5 days 1 hour'].webhook_id}`);
    return data.disabled_at && data;
  });
  assert.equal(disabled.disabled_reason, 'failing');
  await until('the younger one to be tried again', () => endpoint.posts.length >= 3);
  const { data } = await customer.get(`/webhooks/${hooks['4 days 23 hours'].webhook_id}`);
  assert.equal(data.disabled_at, null);
  assert.ok(data.failing_since, 'which the operator sees');
});
