// WhatsApp took the message and said so too late: failed as outcome_unknown, until a receipt proves that it arrived.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newCustomer } from './support/customer.mjs';
import { startEndpoint } from './support/endpoint.mjs';
import { startStack } from './support/stack.mjs';

let stack;
let endpoint;

before(async () => {
  stack = await startStack({
    env: {
      WA_ACK_TIMEOUT: '300ms',
      WA_SEND_RETRY_SCHEDULE: '100ms',
      WA_SANDBOX_ACK_DELAY: '4s',
      WA_SANDBOX_DELIVER_DELAY: '1s',
      WA_SANDBOX_READ_DELAY: '1s',
    },
  });
  endpoint = await startEndpoint();
});
after(async () => {
  await endpoint?.close();
  await stack?.stop();
});

test('a late receipt turns outcome_unknown into delivered, and the customer hears both', async () => {
  const customer = await newCustomer(stack);
  await customer.webhook(endpoint.url, ['message_sent', 'message_delivered', 'message_read', 'message_failed']);
  const contact = await customer.contact();
  const { message_id } = await customer.send(contact.id, 'did it arrive?');

  const failed = await customer.reaches(message_id, 'failed');
  assert.equal(failed.error_code, 'outcome_unknown');
  assert.match(failed.error, /may have arrived/);
  const told = await endpoint.event('message_failed', (e) => e.data.message_id === message_id);
  assert.equal(told.data.error_code, 'outcome_unknown');

  await customer.reaches(message_id, 'read');
  const message = await customer.message(message_id);
  assert.equal(message.error_code ?? null, null);
  assert.ok(message.sent_at && message.delivered_at && message.read_at);
  await endpoint.event('message_read', (e) => e.data.message_id === message_id);
  assert.deepEqual(endpoint.events().map((e) => e.event), ['message_failed', 'message_sent', 'message_delivered', 'message_read']);
  const [shown] = await customer.outbox(contact.phone);
  assert.equal(shown.copies, 2, 'one for each attempt, under one id');
});
