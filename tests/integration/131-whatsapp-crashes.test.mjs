// Messages both ways on a real session while everything that can die does: each shows once, in order, on both sides. The long run
// of it is `./run test faults --scenario whatsapp`.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startEndpoint } from './support/endpoint.mjs';
import { until } from './support/until.mjs';
import { newPhoneOn, newSession, pair, startWhatsApp } from './support/whatsapp.mjs';
import { Chat, gatewayOf, ownerOf, workerOf } from './support/whatsapp_traffic.mjs';

let stack;
let session;
let ours;
let endpoint;

before(async () => {
  stack = await startWhatsApp({ args: ['--gateways', '2'] });
  endpoint = await startEndpoint();
  session = await newSession(stack);
  await session.customer.webhook(endpoint.url, ['session_connected', 'session_disconnected']);
  ours = await newPhoneOn(stack, { name: 'Finance' });
  await pair(session, ours);
});
after(async () => {
  await endpoint?.close();
  await stack?.stop();
});

/** Send `n` each way, with `fault` in their middle, and judge both sides. */
async function survive(n, fault) {
  const chat = await Chat.begin(stack, session, ours);
  for (let i = 0; i < n; i++) {
    if (i === Math.floor(n / 2)) await fault();
    await chat.send();
    await chat.write();
  }
  await chat.arrived(90_000);
  await chat.judge();
}

test('the worker is killed: its sessions reconnect, nobody else notices', { timeout: 150_000 }, async () => {
  const others = () => stack.sql(
    `SELECT s.id, s.state, s.since, l.owner, l.epoch FROM sessions s JOIN leases l ON l.kind = 'session' AND l.id = s.id
     WHERE s.engine = 'sandbox'`);
  const gateway = gatewayOf(await ownerOf(stack, session));
  const pid = await stack.pid(gateway);
  const before = await others();
  assert.equal(before.length, 1);
  await survive(100, async () => process.kill(await workerOf(stack, gateway), 'SIGKILL'));
  assert.deepEqual(await others(), before);
  assert.equal(await stack.pid(gateway), pid);
  const told = await endpoint.event('session_disconnected', (e) => e.data.reason === 'the WhatsApp worker was lost');
  await endpoint.event('session_connected', (e) => e.sequence > told.sequence);
});

test('the gateway is killed, and within 5 s another one has the session connected', { timeout: 150_000 }, async () => {
  await survive(100, async () => {
    const first = await ownerOf(stack, session);
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
