// Sessions of a tenant's own: made, used, deleted.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newCustomer } from './support/customer.mjs';
import { sharedStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

let stack;
before(async () => { stack = await sharedStack(); });
after(() => stack.release());

async function makeSession(customer) {
  const made = await customer.post('/sessions', { engine: 'sandbox', name: 'own' });
  assert.equal(made.status, 201);
  return made.data.session_id;
}

test('a deleted session leaves no stream behind', async () => {
  const customer = await newCustomer(stack, { permissions: ['messages:send', 'contacts:create', 'sessions:manage'] });
  const session_id = await makeSession(customer);
  const contact = await customer.contact();
  const { message_id } = await customer.send(contact.id, 'through it', { session_id });
  await customer.reaches(message_id, 'read');
  assert.equal(await stack.redis('TTL', `dispatch.${session_id}`), -1);
  assert.ok((await customer.http.delete(`/sessions/${session_id}`)).status < 300);
  await until('the stream to expire', async () => (await stack.redis('TTL', `dispatch.${session_id}`)) > 0);
});
