// Linking a client: by QR, by code, and what must be refused.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newNumber, startAll } from './support/setup.mjs';

let admin, clients, stop;
before(async () => ({ admin, clients, stop } = await startAll()));
after(() => stop());

test('a scanned QR code links a client, which logs in after the restart that WhatsApp asks for', async () => {
  const number = newNumber();
  await admin.phone(number, { name: 'Finance' });
  const client = await clients.make('qr');
  await client.do('connect');
  const qr = await client.next('qr');
  assert.match(qr, /^https:\/\/wa\.me\/settings\/linked_devices#/);
  const device = await admin.post(`/phones/${number}/scan`, { qr });
  assert.equal(device.jid, `${number}:1@s.whatsapp.net`);
  assert.equal((await client.next('close')).code, 515);
  assert.deepEqual(await client.next('open'), { id: device.jid, lid: device.lid });
  const { companions } = await admin.get(`/phones/${number}`);
  assert.equal(companions[0].online, true);
  assert.ok(companions[0].pre_keys >= 800);
});
