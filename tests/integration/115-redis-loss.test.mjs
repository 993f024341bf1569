// What is accepted while Redis is away goes as soon as it is back, and does not wait for a slow sweep.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newCustomer } from './support/customer.mjs';
import { makeContacts } from './support/load.mjs';
import { startStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

const SOON_MS = 4000; // the slow sweep takes 8 s to come round
let stack;

before(async () => {
  stack = await startStack();
});
after(() => stack?.stop());

for (const signal of ['SIGKILL', 'SIGTERM']) {
  test(`messages that were accepted while Redis was away go soon after it is back (${signal})`, async () => {
    const customer = await newCustomer(stack);
    const contacts = await makeContacts(customer, 60);
    const before = await stack.pid('redis-1');
    process.kill(before, signal);
    const sent = await Promise.all(contacts.map((contact) => customer.send(contact.id, 'while Redis is away')));
    await until('Redis to be back', async () => {
      const now = await stack.pid('redis-1').catch(() => before);
      return now !== before && await stack.redis('PING') === 'PONG';
    });
    const back = Date.now();
    await Promise.all(sent.map(({ message_id }) => customer.reaches(message_id, 'read')));
    assert.ok(Date.now() - back < SOON_MS, `the last was read ${Date.now() - back} ms after Redis was back`);
  });
}
