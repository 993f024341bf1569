// Each row of the contract's table of fates.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newCustomer, newPhone } from './support/customer.mjs';
import { startEndpoint } from './support/endpoint.mjs';
import { sharedStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

let stack;
let customer;
let endpoint;

before(async () => {
  stack = await sharedStack();
  customer = await newCustomer(stack);
  endpoint = await startEndpoint();
  await customer.webhook(endpoint.url, ['message_sent', 'message_delivered', 'message_read', 'message_failed']);
});
after(async () => {
  await endpoint?.close();
  await stack?.release();
});

async function sendTo(lastFour) {
  const contact = await customer.contact(newPhone(lastFour));
  const sent = await customer.send(contact.id, `to ${lastFour}`);
  return { contact, id: sent.message_id };
}

const eventsOf = (id) => endpoint.events().filter((e) => e.data.message_id === id).map((e) => e.event);

test('0001: not on WhatsApp: failed, no retry', async () => {
  const { contact, id } = await sendTo('0001');
  const m = await customer.reaches(id, 'failed');
  assert.equal(m.error_code, 'not_on_whatsapp');
  assert.equal(m.attempts, 1);
  assert.deepEqual(await customer.outbox(contact.phone), []);
  const event = await endpoint.event('message_failed', (e) => e.data.message_id === id);
  assert.equal(event.data.error_code, 'not_on_whatsapp');
  assert.equal(typeof event.data.error, 'string');
});

test('0002: temporary error twice, then delivered', async () => {
  const { contact, id } = await sendTo('0002');
  const m = await customer.reaches(id, 'read');
  assert.equal(m.attempts, 3);
  assert.equal((await customer.outbox(contact.phone)).length, 1);
});

test('0003: temporary errors for ever: failed when attempts run out', async () => {
  const { contact, id } = await sendTo('0003');
  const m = await customer.reaches(id, 'failed');
  assert.equal(m.attempts, 4, 'one at once and three of the schedule');
  assert.equal(m.error_code, 'attempts_spent');
  assert.deepEqual(await customer.outbox(contact.phone), []);
});

test('0004: sent, never delivered', async () => {
  const { contact, id } = await sendTo('0004');
  await customer.reaches(id, 'sent');
  assert.equal((await customer.outbox(contact.phone)).length, 1);
  const follower = await customer.send(contact.id, 'the next is not held up');
  await customer.reaches(follower.message_id, 'sent');
  assert.equal((await customer.message(id)).status, 'sent');
});

test('0005: the acknowledgement is lost: shown once, copies 2', async () => {
  const { contact, id } = await sendTo('0005');
  await customer.reaches(id, 'read');
  const shown = await customer.outbox(contact.phone);
  assert.equal(shown.length, 1);
  assert.equal(shown[0].copies, 2);
  assert.equal(shown[0].message_id, id);
});

test('any other: sent, delivered, read, with their events in order', async () => {
  const { contact, id } = await sendTo('4711');
  await customer.reaches(id, 'read');
  await endpoint.event('message_read', (e) => e.data.message_id === id);
  assert.deepEqual(eventsOf(id), ['message_sent', 'message_delivered', 'message_read']);
  const [shown] = await customer.outbox(contact.phone);
  assert.equal(shown.message_body, 'to 4711');
  assert.equal(shown.message_id, id);
  assert.equal(shown.copies, 1);
  assert.ok(shown.wa_message_id && shown.received_at);
  assert.equal(shown.message_type, 'text');
});

test('between attempts a message says why it waits', async () => {
  const { id } = await sendTo('0003');
  await until('it to be held for a retry', async () => {
    const m = await customer.message(id);
    return m.status === 'queued' && m.held?.reason === 'retry' && Date.parse(m.held.until) > 0;
  });
});

test('a failing chat holds only itself', async () => {
  const stuck = await sendTo('0003');
  const free = await sendTo('1234');
  await customer.reaches(free.id, 'read');
  assert.notEqual((await customer.message(stuck.id)).status, 'read');
});

test('an unknown number that writes becomes a contact', async () => {
  const phone = newPhone();
  const answer = await customer.inbound(phone, 'Who are you?');
  assert.equal(answer.status, 202, JSON.stringify(answer.data));
  const contact = await until('the contact', async () => (await customer.get('/contacts', { params: { phone } })).data[0]);
  const messages = await until('the message', async () => {
    const { data } = await customer.get(`/conversations/${contact.id}/messages`);
    return data.length === 1 && data;
  });
  assert.equal(messages[0].direction, 'incoming');
  assert.equal(messages[0].message_body, 'Who are you?');
});

test('inbound and outbox refuse what they cannot understand', async () => {
  assert.equal((await customer.inbound('nobody', 'x')).status, 422);
  assert.equal((await customer.post('/sandbox/inbound', { from: newPhone(), text: 'x' })).status, 422);
  assert.equal((await customer.get('/sandbox/outbox', { params: { phone: 'x' } })).status, 422);
});
