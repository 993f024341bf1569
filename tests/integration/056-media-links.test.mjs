// Media of messages that came in: by a link that needs no key, cannot be guessed, and expires.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { newCustomer, newPhone, operator } from './support/customer.mjs';
import { startEndpoint } from './support/endpoint.mjs';
import { sharedStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

const HOUR_S = 3600;
const ALL = ['messages:send', 'contacts:read', 'contacts:create', 'events:read'];
const open = [];
let stack;
let customer;
let files;

async function listening(answer) {
  const endpoint = await startEndpoint(answer);
  open.push(endpoint);
  return endpoint;
}

before(async () => {
  stack = await sharedStack();
  customer = await newCustomer(stack, { permissions: ALL });
  files = await listening();
  files.server.removeAllListeners('request');
  files.server.on('request', (req, res) => {
    if (req.url === '/gone.png') res.writeHead(404).end();
    else if (req.url === '/large.png') res.writeHead(200, { 'Content-Type': 'image/png' }).end(Buffer.alloc(16 * 1024 * 1024, 'x'));
    else res.writeHead(200, { 'Content-Type': req.url.endsWith('.html') ? 'text/html' : 'image/png' }).end(`bytes of ${req.url}`);
  });
});
after(async () => {
  for (const endpoint of open) await endpoint.close();
  await stack?.release();
});

/** A message with this file comes in; as GET /messages shows it. */
async function received(name, by = customer) {
  const phone = newPhone();
  const answer = await by.inbound(phone, '', { media_url: `http://127.0.0.1:${files.port}/${name}` });
  assert.equal(answer.status, 202, JSON.stringify(answer.data));
  const contact = await until('the contact of who wrote', async () => (await by.get('/contacts', { params: { phone } })).data[0]);
  return until('the message', async () => (await by.get(`/conversations/${contact.id}/messages`)).data[0]);
}

/** A link, made apart from the product's code. */
async function linkOf(tenantId, sha256, expires) {
  const master = Buffer.from((await readFile(path.join(stack.data, 'secrets/master_key'), 'utf8')).trim(), 'hex');
  const key = crypto.createHmac('sha256', master).update('wa media link v1').digest();
  const signature = crypto.createHmac('sha256', key).update(`${tenantId}.${sha256}.${expires}`).digest('hex');
  return `${stack.url}/api/v1/media/${sha256}?tenant=${tenantId}&expires=${expires}&signature=${signature}`;
}

async function newKey(permissions, strict) {
  const answer = await operator(stack).post(`/tenants/${customer.tenantId}/api-keys`, { name: 'narrow', permissions, strict });
  assert.equal(answer.status, 201, JSON.stringify(answer.data));
  return answer;
}

async function refused(url, status, type, headers = {}) {
  const answer = await fetch(url, { headers });
  assert.equal(answer.status, status, url);
  assert.equal(answer.headers.get('content-type'), 'application/problem+json');
  const problem = await answer.json();
  assert.equal(problem.type, `/docs/errors#${type}`);
  assert.ok(!JSON.stringify(problem).includes('signature='), 'a problem document repeats no link');
  return problem;
}

test('GET /messages, /conversations and /events show a link that works without a header, as an attachment', async () => {
  const message = await received('photo.png');
  const url = new URL(message.media_url);
  assert.equal(url.origin, stack.url);
  assert.equal(url.pathname, `/api/v1/media/${message.media_sha256}`);
  assert.ok(Math.abs(Number(url.searchParams.get('expires')) - (Date.now() / 1000 + HOUR_S)) < 60);
  assert.equal(message.media_url, await linkOf(customer.tenantId, message.media_sha256, url.searchParams.get('expires')));
  const answer = await fetch(url);
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), 'bytes of /photo.png');
  assert.equal(answer.headers.get('content-type'), 'image/png');
  assert.equal(answer.headers.get('content-disposition'), 'attachment');
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  assert.match(answer.headers.get('content-security-policy'), /default-src 'none'; sandbox/);
  assert.equal(answer.headers.get('referrer-policy'), 'no-referrer');
  assert.match(answer.headers.get('cache-control'), /no-store/);
  const head = await fetch(url, { method: 'HEAD' });
  assert.equal(head.status, 200);
  for (const shown of [await customer.message(message.message_id), (await customer.get('/messages')).data.find((m) => m.message_id === message.message_id)]) {
    assert.equal((await fetch(shown.media_url)).status, 200);
  }
  const event = await until('its event', async () => (await customer.get('/events')).data.find((e) => e.data.message_id === message.message_id));
  assert.equal((await fetch(event.data.media_url)).status, 200);
  const byKey = await customer.get(`/media/${message.media_sha256}`, { responseType: 'text' });
  assert.equal(byKey.status, 200, 'a key still does without a link');
  assert.equal((await fetch(`${stack.url}/api/v1/media/${message.media_sha256}`)).status, 401, 'and nothing does without either');
});

test('a page that somebody sent cannot run here', async () => {
  const answer = await fetch((await received('page.html')).media_url);
  assert.equal(answer.headers.get('content-type'), 'text/html');
  assert.equal(answer.headers.get('content-disposition'), 'attachment');
  assert.match(answer.headers.get('content-security-policy'), /sandbox/);
});

test('a link that was changed, cut short or made for another tenant is refused, whatever key comes with it', async () => {
  const message = await received('secret.png');
  const other = await newCustomer(stack);
  const theirs = await received('theirs.png', other);
  const change = (edit) => {
    const url = new URL(message.media_url);
    edit(url);
    return url.toString();
  };
  const set = (name, value) => change((url) => url.searchParams.set(name, value));
  const { searchParams } = new URL(message.media_url);
  const signature = searchParams.get('signature');
  for (const url of [
    set('signature', signature.replace(/.$/, (c) => (c === '0' ? '1' : '0'))),
    set('signature', signature.slice(0, -2)),
    set('signature', ''),
    set('signature', 'x'.repeat(64)),
    set('expires', Number(searchParams.get('expires')) + 1),
    set('expires', '99999999999999999999'),
    set('tenant', other.tenantId),
    set('tenant', 0),
    change((u) => u.searchParams.delete('signature')),
    change((u) => u.searchParams.delete('expires')),
    change((u) => u.searchParams.delete('tenant')),
    change((u) => { u.pathname = u.pathname.replace(message.media_sha256, theirs.media_sha256); }),
    `${message.media_url.slice(0, -2)}%zz`,
    message.media_url.replace(/&.*/, ''), // what a shell makes of it without quotes
  ]) {
    await refused(url, 403, 'link_invalid');
    await refused(url, 403, 'link_invalid', { 'X-API-Key': customer.apiKey });
  }
  // Signed by us for a tenant that has no such file: as if there were none.
  await refused(await linkOf(other.tenantId, message.media_sha256, searchParams.get('expires')), 404, 'not_found');
});

test('an expired link says so, and a fresh one works', async () => {
  const message = await received('old.png');
  const now = Math.floor(Date.now() / 1000);
  const problem = await refused(await linkOf(customer.tenantId, message.media_sha256, now - 1), 410, 'link_expired');
  assert.match(problem.detail, /expired at \d{4}-\d\d-\d\dT.*Z; GET .* shows a fresh one/);
  await refused(await linkOf(customer.tenantId, 'f'.repeat(64), now - 1), 410, 'link_expired');
  assert.equal((await fetch((await customer.message(message.message_id)).media_url)).status, 200);
});

test('an erased file is gone, however good its link', async () => {
  const message = await received('erased.png');
  assert.equal((await fetch(message.media_url)).status, 200);
  const erased = await customer.http.delete(`/contacts/${message.contact_id}`);
  assert.equal(erased.status, 204, JSON.stringify(erased.data));
  await refused(message.media_url, 404, 'not_found');
  const shown = await customer.message(message.message_id);
  assert.equal(shown.media_url, null);
  assert.equal(shown.media_sha256, null);
});

test('a key that may not read messages sees no link that works without one', async () => {
  const { data: made } = await newKey(['events:read', 'messages:send'], true);
  const message = await received('closed.png');
  const event = await until('its event', async () => {
    const answer = await fetch(`${stack.url}/api/v1/events?limit=100`, { headers: { 'X-API-Key': made.api_key } });
    return (await answer.json()).find((e) => e.data.message_id === message.message_id);
  });
  assert.equal(event.data.media_url, `${stack.url}/api/v1/media/${message.media_sha256}`);
  const answer = await refused(event.data.media_url, 403, 'forbidden', { 'X-API-Key': made.api_key });
  assert.match(answer.detail, /messages:read/);
  await refused(event.data.media_url, 401, 'unauthorized');
});

test('what a caller sent shows the URL that they gave; what came in never shows where it came from', async () => {
  const contact = await customer.contact();
  const given = `http://127.0.0.1:${files.port}/invoice.png`;
  const sent = await customer.send(contact.id, undefined, { message_type: 'image', media_url: given });
  assert.equal((await customer.reaches(sent.message_id, 'read')).media_url, given);
  const lost = await received('gone.png');
  assert.equal(lost.media_url, null);
});

test('each attempt of a webhook carries a link whose time begins with it', async () => {
  const by = await newCustomer(stack);
  let failures = 3;
  const endpoint = await listening(() => (failures-- > 0 ? 500 : 200));
  await by.webhook(endpoint.url, ['message_received']);
  await received('late.png', by);
  await until('four attempts', () => endpoint.posts.length === 4);
  const expiries = endpoint.posts.map((post) => {
    const expires = Number(new URL(post.body.data.media_url).searchParams.get('expires'));
    const begins = expires - HOUR_S;
    const posted = Number(post.headers['webhook-timestamp']);
    assert.ok(begins <= posted && posted - begins < 10, `begins at ${begins}, posted at ${posted}`);
    return expires;
  });
  assert.ok(expiries[3] > expiries[0], expiries.join());
  const bodies = endpoint.posts.map((post) => ({ ...post.body, data: { ...post.body.data, media_url: '' } }));
  for (const body of bodies) assert.deepEqual(body, bodies[0], 'the rest is the same');
  for (const post of endpoint.posts) assert.equal((await fetch(post.body.data.media_url)).status, 200);
});

test('files that nobody takes fill the memory only so far, and are in nobody\'s way for long', async () => {
  const url = new URL((await received('large.png')).media_url);
  const readers = [];
  const taken = async () => {
    const answer = await fetch(url, { method: 'HEAD' });
    return answer.status;
  };
  await until('the api to hold no more', async () => {
    const reader = net.connect(Number(url.port), url.hostname).pause();
    reader.on('error', () => {});
    reader.write(`GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`);
    readers.push(reader);
    return readers.length > 8 && (await taken()) === 503;
  });
  assert.ok(readers.length < 40, `${readers.length} files of 16 MiB were held`);
  const refusal = await fetch(url);
  assert.equal(refusal.status, 503);
  assert.ok(Number(refusal.headers.get('retry-after')) > 0);
  assert.equal((await refusal.json()).type, '/docs/errors#overloaded');
  assert.equal((await customer.get('/contacts')).status, 200, 'other calls go on');
  for (const reader of readers) reader.destroy();
  await until('room again', async () => (await taken()) === 200);
});

test('the logs hold no link', async () => {
  const message = await received('logged.png');
  assert.equal((await fetch(message.media_url)).status, 200);
  const { searchParams } = new URL(message.media_url);
  const logs = await readdir(path.join(stack.data, 'log'));
  assert.ok(logs.includes('api-1.log') && logs.includes('webhooker-1.log'), logs.join());
  for (const name of logs) {
    const text = await readFile(path.join(stack.data, 'log', name), 'utf8');
    assert.ok(!text.includes(searchParams.get('signature')), name);
  }
});
