// What holds when something is slow, lost or dead.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { newId, newNumber, startDouble, startProxy } from './support/double.mjs';

let double, gateway, customer;
before(async () => {
  double = await startDouble();
});
after(() => double.stop());
beforeEach(async () => {
  gateway = await double.gateway();
  customer = newNumber();
  await double.phone(customer, { name: 'Customer' });
});
afterEach(async () => {
  assert.equal(gateway.output, '');
  await gateway.stop();
  await double.noFaults();
});

const inbound = (waId, from = gateway) => from.next('inbound', (frame) => frame.waId === waId);

test('nothing is acknowledged to WhatsApp before it is committed', async () => {
  const company = await double.pair(gateway);
  const isSettled = ([one]) => one.presence === 'available' && one.waiting === 0; // its first sync is over
  assert.ok(isSettled(await double.companions(company.number, isSettled)));
  let held;
  gateway.on.inbound = (frame) => {
    if (frame.type === 'text') held = frame;
    return frame.type === 'text';
  };
  const [id] = await double.write(customer, company.number, { text: 'keep me' });
  await inbound(id);
  const waitsFor = async (count) => (await double.companions(company.number, ([one]) => one.waiting === count))[0].waiting;
  assert.equal(await waitsFor(1), 1, 'WhatsApp still holds it');
  gateway.commitInbound(held);
  gateway.send('acknowledge', { line: held.line, token: held.token });
  assert.equal(await waitsFor(0), 0);
});

test('a worker that dies before the commit offers the message again, and its keys have not moved', async () => {
  const company = await double.pair(gateway);
  gateway.on.inbound = (frame) => frame.type === 'text'; // Postgres never answers
  const ids = await double.write(customer, company.number, { text: 'word', count: 3 });
  await inbound(ids[0]);
  await gateway.kill();
  gateway = await double.gateway();
  gateway.open(company.session);
  for (const id of ids) await inbound(id);
  assert.deepEqual(company.session.inbound.map(({ waId }) => waId).filter((id) => ids.includes(id)), ids);
});

test('a worker that dies after the commit does not have the message written again', async () => {
  const company = await double.pair(gateway);
  gateway.on.inbound = (frame) => {
    if (frame.type !== 'none') gateway.commitInbound(frame); // but the answer is lost
    return frame.type !== 'none';
  };
  const [id] = await double.write(customer, company.number, { text: 'once' });
  await inbound(id);
  await gateway.kill();
  gateway = await double.gateway();
  const line = gateway.open(company.session);
  await gateway.next('is_known', (frame) => frame.waId === id);
  await gateway.state(line, 'connected');
  await double.companions(company.number, ([one]) => one.waiting === 0);
  const [later] = await double.write(customer, company.number, { text: 'the next' });
  await inbound(later);
  assert.equal(company.session.offers.filter(({ waId }) => waId === id).length, 1);
  assert.equal((await double.get(`/phones/${customer}`)).undecryptable ?? 0, 0);
});

test('receipts wait for their commit too', async () => {
  const company = await double.pair(gateway);
  gateway.on.receipt = () => true; // never committed
  const waId = newId();
  gateway.sendText(company.line, customer, waId, 'hello');
  await gateway.next('receipt', (frame) => frame.waId === waId);
  await gateway.kill();
  gateway = await double.gateway();
  gateway.open(company.session);
  await gateway.next('receipt', (frame) => frame.waId === waId && frame.level === 'delivered');
  await double.companions(company.number, ([one]) => one.waiting === 0);
});

test('the keys of a send are committed before it leaves', async () => {
  const company = await double.pair(gateway);
  gateway.sendText(company.line, customer, newId(), 'the first');
  await double.inbox(customer, 1);
  gateway.on.keys_commit = () => true;
  const waId = newId();
  gateway.sendText(company.line, customer, waId, 'the second');
  const commit = await gateway.next('keys_commit', ({ changes }) => changes.some(([name]) => name.startsWith('session/')));
  assert.equal((await double.get(`/phones/${customer}/inbox`)).length, 1);
  delete gateway.on.keys_commit;
  for (const frame of gateway.frames.filter(({ kind, request }) => kind === 'keys_commit' && request >= commit.request)) {
    gateway.answer(frame);
  }
  await gateway.next('acked', (frame) => frame.waId === waId);
});

test('a session that another gateway took is cut at once', async () => {
  const company = await double.pair(gateway);
  gateway.on.keys_commit = ({ line, request }) => {
    gateway.send('committed', { line, request, ok: 0 });
    return true;
  };
  const waId = newId();
  gateway.sendText(company.line, customer, waId, 'too late');
  const companions = await double.companions(company.number, ([one]) => !one.online);
  assert.equal(companions[0].online, false);
  assert.equal((await double.get(`/phones/${customer}/inbox`)).length, 0);
  await gateway.close(company.line);
});

test('a lost ack is no ack; the same id again is shown once and acked', async () => {
  const company = await double.pair(gateway);
  await double.fault({ kind: 'ack_lost', from: company.number });
  const waId = newId();
  gateway.sendText(company.line, customer, waId, 'hello');
  await double.inbox(customer, 1);
  assert.ok(!gateway.frames.some((frame) => frame.kind === 'acked'));
  gateway.sendText(company.line, customer, waId, 'hello');
  await gateway.next('acked', (frame) => frame.waId === waId);
  assert.deepEqual((await double.inbox(customer, 1)).map(({ id, copies }) => [id, copies]), [[waId, 2]]);
});

for (const [code, verdict, name] of [[463, 'later', 'reach_out_limited'], [479, 'retry', 'wa_error_479']]) {
  test(`WhatsApp's error ${code} is ${name}`, async () => {
    const company = await double.pair(gateway);
    await double.fault({ kind: 'ack_error', code, from: company.number });
    const waId = newId();
    gateway.sendText(company.line, customer, waId, 'hello');
    const failed = await gateway.next('failed', (frame) => frame.waId === waId);
    assert.deepEqual([failed.verdict, failed.code], [verdict, name]);
    if (verdict === 'later') assert.ok(failed.laterMs >= 3600_000);
    assert.equal((await double.get(`/phones/${customer}/inbox`)).length, 0);
  });
}

test('who asks again for a message that an earlier worker sent gets it', async () => {
  const company = await double.pair(gateway);
  await double.call('PATCH', `/phones/${customer}`, { online: false });
  await double.fault({ kind: 'undecryptable', to: customer });
  const waId = newId();
  gateway.sendText(company.line, customer, waId, 'read me');
  await gateway.next('acked', (frame) => frame.waId === waId);
  const { messages } = company.session;
  await gateway.kill();
  gateway = await double.gateway();
  const line = gateway.open(company.session);
  await gateway.state(line, 'connected');
  assert.ok(messages.has(waId));
  await double.call('PATCH', `/phones/${customer}`, { online: true });
  const [entry] = await double.inbox(customer, 1);
  assert.deepEqual([entry.id, entry.body], [waId, 'read me']);
  await gateway.next('get_message', (frame) => frame.waId === waId);
});

test('whoever answers a first message may be written to under WhatsApp’s privacy tokens', async () => {
  const company = await double.pair(gateway);
  const first = newId();
  gateway.sendText(company.line, customer, first, 'hello');
  await double.inbox(customer, 1);
  const [id] = await double.write(customer, company.number, { text: 'hello yourself' });
  await inbound(id);
  await double.companions(company.number, ([one]) => one.waiting === 0);
  await double.fault({ kind: 'tctoken_required', times: 'always' });
  const waId = newId();
  gateway.sendText(company.line, customer, waId, 'as I said');
  await gateway.next('acked', (frame) => frame.waId === waId);
});

test('an unanswered question about the number is no success', async () => {
  const company = await double.pair(gateway);
  await double.fault({ kind: 'iq_silent', xmlns: 'usync', from: company.number, times: 'always' });
  const waId = newId();
  gateway.sendText(company.line, customer, waId, 'hello');
  const failed = await gateway.next('failed', (frame) => frame.waId === waId, 60_000);
  assert.deepEqual([failed.verdict, failed.code], ['retry', 'no_answer']);
});

test('what was written while the line was cut arrives after it, in order', async () => {
  const proxy = await startProxy(double);
  const other = await double.gateway({ wsUrl: proxy.wsUrl });
  try {
    const company = await double.pair(other);
    const ids = await double.write(customer, company.number, { text: 'before', count: 5 });
    proxy.cut();
    await other.state(company.line, 'reconnecting');
    ids.push(...(await double.write(customer, company.number, { text: 'meanwhile', count: 20 })));
    await other.state(company.line, 'connected');
    ids.push(...(await double.write(customer, company.number, { text: 'after', count: 5 })));
    await inbound(ids.at(-1), other);
    assert.deepEqual(company.session.inbound.map(({ waId }) => waId).filter((id) => ids.includes(id)), ids);
  } finally {
    await other.stop();
    proxy.stop();
  }
});

test('two sessions in one worker write to one customer, and one of them is cut', async () => {
  const [one, two] = [await double.pair(gateway, { sessionId: 1 }), await double.pair(gateway, { sessionId: 2 })];
  const ids = [];
  for (let i = 0; i < 10; i++) {
    for (const { line } of [one, two]) {
      const waId = newId();
      ids.push(waId);
      gateway.sendText(line, customer, waId, `word ${i}`);
    }
  }
  await double.inbox(customer, ids.length);
  await double.drop(one.number, one.device);
  await gateway.state(one.line, 'reconnecting');
  const waId = newId();
  gateway.sendText(two.line, customer, waId, 'unmoved');
  await gateway.next('acked', (frame) => frame.waId === waId);
  await gateway.state(one.line, 'connected');
  assert.equal((await double.get(`/phones/${customer}`)).undecryptable ?? 0, 0);
});
