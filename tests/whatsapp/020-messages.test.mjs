// Text both ways, receipts, own devices.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bodyOf, jidOf, newNumber, startAll } from './support/setup.mjs';

let admin, clients, stop;
const [business, contact] = [newNumber(), newNumber()];
let client;
before(async () => {
  ({ admin, clients, stop } = await startAll());
  client = await clients.paired(admin, business);
  await admin.phone(contact, { name: 'Erika' });
});
after(() => stop());

test('a text to a contact is decrypted by its phone and by the own one, acknowledged and reported as delivered', async () => {
  const id = await client.do('send', jidOf(contact), { text: 'Your loan is due' });
  const [entry] = await admin.inbox(contact, 1);
  assert.deepEqual(
    { id: entry.id, from: entry.from, type: entry.type, body: entry.body, copies: entry.copies, from_me: entry.from_me },
    { id, from: business, type: 'text', body: 'Your loan is due', copies: 1, from_me: false },
  );
  const [own] = await admin.inbox(business, 1);
  assert.equal(own.body, 'Your loan is due');
  assert.equal(own.from_me, true);
  assert.equal(own.chat, contact);
  assert.equal((await client.next('ack', (ack) => ack.id === id)).error, undefined);
  await client.next('receipt', (receipt) => receipt.id === id && receipt.type === undefined);
});

test('a text of a contact is decrypted by the client and shown on the own phone', async () => {
  const { id } = await admin.write(contact, business, { text: 'I will pay tomorrow' });
  const message = await client.next('message', ({ key }) => key.id === id);
  assert.equal(bodyOf(message.content), 'I will pay tomorrow');
  assert.equal(message.key.remoteJid, jidOf(contact));
  assert.equal(message.key.fromMe, false);
  assert.equal(message.pushName, 'Erika');
  assert.equal((await admin.inbox(business, 2))[1].body, 'I will pay tomorrow');
});
