// Media files in an object store: put, served, sent, shared, deleted; and a store that is away, hangs or refuses.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { newCustomer, newPhone } from './support/customer.mjs';
import { startEndpoint } from './support/endpoint.mjs';
import { ObjectStore, SECRET_KEY } from './support/object_store.mjs';
import { until } from './support/until.mjs';
import { newPhoneOn, newSession, pair, startWhatsApp } from './support/whatsapp.mjs';

const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex');
// More than one part of what the worker asks for at a time.
const LARGE = crypto.randomBytes(700_000);

const store = new ObjectStore();
let stack;
let customer;
let files;
let served = 0;

before(async () => {
  await store.open();
  stack = await startWhatsApp({ env: { ...store.settings(), WA_MEDIA_TIMEOUT: '2s' } });
  customer = await newCustomer(stack);
  files = await startEndpoint();
  files.server.removeAllListeners('request');
  files.server.on('request', (req, res) => {
    served += 1;
    res.writeHead(200, { 'Content-Type': 'image/png' }).end(req.url === '/large.png' ? LARGE : `bytes of ${req.url}`);
  });
});
after(async () => {
  await files?.close();
  await stack?.stop();
  await store.close();
});

const urlOf = (name) => `http://127.0.0.1:${files.port}/${name}`;

async function writes(phone, name, by = customer) {
  const answer = await by.inbound(phone, '', { media_url: urlOf(name) });
  assert.equal(answer.status, 202, JSON.stringify(answer.data));
}

async function newestOf(phone, by = customer) {
  const contact = (await by.get('/contacts', { params: { phone } })).data[0];
  return contact && (await by.get(`/conversations/${contact.id}/messages`)).data.at(-1);
}

/** A message with this file comes in; as GET /messages shows it. */
async function received(name, { phone = newPhone(), by = customer } = {}) {
  await writes(phone, name, by);
  return until(`the message with ${name}`, () => newestOf(phone, by));
}

async function rowOf(hash) {
  return (await stack.sql('SELECT object, bytes IS NULL AS elsewhere, size_bytes::int FROM media WHERE sha256 = $1', [hash]))[0];
}

test('a file that comes in lies in the store alone, and is served from there', async () => {
  const message = await received('one.png');
  assert.equal(message.media_sha256, sha256('bytes of /one.png'));
  const row = await rowOf(message.media_sha256);
  assert.equal(row.elsewhere, true);
  assert.match(row.object, new RegExp(`^${message.media_sha256}-[0-9a-f]{16}$`));
  assert.equal(store.objects.get(row.object).toString(), 'bytes of /one.png');
  const answer = await fetch(message.media_url);
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), 'bytes of /one.png');
  assert.equal(answer.headers.get('content-type'), 'image/png');
  assert.equal(answer.headers.get('content-disposition'), 'attachment');
  assert.deepEqual(await stack.sql('SELECT object FROM media_loose'), [], 'nothing is left loose');
});

test('a file that is kept already is not put again', async () => {
  const puts = store.count('PUT');
  const [a, b] = [await received('twice.png'), await received('twice.png')];
  assert.equal(a.media_sha256, b.media_sha256);
  assert.equal(store.count('PUT'), puts + 1);
  assert.equal(await (await fetch(b.media_url)).text(), 'bytes of /twice.png');
});

test('a file that is sent is fetched once, put, and sent', async () => {
  const contact = await customer.contact();
  const sent = await customer.send(contact.id, undefined, { message_type: 'image', media_url: urlOf('sent.png') });
  await customer.reaches(sent.message_id, 'read');
  const [shown] = await customer.outbox(contact.phone);
  assert.equal(shown.media_sha256, sha256('bytes of /sent.png'));
  assert.equal((await rowOf(shown.media_sha256)).elsewhere, true);
  const media = await customer.get(`/media/${shown.media_sha256}`, { responseType: 'text' });
  assert.equal(media.data, 'bytes of /sent.png');
});

let session;
let ours;
let erika;

test('a real session sends from the store, part by part, and keeps there what comes', async () => {
  session = await newSession(stack);
  ours = await newPhoneOn(stack, { name: 'Finance' });
  erika = await newPhoneOn(stack, { reads: true });
  await pair(session, ours);
  const contact = await session.customer.contact(`+${erika.number}`);
  const sent = await session.customer.send(contact.id, undefined, { message_type: 'image', media_url: urlOf('large.png') });
  const shown = await erika.shows('the picture', (m) => m.type === 'image');
  assert.equal(shown.media.sha256, sha256(LARGE));
  await session.customer.reaches(sent.message_id, 'read');
  const mine = crypto.randomBytes(300_000);
  await erika.write(ours, { type: 'document', data: mine.toString('base64'), mime: 'application/pdf', file_name: 'id.pdf' });
  const message = await until('the document', async () => {
    const newest = await newestOf(contact.phone, session.customer);
    return newest.message_type === 'document' && newest;
  });
  assert.equal(message.media_sha256, sha256(mine));
  assert.deepEqual(store.objects.get((await rowOf(message.media_sha256)).object), mine);
  const answer = await fetch(message.media_url);
  assert.equal(sha256(Buffer.from(await answer.arrayBuffer())), sha256(mine));
});

for (const [how, harm, mend] of [
  ['is away', () => store.close(), () => store.open(store.port)],
  ['never answers', () => { store.mode = 'hang'; }, () => { store.mode = 'well'; }],
  ['refuses', () => { store.mode = 'deny'; }, () => { store.mode = 'well'; }],
]) {
  test(`while the store ${how} files wait, all else goes on, and then they arrive`, async () => {
    const slug = how.replaceAll(' ', '-');
    const before = await received(`before-${slug}.png`);
    const phone = newPhone();
    const contact = await customer.contact();
    const other = await customer.contact();
    await harm();
    const servedBefore = served;
    await writes(phone, `while-${slug}.png`);
    const waiting = await customer.send(contact.id, undefined, { message_type: 'image', media_url: urlOf(`out-${slug}.png`) });
    await until('both files to be fetched', () => served === servedBefore + 2);
    const text = await customer.send(other.id, 'a text');
    await customer.reaches(text.message_id, 'read');
    const from = newPhone();
    assert.equal((await customer.inbound(from, 'another text')).status, 202);
    assert.equal((await until('the other text', () => newestOf(from))).message_body, 'another text');
    const answer = await fetch(before.media_url);
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.headers.get('retry-after')) > 0);
    assert.equal((await answer.json()).type, '/docs/errors#media_unavailable');
    await until('a failure in the log', async () => /at=media_put_failed/.test(await stack.log('gateway-1')));
    assert.equal(await newestOf(phone), undefined, 'not shown before its file is kept');
    assert.equal((await customer.message(waiting.message_id)).status, 'queued');
    await mend();
    const message = await until('the file that came in', () => newestOf(phone));
    assert.equal(await (await fetch(message.media_url)).text(), `bytes of /while-${slug}.png`);
    await customer.reaches(waiting.message_id, 'read');
    assert.equal(served, servedBefore + 2, 'what was fetched once is not fetched again');
    assert.equal(await (await fetch(before.media_url)).text(), `bytes of /before-${slug}.png`);
  });
}

test('a real session that cannot keep a file for long connects anew and is offered it again', async () => {
  const contact = await session.customer.contact(`+${erika.number}`);
  const mine = crypto.randomBytes(1000);
  store.mode = 'hang';
  await erika.write(ours, { type: 'document', data: mine.toString('base64'), mime: 'application/pdf', file_name: 'late.pdf' });
  await until('the session to give up', async () => (await stack.log('gateway-1')).includes('files cannot be kept now'), 90_000);
  store.mode = 'well';
  const message = await until('the document', async () => {
    const newest = await newestOf(contact.phone, session.customer);
    return newest.filename === 'late.pdf' && newest;
  }, 90_000);
  assert.equal(message.media_sha256, sha256(mine));
  const all = (await session.customer.get(`/conversations/${contact.id}/messages`)).data;
  assert.equal(all.filter((m) => m.filename === 'late.pdf').length, 1);
});

test('erasing the last message of a file deletes it from the store, others stay', async () => {
  const [kept, phone] = [await received('shared.png'), newPhone()];
  await received('shared.png', { phone });
  await writes(phone, 'gone.png');
  const gone = await until('the second file', async () => {
    const newest = await newestOf(phone);
    return newest.media_sha256 === sha256('bytes of /gone.png') && newest;
  });
  const { object } = await rowOf(gone.media_sha256);
  assert.ok(store.objects.has(object));
  assert.equal((await customer.http.delete(`/contacts/${gone.contact_id}`)).status, 204);
  assert.equal((await fetch(gone.media_url)).status, 404);
  await until('the object to be deleted', () => !store.objects.has(object), 20_000);
  await until('it to be forgotten', async () => (await stack.sql('SELECT FROM media_loose WHERE object = $1', [object])).length === 0);
  assert.equal(await (await fetch(kept.media_url)).text(), 'bytes of /shared.png');
});

test('what was begun to be put and never finished is deleted, and what is being put is not', async () => {
  const [old, young] = ['0'.repeat(64) + '-old', '0'.repeat(64) + '-young'];
  store.objects.set(old, Buffer.from('x')).set(young, Buffer.from('y'));
  await stack.sql(`INSERT INTO media_loose (object, created_at) VALUES ($1, now() - interval '16 minutes'), ($2, now())`, [old, young]);
  await until('the old one to be deleted', () => !store.objects.has(old), 30_000);
  await until('it to be forgotten', async () => (await stack.sql('SELECT FROM media_loose WHERE object = $1', [old])).length === 0);
  assert.ok(store.objects.has(young));
  await stack.sql('DELETE FROM media_loose WHERE object = $1', [young]);
});

test('every request was signed, and no log holds the key', async () => {
  const faults = store.requests.filter((r) => r.code && r.code !== 'AccessDenied');
  assert.deepEqual(faults, []);
  const logs = await readdir(path.join(stack.data, 'log'));
  for (const name of logs) {
    const text = await readFile(path.join(stack.data, 'log', name), 'utf8');
    assert.ok(!text.includes(SECRET_KEY), name);
  }
  assert.match(await stack.log('gateway-1'), /at=media_put_failed .*AccessDenied/);
});

test('back in Postgres, what lies in the store is still served and sent', async () => {
  const there = await received('there.png');
  await stack.down();
  stack.env.WA_MEDIA_STORE = 'postgres';
  await stack.up();
  assert.equal(await (await fetch(`${stack.url}${new URL(there.media_url).pathname}`, { headers: { 'X-API-Key': customer.apiKey } })).text(), 'bytes of /there.png');
  const here = await received('here.png');
  assert.equal((await rowOf(here.media_sha256)).elsewhere, false);
  assert.equal(await (await fetch(here.media_url)).text(), 'bytes of /here.png');
  const again = await received('there.png');
  assert.equal(await (await fetch(again.media_url)).text(), 'bytes of /there.png');
});
