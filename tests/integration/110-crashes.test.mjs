// Processes die, Redis forgets, Postgres restarts, in the middle of 2,000 messages to 50 contacts: none is lost, none is shown
// twice, each contact's order is kept, and the endpoint hears of each.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newCustomer } from './support/customer.mjs';
import { startEndpoint } from './support/endpoint.mjs';
import { judge, judgeWebhooks, makeContacts, sendAll } from './support/load.mjs';
import { startStack } from './support/stack.mjs';
import { SLOW } from './support/until.mjs';

let stack;
let endpoint;

before(async () => {
  stack = await startStack({
    args: ['--apis', '2', '--senders', '2', '--gateways', '2', '--webhookers', '2'],
    env: { WA_ACK_TIMEOUT: '2s', WA_SEND_RETRY_SCHEDULE: '500ms,1s,1s,2s,2s,5s,5s,5s,5s,5s', WA_WEBHOOK_RETRY_SCHEDULE: '500ms,1s,1s,2s,2s,5s,5s,5s,5s,5s' },
  });
  endpoint = await startEndpoint();
});
after(async () => {
  await endpoint?.close();
  await stack?.stop();
});

/** Run the load and call `fault` when a quarter and when half of it is accepted. */
async function survive(total, faults) {
  await stack.healthy(60_000);
  const customer = await newCustomer(stack);
  await customer.webhook(endpoint.url, ['message_sent', 'message_delivered', 'message_read']);
  const contacts = await makeContacts(customer, 50);
  const steps = faults.map((fault, i) => ({ at: Math.floor((total * (i + 1)) / (faults.length + 1)), fault }));
  const running = [];
  const accepted = await sendAll(customer, contacts, total, (done) => {
    const step = steps.find((s) => s.at === done);
    if (step) running.push(step.fault());
  });
  await Promise.all(running);
  assert.equal([...accepted.values()].flat().length, total);
  await judge(customer, contacts, accepted);
  await judgeWebhooks(endpoint, contacts, accepted);
  endpoint.posts.length = 0;
}

const killAll = (kind, count) => Array.from({ length: count }, (_, i) => () => stack.kill(`${kind}-${i + 1}`));

test('2,000 messages with every process killed in turn, Redis flushed, Postgres restarted', { timeout: 280_000 * SLOW }, async () => {
  await survive(2000 / SLOW, [
    ...killAll('api', 2),
    ...killAll('sender', 2),
    ...killAll('gateway', 2),
    ...killAll('webhooker', 2),
    () => stack.redis('FLUSHALL'),
    () => stack.kill('redis-1'),
    () => stack.kill('postgres-1', 'SIGINT'),
  ]);
});

test('what was accepted while nobody could send goes out afterwards', { timeout: 120_000 * SLOW }, async () => {
  await survive(200, [async () => {
    await Promise.all(['sender-1', 'sender-2', 'gateway-1', 'gateway-2'].map((name) => stack.kill(name)));
    await stack.redis('FLUSHALL');
  }]);
});

test('Postgres killed without warning', { timeout: 120_000 * SLOW }, async () => {
  await survive(200, [() => stack.kill('postgres-1', 'SIGKILL')]);
});
