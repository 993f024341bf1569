// Webhooks as customers receive them: content, signatures, retries, order, isolation, log.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newCustomer, newPhone } from './support/customer.mjs';
import { guideSignature, standardSignature, startEndpoint } from './support/endpoint.mjs';
import { sharedStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

const EVERYTHING = ['message_received', 'message_sent', 'message_delivered', 'message_read', 'message_failed'];

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

async function customerWith(endpoint, events = EVERYTHING) {
  const customer = await newCustomer(stack);
  const hook = await customer.webhook(endpoint.url, events);
  return { customer, hook };
}

test('every attempt is signed twice over its raw body', async () => {
  const endpoint = await listening();
  const { customer, hook } = await customerWith(endpoint, ['message_read']);
  const contact = await customer.contact();
  await customer.send(contact.id, 'x');
  await endpoint.event('message_read');
  const { headers, raw, body } = endpoint.posts[0];
  assert.match(hook.secret, /^whsec_[A-Za-z0-9+/]{32,}={0,2}$/);
  assert.equal(headers['webhook-id'], body.id);
  assert.match(body.id, /^evt_/);
  const timestamp = headers['webhook-timestamp'];
  assert.ok(Math.abs(Date.now() / 1000 - Number(timestamp)) < 60);
  assert.equal(headers['webhook-signature'], standardSignature(hook.secret, body.id, timestamp, raw));
  const guide = headers['x-webhook-signature'].match(/^t=(\d+),v1=([0-9a-f]{64})$/);
  assert.ok(guide, headers['x-webhook-signature']);
  assert.equal(guide[2], guideSignature(hook.secret, guide[1], raw));
  assert.match(headers['content-type'], /^application\/json/);
});

test('each event carries what the contract says', async () => {
  const endpoint = await listening();
  const { customer } = await customerWith(endpoint);
  const contact = await customer.contact();
  const sent = await customer.send(contact.id, 'x', { external_ref: 'INV-1' });
  await endpoint.event('message_read');
  await customer.inbound(contact.phone, 'PAY123');
  const received = await endpoint.event('message_received');
  for (const [event, time] of [['message_sent', 'sent_at'], ['message_delivered', 'delivered_at'], ['message_read', 'read_at']]) {
    const [found] = endpoint.events(event);
    assert.equal(found.tenant_id, customer.tenantId);
    assert.equal(found.data.message_id, sent.message_id);
    assert.equal(found.data.contact_id, contact.id);
    assert.equal(found.data.external_ref, 'INV-1');
    assert.match(found.data[time], /^\d{4}-.*Z$/);
    assert.match(found.created_at, /^\d{4}-.*Z$/);
  }
  assert.equal(received.data.contact_id, contact.id);
  assert.equal(received.data.phone_number, contact.phone);
  assert.equal(received.data.message_type, 'text');
  assert.equal(received.data.message_body, 'PAY123');
  assert.match(received.data.message_id, /^msg_/);
  assert.match(received.data.received_at, /Z$/);
  const sequences = endpoint.events().map((e) => e.sequence);
  assert.deepEqual(sequences, [...sequences].sort((a, b) => a - b));
  assert.equal(new Set(sequences).size, sequences.length);
});

test('incoming media: message_body is the caption or "", the file is on this api', async () => {
  const endpoint = await listening();
  const files = await listening();
  files.server.removeAllListeners('request');
  files.server.on('request', (req, res) => res.writeHead(200, { 'Content-Type': 'image/png' }).end('png-bytes'));
  const { customer } = await customerWith(endpoint, ['message_received']);
  const answer = await customer.inbound(newPhone(), '', { media_url: `http://127.0.0.1:${files.port}/photo.png` });
  assert.equal(answer.status, 202, JSON.stringify(answer.data));
  const { data } = await endpoint.event('message_received');
  assert.equal(data.message_body, '');
  assert.ok(data.media_url.startsWith(stack.url), data.media_url);
  const media = await fetch(data.media_url);
  assert.equal(media.status, 200);
  assert.equal(await media.text(), 'png-bytes');
});

test('only the events asked for come', async () => {
  const endpoint = await listening();
  const { customer } = await customerWith(endpoint, ['message_delivered']);
  const contact = await customer.contact();
  const sent = await customer.send(contact.id, 'x');
  await customer.reaches(sent.message_id, 'read');
  await endpoint.event('message_delivered');
  const second = await customer.send(contact.id, 'y');
  await endpoint.event('message_delivered', (e) => e.data.message_id === second.message_id);
  assert.ok(endpoint.events().every((e) => e.event === 'message_delivered'));
});

test('a failed delivery is repeated: same id and body, fresh timestamp, valid signature', async () => {
  let failures = 2;
  const endpoint = await listening(() => (failures-- > 0 ? 500 : 200));
  const { customer, hook } = await customerWith(endpoint, ['message_read']);
  const contact = await customer.contact();
  await customer.send(contact.id, 'x');
  await until('three attempts', () => endpoint.posts.length === 3);
  assert.equal(new Set(endpoint.posts.map((p) => p.headers['webhook-id'])).size, 1);
  assert.equal(new Set(endpoint.posts.map((p) => p.raw.toString())).size, 1);
  for (const post of endpoint.posts) {
    assert.equal(post.headers['webhook-signature'], standardSignature(hook.secret, post.body.id, post.headers['webhook-timestamp'], post.raw));
  }
  const log = await until('the log to say delivered', async () => {
    const { data } = await customer.get(`/webhooks/${hook.webhook_id}/deliveries`);
    return data[0]?.status === 'delivered' && data;
  });
  assert.equal(log.length, 1);
  assert.equal(log[0].event_id, endpoint.posts[0].body.id);
  assert.equal(JSON.stringify(log[0].attempts.map((a) => a.http_status)), '[500,500,200]');
});

test('redirects are failures and are not followed', async () => {
  const target = await listening();
  let redirects = 1;
  const endpoint = await listening(() => (redirects-- > 0 ? { status: 302, headers: { Location: target.url } } : 200));
  const { customer } = await customerWith(endpoint, ['message_read']);
  const contact = await customer.contact();
  await customer.send(contact.id, 'x');
  await until('the second attempt', () => endpoint.posts.length === 2);
  assert.equal(target.posts.length, 0);
});

test('410 disables the endpoint', async () => {
  const endpoint = await listening(() => 410);
  const { customer, hook } = await customerWith(endpoint, ['message_read']);
  const contact = await customer.contact();
  await customer.send(contact.id, 'x');
  const disabled = await until('the endpoint to be disabled', async () => {
    const { data } = await customer.get(`/webhooks/${hook.webhook_id}`);
    return (data.disabled_reason || data.status === 'disabled' || data.disabled_at) && data;
  });
  assert.ok(disabled);
  await customer.send(contact.id, 'y');
  assert.equal(endpoint.posts.length, 1);
});

test('Retry-After is honoured', async () => {
  let first = true;
  const endpoint = await listening(() => {
    if (!first) return 200;
    first = false;
    return { status: 429, headers: { 'Retry-After': '2' } };
  });
  const { customer } = await customerWith(endpoint, ['message_read']);
  const contact = await customer.contact();
  await customer.send(contact.id, 'x');
  await until('the second attempt', () => endpoint.posts.length === 2);
  assert.ok(endpoint.posts[1].at - endpoint.posts[0].at >= 1900, `${endpoint.posts[1].at - endpoint.posts[0].at} ms`);
});

test('while an endpoint takes nothing, everything waits in order', async () => {
  let down = true;
  const endpoint = await listening(() => (down ? 503 : 200));
  const { customer } = await customerWith(endpoint, ['message_read']);
  const contact = await customer.contact();
  const ids = [];
  for (let i = 0; i < 10; i++) ids.push((await customer.send(contact.id, `m${i}`)).message_id);
  await customer.reaches(ids.at(-1), 'read');
  await until('an attempt', () => endpoint.posts.length > 0);
  down = false;
  const from = endpoint.posts.length;
  await until('all to arrive', () => new Set(endpoint.posts.slice(from).map((p) => p.body.id)).size === 10);
  assert.deepEqual(endpoint.posts.slice(from).map((p) => p.body.data.message_id), ids);
});

test('an event that its endpoint alone refuses holds its contact for a while, then goes beside', async () => {
  let poison;
  const endpoint = await listening((post) => (post.body.data.message_id === poison ? 500 : 200));
  const { customer } = await customerWith(endpoint, ['message_read']);
  const contact = await customer.contact();
  const other = await customer.contact();
  poison = (await customer.send(contact.id, 'refused')).message_id;
  const later = (await customer.send(contact.id, 'later')).message_id;
  const free = (await customer.send(other.id, 'free')).message_id;
  await endpoint.event('message_read', (e) => e.data.message_id === free);
  assert.ok(!endpoint.events().some((e) => e.data.message_id === later), 'held behind the refused one');
  await endpoint.event('message_read', (e) => e.data.message_id === later);
});

test('a slow endpoint does not slow another', async () => {
  const slow = await listening(() => null);
  const quick = await listening();
  const a = await customerWith(slow, EVERYTHING);
  const b = await customerWith(quick, ['message_read']);
  for (let i = 0; i < 20; i++) {
    const contact = await a.customer.contact();
    await a.customer.send(contact.id, 'x');
  }
  await until('the slow one to be called', () => slow.posts.length > 0);
  const contact = await b.customer.contact();
  const sent = await b.customer.send(contact.id, 'x');
  const begun = Date.now();
  await quick.event('message_read', (e) => e.data.message_id === sent.message_id);
  assert.ok(Date.now() - begun < 20_000);
});

test('webhooks are listed, changed, paused, deleted, tested', async () => {
  const endpoint = await listening();
  const { customer, hook } = await customerWith(endpoint, ['message_read']);
  const listed = (await customer.get('/webhooks')).data;
  assert.deepEqual(listed.map((w) => w.webhook_id), [hook.webhook_id]);
  assert.equal(listed[0].secret, undefined);
  const tested = await customer.post(`/webhooks/${hook.webhook_id}/test`, {});
  assert.equal(tested.status, 202, JSON.stringify(tested.data));
  const event = await endpoint.event('test');
  assert.equal(event.id, tested.data.event_id);
  const changed = await customer.http.patch(`/webhooks/${hook.webhook_id}`, { events: ['message_failed'] });
  assert.equal(changed.status, 200, JSON.stringify(changed.data));
  assert.deepEqual(changed.data.events, ['message_failed']);
  const removed = await customer.http.delete(`/webhooks/${hook.webhook_id}`);
  assert.ok([200, 204].includes(removed.status));
  assert.equal((await customer.get(`/webhooks/${hook.webhook_id}`)).status, 404);
  assert.deepEqual((await customer.get('/webhooks')).data, []);
});

test('a webhook that makes no sense is refused by field', async () => {
  const customer = await newCustomer(stack);
  const good = { url: 'http://127.0.0.1:9/x', events: ['message_sent'], active: true };
  for (const [field, body] of [
    ['url', { ...good, url: 'not a url' }],
    ['url', { ...good, url: 'file:///etc/passwd' }],
    ['url', { ...good, url: 'http://user:pw@127.0.0.1/x' }],
    ['url', { events: ['message_sent'] }],
    ['events', { ...good, events: [] }],
    ['events', { ...good, events: ['message_eaten'] }],
    ['events', { ...good, events: 'message_sent' }],
    ['active', { ...good, active: 'yes' }],
  ]) {
    const answer = await customer.post('/webhooks/register', body);
    assert.equal(answer.status, 422, `${field}: ${answer.status} ${JSON.stringify(answer.data)}`);
    assert.ok(answer.data.errors.some((e) => e.field.startsWith(field)), JSON.stringify(answer.data.errors));
  }
});

test('GET /events tells what an endpoint missed, from any point on', async () => {
  const customer = await newCustomer(stack, { permissions: ['messages:send', 'contacts:create', 'contacts:read', 'events:read'] });
  const contact = await customer.contact();
  const first = await customer.send(contact.id, 'one');
  await customer.reaches(first.message_id, 'read');
  const page = await until('three events', async () => {
    const answer = await customer.get('/events');
    return answer.data.length === 3 && answer;
  });
  assert.deepEqual(page.data.map((e) => e.event), ['message_sent', 'message_delivered', 'message_read']);
  const next = page.headers.link.match(/<([^>]+)>;\s*rel="next"/)[1];
  const second = await customer.send(contact.id, 'two');
  await customer.reaches(second.message_id, 'read');
  const more = await until('three more', async () => {
    const answer = await customer.http.get(new URL(next, stack.url).toString());
    return answer.data.length === 3 && answer;
  });
  assert.ok(more.data.every((e) => e.data.message_id === second.message_id));
});
