// The frames as docs/engine-baileys.md tells them: bytes in pieces, bounds, and what is refused.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { encodeFrame, FRAME_BYTES, FrameError, FrameReader, FROM_GATEWAY, FROM_WORKER } from '../frames.mjs';

const framed = (value) => {
  const body = Buffer.from(encode(value));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
};
const refuses = (bytes, message) => assert.throws(() => new FrameReader(FROM_GATEWAY).push(bytes), { message });

test('frames come whole, however their bytes are cut', () => {
  const bytes = Buffer.concat([
    encodeFrame(FROM_GATEWAY, 'keys', { line: 1, request: 2, values: [Buffer.from('a'), null] }),
    encodeFrame(FROM_GATEWAY, 'acknowledge', { line: 1, token: 4_000_000_000 }),
  ]);
  for (const size of [1, 2, 3, 5, 7, bytes.length]) {
    const reader = new FrameReader(FROM_GATEWAY);
    const frames = [];
    for (let i = 0; i < bytes.length; i += size) frames.push(...reader.push(bytes.subarray(i, i + size)));
    assert.deepEqual(frames.map(({ kind }) => kind), ['keys', 'acknowledge']);
    assert.deepEqual(frames[0].values.map((value) => value && Buffer.from(value).toString()), ['a', null]);
    assert.equal(frames[1].token, 4_000_000_000);
  }
});

test('what the page does not allow is refused', () => {
  refuses(Buffer.from([0, 0, 0, 0]), 'length out of bounds');
  refuses(Buffer.from([0x00, 0x40, 0x00, 0x01]), 'length out of bounds');
  refuses(Buffer.from([0, 0, 0, 1, 0xc1]), 'not msgpack');
  refuses(framed({ kind: 'keys' }), 'not msgpack'); // no maps
  refuses(framed(7), 'unknown kind');
  refuses(framed([]), 'unknown kind');
  refuses(framed(['toString', 1]), 'unknown kind');
  refuses(framed(['acknowledge', 1]), 'acknowledge: wrong count');
  refuses(framed(['acknowledge', 1, 2, 3]), 'acknowledge: wrong count');
  refuses(framed(['acknowledge', 1, 1.5]), 'acknowledge: token is no good');
  refuses(framed(['acknowledge', 1, null]), 'acknowledge: token is no good');
  refuses(framed(['committed', 1, 1, 2]), 'committed: ok is no good');
  refuses(framed(['keys', 1, 1, ['text']]), 'keys: values is no good');
});

test('a frame of the greatest length passes, a longer one is not made', () => {
  const inbound = { line: 1, request: 1, creds: null, changes: [['session/1', Buffer.alloc(FRAME_BYTES - 64)]] };
  const [frame] = new FrameReader(FROM_WORKER).push(encodeFrame(FROM_WORKER, 'keys_commit', inbound));
  assert.equal(frame.changes[0][1].length, FRAME_BYTES - 64);
  inbound.changes[0][1] = Buffer.alloc(FRAME_BYTES);
  assert.throws(() => encodeFrame(FROM_WORKER, 'keys_commit', inbound), FrameError);
});

test('the page tells the same frames', () => {
  const page = readFileSync(new URL('../../../../docs/engine-baileys.md', import.meta.url), 'utf8');
  const [, down, up] = page.split(/^### (?:Gateway to worker|Worker to gateway|Who waits)/m);
  const rows = (text) =>
    new Map([...text.matchAll(/^\| `(\w+)` \| (.*?) \|/gm)].map(([, kind, elements]) => [kind, elements.split(/,(?![^([]*[)\]])/).length]));
  for (const [table, text] of [[FROM_GATEWAY, down], [FROM_WORKER, up]]) {
    const told = rows(text);
    assert.deepEqual([...told.keys()].sort(), Object.keys(table).sort());
    for (const [kind, count] of told) assert.equal(count, Object.keys(table[kind]).length, kind);
  }
});
