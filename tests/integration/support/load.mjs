// Load for the crash stories: many messages to many contacts, and the judgement of what the phones and the endpoint saw.
import assert from 'node:assert/strict';
import { newPhone } from './customer.mjs';
import { until } from './until.mjs';

/** Contacts with nothing sent yet. */
export async function makeContacts(customer, count) {
  const contacts = [];
  for (let i = 0; i < count; i++) contacts.push(await customer.contact(newPhone('7777')));
  return contacts;
}

/**
 * Send `total` messages round robin, each contact's one after another, contacts side by side. A send that was not answered with
 * 202 is repeated under its idempotency key, as the guide's sendMessageWithRetry would. Gives what was accepted, per contact in order.
 */
export async function sendAll(customer, contacts, total, onProgress = () => {}) {
  const accepted = new Map(contacts.map((c) => [c.id, []]));
  let done = 0;
  await Promise.all(contacts.map(async (contact, index) => {
    for (let n = index; n < total; n += contacts.length) {
      const id = await sendUntilAccepted(customer, contact, n);
      accepted.get(contact.id).push({ id, body: `message ${n}` });
      done += 1;
      await onProgress(done);
    }
  }));
  return accepted;
}

async function sendUntilAccepted(customer, contact, n) {
  const headers = { 'Idempotency-Key': `load-${contact.id}-${n}` };
  return until(`message ${n} to be accepted`, async () => {
    const answer = await customer.post('/messages/send', { contact_id: contact.id, message_body: `message ${n}` }, headers);
    if (answer.status !== 202) throw new Error(`${answer.status} ${JSON.stringify(answer.data)}`);
    return answer.data.message_id;
  }, 60_000);
}

/** None lost, none shown twice, each contact's in order, every one read. */
export async function judge(customer, contacts, accepted, timeoutMs = 120_000) {
  for (const contact of contacts) {
    const want = accepted.get(contact.id);
    const shown = await until(`${want.length} messages on ${contact.phone}`, async () => {
      const seen = await customer.outbox(contact.phone);
      if (seen.length < want.length) throw new Error(`${seen.length} of ${want.length}`);
      return seen;
    }, timeoutMs);
    assert.deepEqual(shown.map((m) => m.message_body), want.map((m) => m.body), `order on ${contact.phone}`);
    assert.deepEqual(shown.map((m) => m.message_id), want.map((m) => m.id));
  }
  const { stack, tenantId } = customer;
  await until('every message to be read', async () => {
    const rows = await stack.sql(
      `SELECT status, count(*)::int AS n FROM messages WHERE tenant_id = $1 AND direction = 0 GROUP BY status`, [tenantId]);
    if (rows.some((r) => r.status !== 6)) throw new Error(JSON.stringify(rows));
    return true;
  }, timeoutMs);
}

/** The endpoint got each message's three events, each contact's in the order of `sequence` when repeats are left out. */
export async function judgeWebhooks(endpoint, contacts, accepted, timeoutMs = 120_000) {
  const wanted = [...accepted.values()].flat().length * 3;
  await until(`${wanted} different events`, () => {
    const have = new Set(endpoint.posts.map((p) => p.body.id)).size;
    if (have < wanted) throw new Error(`${have} of ${wanted}`);
    return true;
  }, timeoutMs);
  for (const contact of contacts) {
    const firsts = new Map();
    for (const { body } of endpoint.posts) {
      if (body.data.contact_id === contact.id && !firsts.has(body.id)) firsts.set(body.id, body.sequence);
    }
    const order = [...firsts.values()];
    assert.deepEqual(order, [...order].sort((a, b) => a - b), `events of contact ${contact.id} in order`);
  }
}
