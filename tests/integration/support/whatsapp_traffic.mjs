// Numbered messages both ways between a real session and phones of the double, and the judgement: each shows once, in order,
// on the phone and in the api.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { until } from './until.mjs';
import { conversation, newPhoneOn } from './whatsapp.mjs';

const outText = (n) => `invoice no. ${n}`;
const inText = (n) => `answer no. ${n}`;

/** The process that owns the session, e.g. gateway-1/JUOurrEw6v7: another one has another name behind the slash. */
export async function ownerOf(stack, session) {
  const [row] = await stack.sql("SELECT owner FROM leases WHERE kind = 'session' AND id = $1 AND expires_at > now()", [session.id]);
  return row?.owner;
}

export const gatewayOf = (owner) => owner.split('/')[0];

/** A gateway's WhatsApp worker; undefined while it has none. */
export async function workerOf(stack, gateway) {
  const pid = await stack.pid(gateway);
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').filter(Boolean);
  assert.ok(children.length <= 1, `${gateway} has ${children.length} children`);
  return children.length === 1 ? Number(children[0]) : undefined;
}

/** A customer's phone, and what it and the session say to each other. */
export class Chat {
  static async begin(stack, session, ours) {
    const chat = new Chat();
    chat.session = session;
    chat.ours = ours;
    chat.phone = await newPhoneOn(stack);
    chat.contact = await session.customer.contact(`+${chat.phone.number}`);
    chat.sent = 0;
    chat.written = 0;
    return chat;
  }

  /** The next message to the phone, however often the api has to be asked. */
  async send() {
    const body = { contact_id: this.contact.id, message_body: outText(this.sent) };
    const key = { 'Idempotency-Key': `${this.contact.id}-${this.sent}` };
    await until('the api to take it', async () => {
      const answer = await this.session.customer.post('/messages/send', body, key);
      return answer.status === 202;
    }, 60_000);
    this.sent += 1;
  }

  /** The next message of the phone. */
  async write() {
    await this.phone.write(this.ours, { text: inText(this.written) });
    this.written += 1;
  }

  async arrived(timeoutMs) {
    await until('all to arrive', async () => {
      const shown = (await this.phone.inbox()).length;
      const came = (await this.#conversation('incoming')).length;
      if (shown < this.sent || came < this.written) throw new Error(`${shown} of ${this.sent} out, ${came} of ${this.written} in`);
      return true;
    }, timeoutMs);
  }

  /** What the phone shows and what the api shows, each once and in order. Gives the phone's inbox. */
  async judge() {
    const inbox = await this.phone.inbox();
    assert.deepEqual(inbox.map((m) => m.body), Array.from({ length: this.sent }, (_, n) => outText(n)));
    const came = await this.#conversation('incoming');
    assert.deepEqual(came.map((m) => m.message_body), Array.from({ length: this.written }, (_, n) => inText(n)));
    return inbox;
  }

  /** Every message that was sent is said to be delivered, for the phone shows it. */
  async settled(timeoutMs) {
    await until('each to be delivered', async () => {
      const open = (await this.#conversation('outgoing')).filter((m) => !['delivered', 'read'].includes(m.status));
      if (open.length > 0) throw new Error(`${open.length} are not, the first is ${open[0].message_id}: ${open[0].status}`);
      return true;
    }, timeoutMs);
  }

  async #conversation(direction) {
    const { customer } = this.session;
    return (await conversation(customer, this.contact.id)).filter((m) => m.direction === direction);
  }

  /** What an endpoint heard: of each incoming message one event, in order; of each outgoing one that it was sent, then delivered. */
  judgeEvents(events) {
    const mine = once(events.filter((e) => e.data.contact_id === this.contact.id));
    const received = mine.filter((e) => e.event === 'message_received').map((e) => e.data.message_body);
    assert.deepEqual(received, Array.from({ length: this.written }, (_, n) => inText(n)));
    const sequences = mine.map((e) => e.sequence);
    assert.deepEqual(sequences, [...sequences].sort((a, b) => a - b), "a contact's events came out of order");
    for (const kind of ['message_sent', 'message_delivered']) {
      const told = mine.filter((e) => e.event === kind).map((e) => e.data.message_id);
      assert.equal(told.length, this.sent, `${told.length} times ${kind}`);
      assert.equal(new Set(told).size, this.sent, `${kind} was told twice under two ids`);
    }
    assert.equal(mine.filter((e) => e.event === 'message_failed').length, 0);
  }
}

/** By id, the first of each. */
export function once(events) {
  const seen = new Set();
  return events.filter(({ id }) => !seen.has(id) && seen.add(id));
}
