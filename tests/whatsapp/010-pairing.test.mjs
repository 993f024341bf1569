// Linking a client: by QR, by code, and what must be refused.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newNumber, startAll } from './support/setup.mjs';

let admin, clients, stop;
before(async () => ({ admin, clients, stop } = await startAll()));
after(() => stop());

/** A client that shows its first QR code. */
async function unpaired(name) {
  const client = await clients.make(name);
  await client.do('connect');
  return { client, qr: await client.next('qr') };
}

const status = (code) => (error) => error.status === code || assert.fail(error);

test('a scanned QR code links a client, which logs in after the restart that WhatsApp asks for', async () => {
  const number = newNumber();
  await admin.phone(number, { name: 'Finance' });
  const { client, qr } = await unpaired('qr');
  assert.match(qr, /^https:\/\/wa\.me\/settings\/linked_devices#/);
  const device = await admin.post(`/phones/${number}/scan`, { qr });
  assert.equal(device.jid, `${number}:1@s.whatsapp.net`);
  assert.equal((await client.next('close')).code, 515);
  assert.deepEqual(await client.next('open'), { id: device.jid, lid: device.lid });
  const { companions } = await admin.get(`/phones/${number}`);
  assert.equal(companions[0].online, true);
  assert.ok(companions[0].pre_keys >= 800);
  await assert.rejects(admin.post(`/phones/${number}/scan`, { qr }), status(404));
});

test("the path of Baileys' own end-to-end tests scans for a number that need not be there", async () => {
  const { client, qr } = await unpaired('mock');
  const number = newNumber();
  const device = await admin.post(`/admin/mock-phone/scan-qr?number=${number}`, qr);
  assert.equal(device.jid, `${number}:1@s.whatsapp.net`);
  await client.next('open');
});

test('a second client of the same number is another device', async () => {
  const number = newNumber();
  const first = await clients.paired(admin, number);
  const second = await clients.paired(admin, number);
  assert.deepEqual([first.device.device, second.device.device], [1, 2]);
});

test('a typed pairing code links a client, with and without the dash', async () => {
  for (const typed of ['ABCD1234', 'abcd-1234']) {
    const number = newNumber();
    await admin.phone(number);
    const { client } = await unpaired(`code ${typed}`);
    assert.equal(await client.do('call', 'requestPairingCode', number, 'ABCD1234'), 'ABCD1234');
    await admin.until(`/phones/${number}`, ({ awaits_code: awaits }) => awaits);
    const device = await admin.post(`/phones/${number}/code`, { code: typed });
    assert.equal((await client.next('open')).id, device.jid);
  }
});

test('a wrong pairing code is refused, and so is one that nobody waits for', async () => {
  const number = newNumber();
  await admin.phone(number);
  await assert.rejects(admin.post(`/phones/${number}/code`, { code: 'ABCD1234' }), status(404));
  const { client } = await unpaired('wrong code');
  await client.do('call', 'requestPairingCode', number, 'ABCD1234');
  await admin.until(`/phones/${number}`, ({ awaits_code: awaits }) => awaits);
  await assert.rejects(admin.post(`/phones/${number}/code`, { code: 'ABCD1235' }), status(403));
  assert.equal((await admin.get(`/phones/${number}`)).companions.length, 0);
});

test('who goes away before the code was typed and comes back as if linked is logged out', async () => {
  const number = newNumber();
  await admin.phone(number);
  const { client } = await unpaired('half');
  await client.do('call', 'requestPairingCode', number, 'ABCD1234');
  await admin.until(`/phones/${number}`, ({ awaits_code: awaits }) => awaits);
  await client.do('end');
  await client.next('close');
  await client.do('connect');
  assert.equal((await client.next('close')).code, 401);
});

test('a QR code that nobody shows or that shows other keys is refused', async () => {
  const number = newNumber();
  await admin.phone(number);
  const { qr } = await unpaired('forged');
  const parts = qr.split(',');
  parts[2] = Buffer.alloc(32, 7).toString('base64');
  await assert.rejects(admin.post(`/phones/${number}/scan`, { qr: parts.join(',') }), status(400));
  await assert.rejects(admin.post(`/phones/${number}/scan`, { qr: '2@nothing,a,b,c,1' }), status(404));
});

test('a client whose prekey is not signed by its identity is refused', async () => {
  const client = await clients.make('unsigned');
  await client.do('tamper', 'signed-prekey');
  await client.do('connect');
  assert.equal((await client.next('close')).code, 406);
});

test('a client that does not sign for its own identity is not linked', async () => {
  const number = newNumber();
  await admin.phone(number);
  const { client, qr } = await unpaired('bad signature');
  await client.do('tamper', 'device-signature');
  await assert.rejects(admin.post(`/phones/${number}/scan`, { qr }), status(401));
  assert.equal((await admin.get(`/phones/${number}`)).companions.length, 0);
});

test('a client refuses a pairing whose HMAC is not made with the secret of its QR code', async () => {
  const number = newNumber();
  await admin.phone(number);
  const { client, qr } = await unpaired('bad hmac');
  await admin.fault({ kind: 'wrong_pairing_hmac', to: number });
  await assert.rejects(admin.post(`/phones/${number}/scan`, { qr }), status(410));
  assert.match((await client.next('close')).message, /Invalid account signature/);
});

test('an account signature of another key is caught when the client signs over it', async () => {
  const number = newNumber();
  await admin.phone(number);
  const { qr } = await unpaired('bad account');
  await admin.fault({ kind: 'wrong_account_signature', to: number });
  await assert.rejects(admin.post(`/phones/${number}/scan`, { qr }), status(401));
});

test('a linked device that shows another noise key is not let in', async () => {
  const client = await clients.paired(admin, newNumber());
  await client.do('end');
  await client.next('close');
  await client.do('tamper', 'noise-key');
  await client.do('connect');
  assert.equal((await client.next('close')).code, 401);
});
