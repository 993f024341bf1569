// The worker as a process: how it begins and ends. No WhatsApp is needed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { FakeGateway, FakeSession } from './support/fake_gateway.mjs';

async function withWorker(work) {
  const gateway = new FakeGateway();
  try {
    await work(gateway);
    assert.equal(gateway.output, '');
  } finally {
    await gateway.stop();
  }
}

function post(gateway, ...array) {
  const body = Buffer.from(encode(array));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  gateway.pipe.write(Buffer.concat([length, body]));
}

test('it says what it is, and then that it lives', () =>
  withWorker(async (gateway) => {
    const ready = await gateway.hello();
    assert.deepEqual([ready.version, ready.node, ready.baileys], [2, process.version, '7.0.0-rc14']);
    const { rss, heap, lines, lagMs } = await gateway.next('heartbeat');
    assert.ok(rss > heap && heap > 1_000_000);
    assert.equal(lines, 0);
    assert.ok(lagMs >= 0);
  }));

test('it ends when the gateway does', () =>
  withWorker(async (gateway) => {
    await gateway.hello();
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
  }));

const HELLO = ['hello', 2, null, null, 500, 1 << 20, 0, 0];
for (const [what, code, frames] of [
  ['an unknown kind', 'bad_frame_unknown_kind', [HELLO, ['wat', 1]]],
  ['a field of the wrong type', 'bad_frame_acknowledge_token_is_no_good', [HELLO, ['acknowledge', 1, 'x']]],
  ['another version', 'bad_hello', [['hello', 1, null, null, 500, 1 << 20, 0, 0]]],
  ['a second hello', 'bad_hello', [HELLO, HELLO]],
  ['a root key that is none', 'bad_hello', [['hello', 2, null, 'ab', 500, 1 << 20, 0, 0]]],
  ['a frame before the hello', 'no_hello', [['open', 1, 1, null]]],
  ['a line that is open', 'line_opened_twice', [['hello', 2, 'wss://127.0.0.1:9', null, 500, 1, 0, 0], ['open', 1, 1, null], ['open', 1, 1, null]]],
]) {
  test(`${what} ends it, with a reason`, () =>
    withWorker(async (gateway) => {
      for (const frame of frames) post(gateway, ...frame);
      assert.equal((await gateway.next('fatal')).code, code);
      assert.deepEqual(await gateway.exited, { code: 1, signal: null });
    }));
}

test('frames for a line that is not open are passed over', () =>
  withWorker(async (gateway) => {
    await gateway.hello();
    post(gateway, 'send', 9, 'X', '49151', 'text', 'hi', null, null, null, 1);
    gateway.send('acknowledge', { line: 9, token: 1 });
    gateway.send('pair', { line: 9, phone: null });
    gateway.send('close', { line: 9, why: 'released' });
    await gateway.next('closed', (frame) => frame.line === 9);
  }));

test('credentials that cannot be read are a state, and nobody else’s concern', () =>
  withWorker(async (gateway) => {
    await gateway.hello();
    const session = new FakeSession();
    session.creds = Buffer.from('{"no');
    const line = gateway.open(session);
    assert.equal((await gateway.state(line, 'failed')).reason, 'its credentials cannot be read');
    await gateway.next('heartbeat');
  }));

test('a server that cannot be reached is tried again, and sends fail for certain meanwhile', () =>
  withWorker(async (gateway) => {
    await gateway.hello({ wsUrl: 'wss://127.0.0.1:9/ws/chat' });
    const line = gateway.open(new FakeSession());
    assert.equal((await gateway.state(line, 'starting')).reason, null);
    assert.equal((await gateway.state(line, 'starting')).reason, 'the connection was lost');
    gateway.sendText(line, '4915100000', 'X', 'hello');
    const { verdict, code } = await gateway.next('failed');
    assert.deepEqual([verdict, code], ['retry', 'not_connected']);
    await gateway.close(line);
  }));
