// What customers see besides messages: typing and read marks, each only where it was asked for.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { newId, newNumber, startDouble } from './support/double.mjs';

let double, gateway, company, plain, quiet, customer;
before(async () => {
  double = await startDouble();
  gateway = await double.gateway({ readMarks: 1, typing: 1 });
  company = await double.pair(gateway);
  plain = await double.gateway();
  quiet = await double.pair(plain);
  for (const { number } of [company, quiet]) { // before that its receipts are of another kind
    await double.companions(number, ([one]) => one.presence === 'available');
  }
});
after(async () => {
  for (const one of [gateway, plain]) {
    assert.equal(one.output, '');
    await one.stop();
  }
  await double.stop();
});
beforeEach(async () => {
  await double.noFaults();
  customer = newNumber();
  await double.phone(customer, { name: 'Customer' });
});

async function sent(from, { line }, fields) {
  const waId = newId();
  from.sendMessage(line, { phone: customer, waId, type: 'text', body: 'Hello', ...fields });
  await from.next('acked', (frame) => frame.waId === waId);
}

const chatstates = (count) => double.get(`/phones/${customer}/chatstates?wait=${count}`);

test('typing is seen before a text, and once for those that follow at once', async () => {
  for (const body of ['one', 'two', 'three']) await sent(gateway, company, { body });
  const shown = await double.inbox(customer, 3);
  assert.deepEqual(shown.map(({ body }) => body), ['one', 'two', 'three']);
  assert.deepEqual(await chatstates(1), [{ from: company.number, state: 'composing', shown: 0 }]);
  const { typing } = await double.get(`/phones/${customer}`);
  assert.deepEqual(typing, {}, 'the text has ended it');
});

test('nobody types a file', async () => {
  const sha256 = gateway.addMedia('application/pdf', Buffer.from('a statement'));
  await sent(gateway, company, { type: 'document', body: null, filename: 'statement.pdf', sha256 });
  await sent(gateway, company, { body: 'There it is' });
  await double.inbox(customer, 2);
  assert.deepEqual(await chatstates(1), [{ from: company.number, state: 'composing', shown: 1 }]);
});

test('typing ends when nothing comes of it', async () => {
  await double.fault({ kind: 'iq_error', code: 503, xmlns: 'encrypt', times: 'always' });
  const waId = newId();
  gateway.sendText(company.line, customer, waId, 'Hello');
  assert.equal((await gateway.next('failed', (frame) => frame.waId === waId)).verdict, 'retry');
  assert.deepEqual((await chatstates(2)).map(({ state }) => state), ['composing', 'paused']);
});

test('a number that is not on WhatsApp is not typed at, and fails as ever', async () => {
  const waId = newId();
  gateway.sendText(company.line, newNumber(), waId, 'Hello');
  assert.equal((await gateway.next('failed', (frame) => frame.waId === waId)).code, 'not_on_whatsapp');
});

for (const addressing of ['pn', 'lid']) {
  test(`a message (${addressing}) is marked as read after it is committed and delivered, not before`, async () => {
    let held;
    gateway.on.inbound = (frame) => {
      if (frame.type === 'text') held = frame;
      return frame.type === 'text';
    };
    const [id] = await double.write(customer, company.number, { text: 'Have you got it?', addressing });
    await gateway.next('inbound', (frame) => frame.waId === id);
    delete gateway.on.inbound;
    const early = await double.get(`/phones/${customer}/sent/${id}`);
    assert.deepEqual(early.receipts.filter(({ from_device: device }) => device === company.device), []);
    gateway.commitInbound(held);
    gateway.send('acknowledge', { line: held.line, token: held.token });
    assert.deepEqual(await double.receiptsOf(company, customer, id, 'read'), ['delivery', 'read']);
  });
}

test('of what came together each is marked, and a reaction is not', async () => {
  const ids = await double.write(customer, company.number, { text: 'word', count: 5 });
  const [reaction] = await double.write(customer, company.number, { type: 'reaction', target: ids[0], emoji: '👍' });
  const [last] = await double.write(customer, company.number, { text: 'that was all' });
  for (const id of [...ids, last]) assert.deepEqual(await double.receiptsOf(company, customer, id, 'read'), ['delivery', 'read']);
  assert.deepEqual(await double.receiptsOf(company, customer, reaction, 'delivery'), ['delivery']);
});

test('who did not ask for it types nothing and marks nothing', async () => {
  await sent(plain, quiet, {});
  await double.inbox(customer, 1);
  assert.deepEqual(await chatstates(0), []);
  const [first] = await double.write(customer, quiet.number, { text: 'first' });
  const [second] = await double.write(customer, quiet.number, { text: 'second' });
  assert.deepEqual(await double.receiptsOf(quiet, customer, second, 'delivery'), ['delivery']);
  assert.deepEqual(await double.receiptsOf(quiet, customer, first, 'delivery'), ['delivery']);
});
