// From nothing to a linked device, and what ends that.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newId, newNumber, startDouble, startProxy } from './support/double.mjs';
import { FakeGateway, FakeSession } from './support/fake_gateway.mjs';

let double, gateway;
before(async () => {
  double = await startDouble();
  gateway = await double.gateway();
});
after(async () => {
  assert.equal(gateway.output, '', 'nothing is printed');
  await gateway.stop();
  await double.stop();
});

const codeOf = (line, type) => gateway.next('code', (frame) => frame.line === line && frame.type === type);

async function asksForCode(phone, gateway) {
  await double.phone(phone, { name: 'Company' });
  const session = new FakeSession();
  const line = gateway.open(session);
  gateway.send('pair', { line, phone });
  const code = await gateway.next('code', (frame) => frame.line === line && frame.type === 'pairing');
  return { session, line, code };
}

test('nothing is kept before a phone took the device in, everything once it has', async () => {
  const session = new FakeSession();
  const line = gateway.open(session);
  await gateway.state(line, 'pairing');
  const { text, validMs } = await codeOf(line, 'qr');
  assert.match(text, /^https:\/\/wa\.me\/settings\/linked_devices#/);
  assert.equal(validMs, 60_000);
  assert.equal(session.creds, null);
  const number = newNumber();
  await double.phone(number, { name: 'Company' });
  await double.post(`/phones/${number}/scan`, { qr: text });
  const { phone } = await gateway.state(line, 'connected');
  assert.equal(phone, number);
  assert.ok(session.creds);
  assert.equal([...session.keys.keys()].filter((name) => name.startsWith('pre-key/')).length, 812);
  await gateway.close(line);
});

test('a code that is typed on the phone links it', async () => {
  const phone = newNumber();
  const { line, code } = await asksForCode(phone, gateway);
  assert.match(code.text, /^[0-9A-Z]{8}$/);
  await double.typeCode(phone, code.text);
  assert.equal((await gateway.state(line, 'connected')).phone, phone);
  await gateway.close(line);
});

test('a connection that is lost before the code was typed begins with a new code', async () => {
  const proxy = await startProxy(double);
  const other = await double.gateway({ wsUrl: proxy.wsUrl });
  try {
    const phone = newNumber();
    const { session, line, code } = await asksForCode(phone, other);
    proxy.cut();
    const next = await other.next('code', (frame) => frame.type === 'pairing');
    assert.notEqual(next.text, code.text);
    assert.equal(session.creds, null);
    await double.typeCode(phone, next.text);
    await other.state(line, 'connected');
  } finally {
    await other.stop();
    proxy.stop();
  }
});

test('a session that was closed comes back from what the gateway kept, in another worker', async () => {
  const { session, line, number } = await double.pair(gateway);
  await gateway.close(line);
  const other = await double.gateway();
  try {
    const reopened = other.open(session);
    assert.equal((await other.state(reopened, 'connected')).phone, number);
    const customer = newNumber();
    await double.phone(customer);
    const waId = newId();
    other.sendText(reopened, customer, waId, 'still here');
    await other.next('acked', (frame) => frame.waId === waId);
    await other.close(reopened);
  } finally {
    await other.stop();
  }
});

test('a device that the phone removed is logged out, its keys are wiped, and it can be paired anew', async () => {
  const { session, line, number, device } = await double.pair(gateway);
  await double.unlink(number, device);
  const { reason } = await gateway.state(line, 'logged_out');
  assert.equal(reason, 'the phone removed this device');
  assert.equal(session.creds, null);
  assert.equal(session.keys.size, 0);
  gateway.send('pair', { line, phone: null });
  const { text } = await codeOf(line, 'qr');
  await double.post(`/phones/${number}/scan`, { qr: text });
  await gateway.state(line, 'connected');
  await gateway.close(line);
});

test('a session that is deleted is logged out at the phone', async () => {
  const { line, number } = await double.pair(gateway);
  await gateway.close(line, 'deleted');
  assert.deepEqual(await double.companions(number, (all) => all.length === 0), []);
});

test('a session that is released is not', async () => {
  const { line, number } = await double.pair(gateway);
  await gateway.close(line, 'released');
  assert.equal((await double.get(`/phones/${number}`)).companions.length, 1);
});

for (const [code, state] of [[440, 'replaced'], [503, 'reconnecting']]) {
  test(`a stream error ${code} is ${state}`, async () => {
    const { line, number, device } = await double.pair(gateway);
    await double.streamError(number, device, code);
    await gateway.state(line, state);
    await gateway.close(line);
  });
}

test('a restart that WhatsApp asks for is nobody’s business', async () => {
  const { line, number, device } = await double.pair(gateway);
  const before = gateway.frames.length;
  await double.streamError(number, device, 515);
  const customer = newNumber();
  await double.phone(customer);
  const online = async () => (await double.get(`/phones/${number}`)).companions[0]?.active;
  const [waId] = await double.write(customer, number, { text: 'after the restart' });
  await gateway.next('inbound', (frame) => frame.waId === waId);
  assert.ok(await online());
  assert.ok(!gateway.frames.slice(before).some((frame) => frame.kind === 'state' && frame.line === line));
  await gateway.close(line);
});

test('a login that is forbidden is a ban', async () => {
  const { line, number, device } = await double.pair(gateway);
  await double.fault({ kind: 'login_refused', code: 403, from: number });
  await double.drop(number, device);
  await gateway.state(line, 'reconnecting');
  assert.equal((await gateway.state(line, 'banned')).reason, 'WhatsApp has banned this number');
  await gateway.close(line);
});

for (const kind of ['wrong_account_signature', 'wrong_pairing_hmac']) {
  test(`a phone that vouches with a ${kind.replaceAll('_', ' ')} is not believed`, async () => {
    const number = newNumber();
    await double.phone(number);
    await double.fault({ kind, to: number });
    const session = new FakeSession();
    const line = gateway.open(session);
    const { text } = await codeOf(line, 'qr');
    await double.post(`/phones/${number}/scan`, { qr: text }).catch(() => {}); // the device does not answer
    const again = await codeOf(line, 'qr'); // it has begun anew
    assert.notEqual(again.text, text);
    assert.equal(session.creds, null);
    await gateway.close(line);
  });
}

test('a server whose certificate comes from another root is not spoken to', async () => {
  const wary = new FakeGateway({ env: { NODE_EXTRA_CA_CERTS: double.info.ca_file } });
  await wary.hello({ wsUrl: double.info.ws_url, rootKey: 'ab'.repeat(32) });
  const line = wary.open(new FakeSession());
  await wary.next('log', (frame) => frame.line === line && frame.what === 'server_not_trusted');
  assert.ok(!wary.frames.some(({ kind }) => kind === 'code'));
  await wary.stop();
});
