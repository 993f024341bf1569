// A line: questions and answers, deadlines, and how it ends.
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { mock, test } from 'node:test';
import { encodeFrame, FrameReader, FROM_GATEWAY, FROM_WORKER } from '../frames.mjs';
import { Gateway, LineBroken } from '../gateway.mjs';

function make() {
  const reader = new FrameReader(FROM_WORKER);
  const sent = [];
  const stream = new Duplex({
    read() {},
    write(piece, _encoding, done) {
      sent.push(...reader.push(piece));
      done();
    },
  });
  const broken = [];
  const bad = [];
  const gateway = new Gateway(stream, (error) => bad.push(error.message));
  const line = gateway.openLine(7, (why) => broken.push(why));
  const answer = (kind, fields) => stream.push(encodeFrame(FROM_GATEWAY, kind, { line: 7, ...fields }));
  return { gateway, line, sent, broken, bad, answer, stream };
}

test('answers find their questions, in whatever order they come', async () => {
  const { line, sent, answer } = make();
  const first = line.readKeys(['session/a']);
  const second = line.isKnown('X', '49');
  answer('known', { request: sent[1].request, known: 1 });
  answer('keys', { request: sent[0].request, values: [null] });
  assert.equal(await second, true);
  assert.deepEqual(await first, [null]);
});

test('commits with credentials go one after the other, and long ones in parts', async () => {
  const { line, sent, answer } = make();
  const changes = Array.from({ length: 5_001 }, (_, i) => [`pre-key/${i}`, null]);
  const first = line.commitKeys(Buffer.from('1'), changes);
  const second = line.commitKeys(Buffer.from('2'), []);
  for (const count of [1, 2, 3]) {
    await new Promise(setImmediate);
    assert.equal(sent.length, count);
    answer('committed', { request: sent.at(-1).request, ok: 1 });
  }
  await Promise.all([first, second]);
  assert.deepEqual(sent.map(({ creds, changes: { length } }) => [creds && String.fromCharCode(creds[0]), length]), [[null, 5_000], ['1', 1], ['2', 0]]);
});

test('a session that is lost answers nobody any more, and says so before anybody hears of it', async () => {
  const { line, sent, answer, broken } = make();
  const waiting = line.commitReceipt({ waId: 'X', level: 'read', atMs: 1 });
  const commit = line.commitKeys(null, [['session/a', null]]);
  answer('committed', { request: sent[1].request, ok: 0 });
  for (const promise of [waiting, commit]) {
    await assert.rejects(promise, (error) => error instanceof LineBroken && error.why === 'lost' && broken.length === 1);
  }
  await assert.rejects(line.readKeys(['session/a']), LineBroken);
  line.acked('X', 1);
  assert.equal(sent.length, 2);
});

test('what is not answered in time ends the connection, and nothing else that waits', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { line, sent, answer, broken } = make();
  const late = line.readKeys(['session/a']);
  const patient = line.commitInbound(
    { waId: 'X', phone: '49', fromMe: 0, type: 'text', atMs: 1, body: 'hello' },
    [],
  );
  mock.timers.tick(30_000);
  await assert.rejects(late, { why: 'late' });
  assert.deepEqual(broken, ['late']);
  answer('acknowledge', { token: sent[1].token });
  await patient;
});

test('a bad frame is told once the stream is out of step', async () => {
  const { stream, bad } = make();
  stream.push(Buffer.from([0, 0, 0, 1, 0xc1]));
  await new Promise(setImmediate);
  assert.deepEqual(bad, ['not msgpack']);
});

test('while the gateway does not take what comes, WhatsApp is not read', async () => {
  const held = [];
  const stream = new Duplex({ read() {}, write: (_piece, _encoding, done) => held.push(done) });
  const gateway = new Gateway(stream, () => {});
  const told = [];
  gateway.on('congested', (congested) => told.push(congested));
  const line = gateway.openLine(1, () => {});
  const value = Buffer.alloc(4_000_000);
  const commits = Array.from({ length: 20 }, () => line.commitKeys(null, [['session/a', value]]));
  assert.deepEqual(told, [true]);
  while (held.length > 0) {
    held.shift()();
    await new Promise(setImmediate);
  }
  assert.deepEqual(told, [true, false]);
  line.close();
  for (const commit of commits) await assert.rejects(commit, { why: 'closed' });
});

test('a file goes in parts, four at a time', async () => {
  const { line, sent, answer } = make();
  const files = Array.from({ length: 5 }, (_, i) => line.keepMedia('image/png', async () => Buffer.alloc(300_000, i)));
  await new Promise(setImmediate);
  const writes = () => sent.filter(({ kind }) => kind === 'media_write');
  assert.equal(writes().length, 8);
  assert.deepEqual(writes().slice(0, 2).map(({ bytes, last }) => [bytes.length, last]), [[262_144, 0], [37_856, 1]]);
  answer('media_kept', { request: writes()[1].request, sha256: 'aa' });
  assert.equal(await files[0], 'aa');
  await new Promise(setImmediate);
  assert.equal(writes().length, 10);
  for (const i of [3, 5, 7, 9]) answer('media_kept', { request: writes()[i].request, sha256: null });
  assert.deepEqual(await Promise.all(files.slice(1)), [null, null, null, null]);
});
