// Text both ways, receipts, own devices, LIDs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bodyOf, jidOf, newNumber, startAll } from './support/setup.mjs';

let admin, clients, stop, client;
const business = newNumber();
before(async () => {
  ({ admin, clients, stop } = await startAll());
  client = await clients.paired(admin, business);
});
after(() => stop());

async function newContact(settings) {
  const number = newNumber();
  await admin.phone(number, { name: 'Erika', ...settings });
  return number;
}

test('a text to a contact is decrypted by its phone and by the own one, acknowledged and reported as delivered', async () => {
  const contact = await newContact();
  const id = await client.do('send', jidOf(contact), { text: 'Your loan is due' });
  const [entry] = await admin.inbox(contact, 1);
  assert.deepEqual(
    { id: entry.id, from: entry.from, type: entry.type, body: entry.body, copies: entry.copies, from_me: entry.from_me },
    { id, from: business, type: 'text', body: 'Your loan is due', copies: 1, from_me: false },
  );
  const own = (await admin.inbox(business, 1)).find((one) => one.id === id);
  assert.deepEqual([own.body, own.from_me, own.chat], ['Your loan is due', true, contact]);
  assert.equal((await client.next('ack', (ack) => ack.id === id)).error, undefined);
  await client.next('receipt', (receipt) => receipt.id === id && receipt.type === undefined);
});

test('a text of a contact is decrypted by the client and shown on the own phone', async () => {
  const contact = await newContact();
  const { id } = await admin.write(contact, business, { text: 'I will pay tomorrow' });
  const message = await client.message(id);
  assert.equal(bodyOf(message.content), 'I will pay tomorrow');
  assert.equal(message.key.remoteJid, jidOf(contact));
  assert.equal(message.key.fromMe, false);
  assert.equal(message.pushName, 'Erika');
  await admin.until(`/phones/${business}/inbox`, (entries) => entries.some((entry) => entry.id === id && !entry.from_me));
});

test('many texts come in order, both ways', async () => {
  const contact = await newContact();
  const { ids } = await admin.write(contact, business, { text: 'line', count: 50 });
  for (const [i, id] of ids.entries()) {
    const message = await client.next('message', ({ key, content }) => content && key.remoteJid === jidOf(contact));
    assert.deepEqual([message.key.id, bodyOf(message.content)], [id, `line ${i + 1}`]);
  }
  const sent = [];
  for (let i = 1; i <= 50; i++) sent.push(await client.do('send', jidOf(contact), { text: `answer ${i}` }));
  const entries = await admin.inbox(contact, 50);
  assert.deepEqual(entries.map(({ id, body, copies }) => [id, body, copies]), sent.map((id, i) => [id, `answer ${i + 1}`, 1]));
});

test('a contact that opens the chat sends a read receipt; one that has set so does at once', async () => {
  const [slow, quick] = [await newContact(), await newContact({ reads: true })];
  const first = await client.do('send', jidOf(slow), { text: 'one' });
  await admin.inbox(slow, 1);
  await admin.post(`/phones/${slow}/read`, { from: business, ids: [first] });
  await client.next('receipt', ({ id, type }) => id === first && type === 'read');
  const second = await client.do('send', jidOf(quick), { text: 'two' });
  await client.next('receipt', ({ id, type }) => id === second && type === 'read');
});

test('a phone that is offline reads later', async () => {
  const contact = await newContact({ online: false });
  const id = await client.do('send', jidOf(contact), { text: 'later' });
  await client.next('ack', (ack) => ack.id === id);
  assert.deepEqual(await admin.get(`/phones/${contact}/inbox`), []);
  await admin.call('PATCH', `/phones/${contact}`, { online: true });
  assert.equal((await admin.inbox(contact, 1))[0].body, 'later');
});

test("the client's receipts reach the contact: inactive, then delivered once it is available, then read", async () => {
  const contact = await newContact();
  const first = await admin.write(contact, business, { text: 'one' });
  await client.message(first.id);
  assert.deepEqual((await admin.receipt(contact, first.id, 'inactive')).receipts.map(({ type, from, from_device: device }) => [type, from, device]).sort(), [
    ['delivery', business, 0],
    ['inactive', business, client.device.device],
  ]);
  await client.do('setName', 'Finance');
  await client.do('call', 'sendPresenceUpdate', 'available');
  const second = await admin.write(contact, business, { text: 'two' });
  const { key } = await client.message(second.id);
  await admin.until(`/phones/${contact}/sent/${second.id}`, ({ receipts }) => receipts.some((one) => one.type === 'delivery' && one.from_device > 0));
  await client.do('call', 'readMessages', [key]);
  await admin.receipt(contact, second.id, 'read');
});

test('what is typed on the own phone comes to the client as its own', async () => {
  const contact = await newContact();
  const { id } = await admin.write(business, contact, { text: 'typed by hand' });
  const message = await client.message(id);
  assert.deepEqual([message.key.fromMe, message.key.remoteJid, bodyOf(message.content)], [true, jidOf(contact), 'typed by hand']);
  assert.equal((await admin.inbox(contact, 1))[0].from_device, 0);
});

test('a second client of the number sees what the first one sent', async () => {
  const other = await clients.paired(admin, business);
  const contact = await newContact();
  const id = await client.do('send', jidOf(contact), { text: 'from the first' });
  const message = await other.message(id);
  assert.deepEqual([message.key.fromMe, bodyOf(message.content)], [true, 'from the first']);
  await admin.call('DELETE', `/phones/${business}/devices/${other.device.device}`);
});

test('a contact is one and the same by LID and by number', async () => {
  const contact = await newContact();
  const { lid } = await admin.get(`/phones/${contact}`);
  const { id } = await admin.write(contact, business, { text: 'by LID', addressing: 'lid' });
  const message = await client.message(id);
  assert.deepEqual([message.key.remoteJid, message.key.remoteJidAlt, bodyOf(message.content)], [lid, jidOf(contact), 'by LID']);
  await client.do('send', lid, { text: 'answer by LID' });
  await client.do('send', jidOf(contact), { text: 'answer by number' });
  const entries = await admin.inbox(contact, 2);
  assert.deepEqual(entries.map(({ body, addressing }) => [body, addressing]), [['answer by LID', 'lid'], ['answer by number', 'pn']]);
});

test('a contact may hide its number behind the LID', async () => {
  const contact = await newContact();
  const { lid } = await admin.get(`/phones/${contact}`);
  const { id } = await admin.write(contact, business, { text: 'who am I', addressing: 'lid', hide_number: true });
  const { key } = await client.message(id);
  assert.deepEqual([key.remoteJid, key.remoteJidAlt], [lid, undefined]);
});

test('typing is seen by the contact', async () => {
  const contact = await newContact();
  await client.do('call', 'sendPresenceUpdate', 'composing', jidOf(contact));
  await admin.until(`/phones/${contact}`, ({ typing }) => typing[business] === 'composing');
  await client.do('call', 'sendPresenceUpdate', 'paused', jidOf(contact));
  const states = await admin.get(`/phones/${contact}/chatstates?wait=2`);
  assert.deepEqual(states, ['composing', 'paused'].map((state) => ({ from: business, state, shown: 0 })));
});

test('a fresh client learns its name and LIDs from the phone', async () => {
  const number = newNumber();
  await admin.phone(number, { name: 'Named Finance' });
  const fresh = await clients.paired(admin, number, { history: true });
  await fresh.next('creds', ({ me }) => me?.name === 'Named Finance');
});
