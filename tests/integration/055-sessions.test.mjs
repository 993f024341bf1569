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

test('what a deleted session never took goes with it, also when it was played just then', async () => {
  const customer = await newCustomer(stack, { permissions: ['messages:send', 'contacts:create', 'sessions:manage'] });
  const session_id = await makeSession(customer);
  const contact = await customer.contact();
  await customer.send(contact.id, 'hello', { session_id });
  assert.ok((await customer.http.delete(`/sessions/${session_id}`)).status < 300);
  // As a call would leave it that chose the session a moment before its end.
  await stack.sql(`INSERT INTO sandbox.inbound (session_id, tenant_id, phone, wa_message_id, type, body)
    VALUES ($1, $2, $3, 'late', 1, 'anybody there?')`, [session_id, customer.tenantId, contact.phone]);
  await until('it to be taken away', async () => {
    const [row] = await stack.sql(`SELECT (SELECT count(*)::int FROM sandbox.inbound WHERE session_id = $1)
      + (SELECT count(*)::int FROM sandbox.ledger WHERE session_id = $1 AND pending) AS n`, [session_id]);
    return row.n === 0;
  });
});

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
