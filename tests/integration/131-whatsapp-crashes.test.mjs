// Messages both ways on a real session while everything that can die does: each shows once, in order, on both sides.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { until } from './support/until.mjs';
import { conversation, newPhoneOn, newSession, pair, startWhatsApp } from './support/whatsapp.mjs';

let stack;
let session;
let ours;

before(async () => {
  stack = await startWhatsApp({ args: ['--gateways', '2'] });
  session = await newSession(stack);
  ours = await newPhoneOn(stack, { name: 'Finance' });
  await pair(session, ours);
});
after(async () => stack?.stop());

/** The process that owns the session, e.g. gateway-1/JUOurrEw6v7: another one has another name behind the slash. */
async function owner() {
  const [row] = await stack.sql("SELECT owner FROM leases WHERE kind = 'session' AND id = $1 AND expires_at > now()", [session.id]);
  return row?.owner;
}
const gatewayOf = (name) => name.split('/')[0];

async function workerOf(gateway) {
  const pid = await stack.pid(gateway);
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ');
  assert.equal(children.length, 1);
  return Number(children[0]);
}

/** Send `n` each way, with `fault` in their middle, and judge both sides. */
async function survive(n, fault) {
  const erika = await newPhoneOn(stack);
  const { customer } = session;
  const contact = await customer.contact(`+${erika.number}`);
  const sends = [];
  const writes = [];
  for (let i = 0; i < n; i++) {
    if (i === Math.floor(n / 2)) await fault();
    sends.push(`out ${i}`);
    writes.push(`in ${i}`);
    await until('the api to take it', async () => {
      const answer = await customer.post('/messages/send', { contact_id: contact.id, message_body: `out ${i}` }, { 'Idempotency-Key': `${contact.id}-${i}` });
      return answer.status === 202;
    });
    await erika.write(ours, { text: `in ${i}` });
  }
  await until('all to arrive', async () => {
    const inbox = await erika.inbox();
    const come = (await conversation(customer, contact.id)).filter((m) => m.direction === 'incoming');
    if (inbox.length < n || come.length < n) throw new Error(`${inbox.length} out, ${come.length} in`);
    return true;
  }, 90_000);
  assert.deepEqual((await erika.inbox()).map((m) => m.body), sends);
  const come = (await conversation(customer, contact.id)).filter((m) => m.direction === 'incoming');
  assert.deepEqual(come.map((m) => m.message_body), writes);
}

test('the worker is killed', { timeout: 150_000 }, async () => {
  await survive(100, async () => process.kill(await workerOf(gatewayOf(await owner())), 'SIGKILL'));
});

test('the gateway is killed, and within 5 s another one has the session connected', { timeout: 150_000 }, async () => {
  await survive(100, async () => {
    const first = await owner();
    const killedAt = Date.now();
    process.kill(await stack.pid(gatewayOf(first)), 'SIGKILL');
    await until('the session to be connected again', async () => {
      const [row] = await stack.sql(
        `SELECT l.owner FROM leases l JOIN sessions s ON s.id = l.id WHERE l.kind = 'session' AND l.id = $1
         AND l.expires_at > now() AND s.state = 'connected' AND s.since > $2`,
        [session.id, new Date(killedAt)]);
      return row && row.owner !== first;
    });
    const took = Date.now() - killedAt;
    assert.ok(took < 5000, `the take-over took ${took} ms`);
  });
});

test('Postgres is killed', { timeout: 150_000 }, async () => {
  await survive(100, () => stack.kill('postgres-1', 'SIGKILL'));
});

test('Redis is killed', { timeout: 150_000 }, async () => {
  await survive(100, () => stack.kill('redis-1'));
});
