// What goes wrong between a client and WhatsApp, on demand.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bodyOf, jidOf, newNumber, startAll } from './support/setup.mjs';

let admin, clients, stop, shared;
before(async () => {
  ({ admin, clients, stop } = await startAll());
  shared = await pair({ config: { defaultQueryTimeoutMs: 1000 } });
});
after(() => stop());

async function newContact() {
  const contact = newNumber();
  await admin.phone(contact);
  return { contact, jid: jidOf(contact) };
}

/** A client of its own, for tests that end its connection or count what its phone shows. */
async function pair(options) {
  const business = newNumber();
  const client = await clients.paired(admin, business, options);
  return { business, client, device: client.device.device, ...(await newContact()) };
}

/** The client that most tests share, with a contact of its own for each. */
const meet = async () => ({ ...shared, ...(await newContact()) });

/** What the own phone shows of a chat. */
async function ownCopy(business, chat) {
  const entries = await admin.until(`/phones/${business}/inbox`, (all) => all.some((entry) => entry.chat === chat));
  return entries.find((entry) => entry.chat === chat);
}

async function goAway({ client, business, device }) {
  await client.do('end');
  await admin.until(`/phones/${business}`, ({ companions }) => !companions.find((one) => one.device === device).online);
}

test('what comes while the client is away waits for it, in order, and once acknowledged is gone', async () => {
  const all = await pair();
  const { business, contact, client, jid } = all;
  await goAway(all);
  const { ids } = await admin.write(contact, business, { text: 'line', count: 10 });
  await client.do('connect');
  for (const [i, id] of ids.entries()) {
    const message = await client.next('message', ({ key, content }) => content && key.remoteJid === jid);
    assert.deepEqual([message.key.id, bodyOf(message.content), message.type], [id, `line ${i + 1}`, 'append']);
  }
  await admin.until(`/phones/${business}`, ({ companions }) => companions[0].waiting === 0);
  assert.equal((await admin.get(`/phones/${business}`)).companions[0].gave_routing_info, true);
});

test('receipts wait too', async () => {
  const all = await pair();
  const { business, contact, client, jid } = all;
  await admin.call('PATCH', `/phones/${contact}`, { online: false });
  const id = await client.do('send', jid, { text: 'hello' });
  await client.next('ack', (ack) => ack.id === id);
  await goAway(all);
  await admin.call('PATCH', `/phones/${contact}`, { online: true });
  await admin.inbox(contact, 1);
  // Beside it there may be what its phone greets a new client with.
  await admin.until(`/phones/${business}`, ({ companions }) => companions[0].waiting >= 1);
  await client.do('connect');
  const receipt = await client.next('receipt', (one) => one.id === id);
  assert.match(receipt.offline, /^\d+$/);
});

test('a connection is cut', async () => {
  const { business, client, device } = await pair({ reconnect: true });
  await admin.device(business, device, 'drop');
  assert.equal((await client.next('close')).code, 428);
  await client.next('open');
});

for (const code of [503, 515, 440, 401]) {
  test(`stream error ${code}`, async () => {
    const { business, client, device } = await pair();
    await admin.device(business, device, 'stream-error', { code });
    assert.equal((await client.next('close')).code, code);
  });
}

test('logging in a second time replaces the first connection', async () => {
  const { client } = await pair();
  await client.do('connectBeside');
  assert.equal((await client.next('beside-close')).code, 440);
});

test('a login is refused', async () => {
  const all = await pair();
  const { business, client } = all;
  await goAway(all);
  await client.next('close');
  await admin.fault({ kind: 'login_refused', code: 403, from: business });
  await client.do('connect');
  assert.equal((await client.next('close')).code, 403);
});

test('an unlinked device is told so, and its phone no longer writes to it', async () => {
  const { business, contact, client, device } = await pair();
  await admin.call('DELETE', `/phones/${business}/devices/${device}`);
  assert.equal((await client.next('close')).code, 401);
  await client.do('connect');
  assert.equal((await client.next('close')).code, 401);
  await admin.write(contact, business, { text: 'hello' });
  assert.equal((await admin.inbox(business, 1))[0].body, 'hello');
});

test('a client that logs out is unlinked', async () => {
  const { business, client } = await pair();
  await client.do('call', 'logout');
  await admin.until(`/phones/${business}`, ({ companions }) => companions.length === 0);
});

test('a phone that cannot decrypt asks again and gets it', async () => {
  const { contact, client, jid } = await meet();
  await admin.fault({ kind: 'undecryptable', to: contact });
  const id = await client.do('send', jid, { text: 'once more' });
  const [entry] = await admin.inbox(contact, 1);
  assert.deepEqual([entry.id, entry.body, entry.copies], [id, 'once more', 1]);
  assert.equal((await admin.get(`/phones/${contact}`)).undecryptable, 1);
});

test('a phone that fails twice sends keys for a new session', async () => {
  const { contact, client, jid } = await meet();
  await admin.fault({ kind: 'undecryptable', to: contact, times: 2 });
  await client.do('send', jid, { text: 'third time' });
  assert.equal((await admin.inbox(contact, 1))[0].body, 'third time');
});

test('a client that cannot decrypt asks again and gets it', async () => {
  const { business, contact, client } = await meet();
  await admin.fault({ kind: 'corrupt', from: contact, to: business });
  const { id } = await admin.write(contact, business, { text: 'broken at first' });
  const message = await client.message(id);
  assert.equal(bodyOf(message.content), 'broken at first');
  await admin.receipt(contact, id, 'retry');
});

test('another device of the sender that cannot decrypt asks for it', async () => {
  const { business, contact, client, jid } = await meet();
  await admin.fault({ kind: 'undecryptable', to: business });
  const id = await client.do('send', jid, { text: 'own copy' });
  const own = await ownCopy(business, contact);
  assert.deepEqual([own.id, own.chat, own.body], [id, contact, 'own copy']);
});

test('a message is refused with 463 or 479 and reaches nobody', async () => {
  const { contact, client, jid } = await meet();
  for (const code of [463, 479]) {
    await admin.fault({ kind: 'ack_error', code, to: contact });
    const id = await client.do('send', jid, { text: 'refused' });
    assert.equal((await client.next('ack', (ack) => ack.id === id)).error, String(code));
  }
  await client.do('send', jid, { text: 'taken' });
  assert.deepEqual((await admin.inbox(contact, 1)).map(({ body }) => body), ['taken']);
});

test('without a privacy token a message is refused; a contact who wrote has given one', async () => {
  const { business, contact, client, jid } = await meet();
  const { id: rule } = await admin.fault({ kind: 'tctoken_required', from: business, times: 'always' });
  const refused = await client.do('send', jid, { text: 'no token' });
  assert.equal((await client.next('ack', (ack) => ack.id === refused)).error, '463');
  const { id } = await admin.write(contact, business, { text: 'hello' });
  await client.message(id);
  const { lid } = await admin.get(`/phones/${contact}`);
  await client.until('tokens', (tokens) => tokens.includes(`tctoken ${lid}`));
  const taken = await client.do('send', jid, { text: 'with a token' });
  assert.equal((await client.next('ack', (ack) => ack.id === taken)).error, undefined);
  assert.equal((await admin.inbox(contact, 1))[0].body, 'with a token');
  await admin.until(`/phones/${business}`, ({ tokens_given: given }) => given.includes(contact));
  await admin.call('DELETE', `/faults/${rule}`);
});

test('a lost acknowledgement: the same id again shows once', async () => {
  const { contact, client, jid } = await meet();
  await admin.fault({ kind: 'ack_lost', to: contact });
  const id = await client.do('send', jid, { text: 'once' });
  await admin.inbox(contact, 1);
  await client.do('resend', jid, id);
  assert.equal((await client.next('ack', (ack) => ack.id === id)).error, undefined);
  await client.do('send', jid, { text: 'after' });
  const entries = await admin.inbox(contact, 2);
  assert.deepEqual(entries.map(({ body, copies }) => [body, copies]), [['once', 2], ['after', 1]]);
});

test('a lost message: the same id again arrives', async () => {
  const { contact, client, jid } = await meet();
  await admin.fault({ kind: 'message_lost', to: contact });
  const id = await client.do('send', jid, { text: 'gone' });
  await client.do('resend', jid, id);
  await client.next('ack', (ack) => ack.id === id);
  assert.deepEqual((await admin.inbox(contact, 1)).map(({ copies }) => copies), [1]);
});

test('a connection that is cut instead of the acknowledgement: the same id again shows once', async () => {
  const { contact, client, jid } = await pair({ reconnect: true });
  await admin.fault({ kind: 'ack_cut', to: contact });
  const id = await client.do('send', jid, { text: 'once' });
  assert.equal((await client.next('close')).code, 428);
  await client.next('open');
  await client.do('resend', jid, id);
  await client.next('ack', (ack) => ack.id === id);
  assert.deepEqual((await admin.until(`/phones/${contact}/inbox`, ([entry]) => entry?.copies === 2)).length, 1);
});

test('a late acknowledgement comes after the receipt', async () => {
  const { contact, client, jid } = await meet();
  await admin.fault({ kind: 'ack_slow', ms: 300, to: contact });
  const id = await client.do('send', jid, { text: 'slow' });
  await client.next('receipt', (receipt) => receipt.id === id);
  assert.equal(client.has('ack', (ack) => ack.id === id), false);
  await client.next('ack', (ack) => ack.id === id);
});

test('queries: unanswered, refused, late', async () => {
  const { business, client } = await meet();
  const other = newNumber();
  await admin.phone(other);
  await admin.fault({ kind: 'iq_silent', xmlns: 'usync', from: business });
  assert.equal(await client.do('call', 'onWhatsApp', other), null);
  await admin.fault({ kind: 'iq_error', xmlns: 'usync', code: 429, from: business });
  await assert.rejects(client.do('call', 'onWhatsApp', other), /told to refuse/);
  await admin.fault({ kind: 'iq_slow', xmlns: 'usync', ms: 200, from: business });
  assert.deepEqual(await client.do('call', 'onWhatsApp', other), [{ jid: jidOf(other), exists: true }]);
});

test('a number that is not on WhatsApp is not found, and what is written to it reaches the own phone alone', async () => {
  const { business, client } = await meet();
  const nobody = newNumber();
  assert.deepEqual(await client.do('call', 'onWhatsApp', nobody), []);
  await client.do('send', jidOf(nobody), { text: 'anybody?' });
  assert.equal((await ownCopy(business, nobody)).body, 'anybody?');
});

test('a client uploads more prekeys when few are left', async () => {
  const { business, client, device } = await meet();
  const { pre_keys: before_ } = (await admin.get(`/phones/${business}`)).companions[0];
  await admin.device(business, device, 'use-pre-keys', { leave: 4 });
  await admin.until(`/phones/${business}`, ({ companions }) => companions[0].pre_keys > 4);
  assert.ok(before_ > 4);
  assert.equal(client.has('close'), false);
});

test('what a client must not send is refused with 479', async () => {
  const { business, contact, client, jid } = await meet();
  const stranger = (await newContact()).jid;
  const enc = (type) => ({ tag: 'enc', attrs: { v: '2', type }, content: 'ciphertext' });
  const to = (address, type = 'msg') => ({ tag: 'participants', attrs: {}, content: [{ tag: 'to', attrs: { jid: address }, content: [enc(type)] }] });
  for (const [id, address, content, more] of [
    ['NO-IDENTITY', jid, [to(jid, 'pkmsg')]],
    ['NO-KIND', jid, [to(jid, 'plain')]],
    ['STRANGER', jid, [to(stranger)]],
    ['GROUP', '123-456@g.us', [enc('skmsg')]],
    ['PEER-TOKEN', jidOf(business), [enc('msg'), { tag: 'tctoken', attrs: {}, content: 'token' }], { category: 'peer' }],
  ]) {
    await client.do('call', 'sendNode', { tag: 'message', attrs: { id, to: address, type: 'text', ...more }, content });
    assert.equal((await client.next('ack', (ack) => ack.id === id)).error, '479', id);
  }
  assert.deepEqual(await admin.get(`/phones/${contact}/inbox`), []);
});

test('no query of the clients stayed without an answer, and nothing failed inside', async () => {
  const { failures } = await admin.get('/stats');
  assert.deepEqual(failures.filter((line) => !/told to (fail|refuse)/.test(line)), []);
});
