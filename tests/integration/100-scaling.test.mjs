// More senders and gateways share the work; one that leaves is replaced within seconds.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newCustomer } from './support/customer.mjs';
import { judge, makeContacts, sendAll } from './support/load.mjs';
import { startStack } from './support/stack.mjs';
import { SLOW, until } from './support/until.mjs';

const ALL = ['messages:send', 'contacts:read', 'contacts:create', 'sessions:manage'];
let stack;

before(async () => {
  stack = await startStack({ args: ['--senders', '3', '--gateways', '2'] });
});
after(() => stack?.stop());

async function shares(kind) {
  const rows = await stack.sql(
    `SELECT split_part(owner, '/', 1) AS owner, count(*)::int AS n FROM leases WHERE kind = $1 AND expires_at > now() GROUP BY 1 ORDER BY 1`, [kind]);
  return Object.fromEntries(rows.map((r) => [r.owner, r.n]));
}

test('the processes asked for run', async () => {
  assert.deepEqual((await stack.processes()).sort(), [
    'api-1', 'gateway-1', 'gateway-2', 'postgres-1', 'redis-1', 'sender-1', 'sender-2', 'sender-3', 'webhooker-1',
  ]);
});

test('three senders share the partitions evenly', async () => {
  await until('an even share', async () => {
    const owned = await shares('partition');
    const counts = Object.values(owned);
    return counts.length === 3 && counts.reduce((a, b) => a + b) === 32 && Math.max(...counts) <= 11;
  });
});

test('two gateways share the sessions, and every session sends', async () => {
  const customers = [];
  for (let i = 0; i < 4; i++) {
    const customer = await newCustomer(stack, { permissions: ALL });
    const made = await customer.post('/sessions', { engine: 'sandbox', name: `line ${i}` });
    assert.equal(made.status, 201, JSON.stringify(made.data));
    customers.push(customer);
  }
  await until('both gateways to own sessions', async () => {
    const counts = Object.values(await shares('session'));
    return counts.length === 2 && counts.reduce((a, b) => a + b) === 5 && Math.max(...counts) <= 3;
  });
  for (const customer of customers) {
    const contact = await customer.contact();
    const sent = await customer.send(contact.id, 'through my own session');
    await customer.reaches(sent.message_id, 'read');
  }
});

test('a sender and a gateway that die are replaced within seconds, in order and without loss', async () => {
  const customer = await newCustomer(stack);
  const contacts = await makeContacts(customer, 20);
  const accepted = await sendAll(customer, contacts, 400 / SLOW, (done) => {
    if (done === Math.floor(150 / SLOW)) return void stack.kill('sender-2');
    if (done === Math.floor(250 / SLOW)) return void stack.kill('gateway-1');
  });
  await judge(customer, contacts, accepted, 60_000);
});

test('a paused sender loses its partitions and changes nothing when it wakes', async () => {
  const customer = await newCustomer(stack);
  const contacts = await makeContacts(customer, 10);
  const pid = await stack.pid('sender-1');
  process.kill(pid, 'SIGSTOP');
  try {
    const begun = Date.now();
    await until('others to have taken its partitions', async () => {
      const owned = await shares('partition');
      return !owned['sender-1'] && Object.values(owned).reduce((a, b) => a + b, 0) === 32;
    }, 10_000);
    assert.ok(Date.now() - begun < 10_000 * SLOW);
    const accepted = await sendAll(customer, contacts, 100);
    await judge(customer, contacts, accepted, 60_000);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const accepted = await sendAll(customer, contacts, 0);
  assert.equal(accepted.size, 10);
  const contact = contacts[0];
  const shownBefore = (await customer.outbox(contact.phone)).length;
  const sent = await customer.send(contact.id, 'after the pause');
  await customer.reaches(sent.message_id, 'read');
  const shown = await customer.outbox(contact.phone);
  assert.equal(shown.length, shownBefore + 1);
  assert.ok(shown.every((m) => m.copies === 1));
});
