// Messages both ways while the worker is killed again and again: each is shown once, and every conversation in order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { until } from '../../../../tests/whatsapp/support/setup.mjs';
import { newId, newNumber, startDouble } from './support/double.mjs';

const CUSTOMERS = 4;
const EACH = 25; // messages per customer and direction
const KILLS = 4;
const LIMIT_MS = 150_000;

// One conversation as the gateway's claim keeps it: one message in flight, the same id until it is acked.
class Conversation {
  done = 0;

  constructor(phone) {
    this.phone = phone;
    this.ids = Array.from({ length: EACH }, newId);
  }

  get isOver() {
    return this.done === this.ids.length;
  }

  send(gateway, line) {
    if (!this.isOver) gateway.sendText(line, this.phone, this.ids[this.done], `out ${this.done}`);
  }
}

function drive(gateway, line, conversations) {
  const byId = (waId) => conversations.find((one) => one.ids[one.done] === waId);
  gateway.on.acked = ({ waId }) => {
    const one = byId(waId);
    if (one) one.done++;
    one?.send(gateway, line);
    return false;
  };
  gateway.on.failed = ({ waId }) => {
    setTimeout(100).then(() => byId(waId)?.send(gateway, line));
    return false;
  };
  for (const one of conversations) one.send(gateway, line);
}

test('the worker may die at any moment', { timeout: LIMIT_MS }, async () => {
  const double = await startDouble();
  let gateway = await double.gateway();
  try {
    const company = await double.pair(gateway);
    const conversations = Array.from({ length: CUSTOMERS }, () => new Conversation(newNumber()));
    for (const { phone } of conversations) await double.phone(phone);
    const incoming = new Map(conversations.map(({ phone }) => [phone, []]));
    const writing = (async () => {
      for (let i = 0; i < EACH; i++) {
        for (const [phone, ids] of incoming) ids.push(...(await double.write(phone, company.number, { text: `in ${i}` })));
      }
    })();
    const sentAll = () => conversations.every((one) => one.isOver);
    const done = () => conversations.reduce((sum, one) => sum + one.done, 0) + company.session.inbound.length;

    const end = Date.now() + LIMIT_MS - 10_000; // before the test's own limit, which would leave double and worker alive
    const left = () => end - Date.now();
    drive(gateway, company.line, conversations);
    for (let i = 1; i <= KILLS; i++) {
      const share = (2 * CUSTOMERS * EACH * i) / (KILLS + 1);
      await until(`${share} messages`, done, (n) => n >= share, left());
      await gateway.kill();
      gateway = await double.gateway();
      const line = gateway.open(company.session);
      await gateway.state(line, 'connected');
      drive(gateway, line, conversations);
    }
    await writing;
    const kept = () => new Set(company.session.inbound.map(({ waId }) => waId));
    const isOver = () => sentAll() && [...incoming.values()].flat().every((id) => kept().has(id));
    await until('all to be shown and kept', isOver, Boolean, left());

    for (const { phone, ids } of conversations) {
      assert.equal((await double.get(`/phones/${phone}`)).undecryptable, 0);
      const shown = (await double.inbox(phone, EACH)).map(({ id }) => id);
      assert.deepEqual(shown, ids);
      const received = company.session.inbound.filter((frame) => frame.phone === phone && frame.type === 'text');
      assert.deepEqual(received.map(({ waId }) => waId), incoming.get(phone));
      assert.equal(gateway.output, '');
    }
  } finally {
    await gateway.stop();
    await double.stop();
  }
});
