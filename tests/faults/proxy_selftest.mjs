// Does the proxy do what it says? Each way of being bad over real connections to a server that answers each piece with itself.
import assert from 'node:assert/strict';
import net from 'node:net';
import { CommitWatch } from './pg_wire.mjs';
import { FaultProxy } from './proxy.mjs';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Client {
  constructor(port) {
    this.pieces = [];
    this.socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('data', (data) => this.pieces.push({ data: data.toString(), t: Date.now() }));
    this.socket.on('error', (error) => { this.error = error.code; });
    this.closed = new Promise((resolve) => this.socket.on('close', resolve));
    this.ended = new Promise((resolve) => this.socket.on('end', resolve));
  }

  /** How long it took until the whole text was back, in ms; fails after the limit. */
  async echo(text, limit_ms = 3000) {
    const begin = Date.now();
    const before = this.text().length;
    this.socket.write(text);
    while (this.text().length < before + text.length) {
      if (Date.now() - begin > limit_ms) throw new Error(`no answer within ${limit_ms} ms`);
      await sleep(2);
    }
    assert.equal(this.text().slice(before), text);
    return Date.now() - begin;
  }

  text() {
    return this.pieces.map((p) => p.data).join('');
  }
}

const TESTS = {
  async 'passes everything on, unchanged, and ends with the server'({ proxy, client }) {
    await client.echo('x'.repeat(1_000_000));
    client.socket.end();
    await client.closed;
    assert.equal(client.error, undefined);
    assert.equal(proxy.links.size, 0);
  },
  async 'delays each direction by itself'({ proxy, client }) {
    await client.echo('a');
    for (const [direction, least] of [['up', 100], ['down', 100], ['both', 200]]) {
      const toxic = proxy.add({ kind: 'delay', delay_ms: 100, jitter_ms: 20, direction });
      const took = await client.echo('b');
      assert.ok(took >= least && took < least + 150, `${direction}: ${took} ms`);
      proxy.remove(toxic);
    }
    assert.ok(await client.echo('c') < 80);
  },
  async 'slices'({ proxy, client }) {
    proxy.add({ kind: 'slice', bytes: 10, gap_ms: 5, direction: 'down' });
    const took = await client.echo('0123456789'.repeat(10));
    assert.ok(client.pieces.length >= 5, `${client.pieces.length} pieces`);
    assert.ok(client.pieces.every((p) => p.data.length % 10 === 0));
    assert.ok(took >= 45, `${took} ms`);
  },
  async 'throttles'({ proxy, client }) {
    proxy.add({ kind: 'throttle', bytes_per_s: 10_000, direction: 'up' });
    const took = await client.echo('y'.repeat(3000));
    assert.ok(took >= 280 && took < 900, `${took} ms`);
  },
  async 'is a black hole, and lets go of what it held'({ proxy, client, server }) {
    await client.echo('a');
    const toxic = proxy.add({ kind: 'black_hole' });
    const late = client.echo('b');
    const stranger = new Client(proxy.port);
    stranger.socket.write('c');
    await sleep(150);
    assert.equal(client.text(), 'a');
    assert.equal(server.connections.length, 1, 'somebody came through');
    proxy.remove(toxic);
    assert.ok(await late >= 140);
    while (stranger.text() !== 'c') await sleep(2);
    stranger.socket.destroy();
  },
  async 'is a black hole for answers alone'({ proxy, client, server }) {
    await client.echo('a');
    const toxic = proxy.add({ kind: 'black_hole', direction: 'down' });
    const late = client.echo('b');
    while (server.taken !== 'ab') await sleep(2);
    await sleep(50);
    assert.equal(client.text(), 'a');
    proxy.remove(toxic);
    await late;
  },
  async 'keeps ends of connections in a black hole too'({ proxy, client, server }) {
    await client.echo('a');
    const toxic = proxy.add({ kind: 'black_hole' });
    server.connections[0].destroy();
    assert.equal(await Promise.race([client.closed.then(() => 'closed'), client.ended.then(() => 'ended'), sleep(150)]), undefined);
    proxy.remove(toxic);
    await Promise.race([client.closed, client.ended]);
  },
  async 'cuts'({ proxy, client }) {
    await client.echo('a');
    assert.equal(proxy.cut(), 1);
    await client.ended;
    assert.equal(client.error, undefined);
  },
  async 'resets'({ proxy, client }) {
    await client.echo('a');
    assert.equal(proxy.reset(), 1);
    await client.closed;
    assert.equal(client.error, 'ECONNRESET');
  },
  async 'resets while much is under way'({ proxy, client }) {
    proxy.add({ kind: 'throttle', bytes_per_s: 100_000 });
    client.socket.write('z'.repeat(1_000_000));
    while (client.pieces.length === 0) await sleep(2);
    proxy.reset();
    await client.closed;
    assert.ok(client.text().length < 1_000_000);
  },
  async 'refuses as the server does'() {
    const proxy = new FaultProxy(() => 1); // nothing listens on that port
    await proxy.start();
    const client = new Client(proxy.port);
    await client.closed;
    assert.equal(client.error, 'ECONNRESET');
    await proxy.stop();
  },
  async 'knows a commit on the wire'() {
    const watch = new CommitWatch();
    const up = (type, ...parts) => frame(type, Buffer.concat(parts.map((p) => Buffer.from(p))));
    const z = (status) => frame('Z', Buffer.from(status));
    watch.takeUp(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])); // SSLRequest
    watch.takeUp(Buffer.concat([Buffer.from([0, 0, 0, 9, 0, 3, 0, 0, 0])]));
    assert.equal(watch.takeDown(Buffer.concat([Buffer.from('N'), frame('R', Buffer.alloc(4)), z('I')])), false);
    watch.takeUp(up('P', 'r\0select 1\0', [0, 0]));
    const parse = up('P', 'w\0WITH i AS (SELECT 1) INSERT INTO t SELECT * FROM i\0', [0, 0]);
    watch.takeUp(parse.subarray(0, 9));
    watch.takeUp(Buffer.concat([parse.subarray(9), up('B', '\0w\0'), up('S'), up('B', '\0r\0'), up('S'), up('B', '\0w\0'), up('S'), up('B', '\0w\0'), up('S')]));
    assert.equal(watch.takeDown(z('I').subarray(0, 3)), false);
    assert.equal(watch.takeDown(z('I').subarray(3)), true, 'the write');
    assert.equal(watch.takeDown(z('I')), false, 'the read');
    assert.equal(watch.takeDown(Buffer.concat([frame('E', Buffer.from('SERROR\0\0')), z('I')])), false, 'the write that failed');
    assert.equal(watch.takeDown(z('T')), false, 'not committed yet');
  },
  async 'loses the answer to a commit, of what writes only'({ proxy, server }) {
    server.answer = () => frame('Z', Buffer.from('I'));
    const client = new Client(proxy.port);
    const lost = proxy.loseCommits(1, 2000);
    client.socket.write(Buffer.from([0, 0, 0, 9, 0, 3, 0, 0, 0]));
    while (client.text().length < 6) await sleep(2);
    client.socket.write(frame('Q', Buffer.from('select 1\0')));
    while (client.text().length < 12) await sleep(2);
    client.socket.write(frame('Q', Buffer.from('insert into t values (1)\0')));
    await client.closed;
    assert.equal(client.error, 'ECONNRESET');
    assert.equal(client.text().length, 12);
    assert.equal(await lost, 1);
    assert.match(server.taken, /insert/);
  },
};

function frame(type, body) {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

async function startServer() {
  const server = { connections: [], taken: '', answer: (data) => data };
  server.net = net.createServer((socket) => {
    server.connections.push(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      server.taken += data.toString('latin1');
      socket.write(server.answer(data));
    });
  });
  await new Promise((resolve) => server.net.listen(0, '127.0.0.1', resolve));
  return server;
}

/** A list of complaints about the proxy. */
export async function proxySelftest() {
  const wrong = [];
  for (const [name, test] of Object.entries(TESTS)) {
    const server = await startServer();
    const proxy = new FaultProxy(() => server.net.address().port, { isPostgres: /commit/.test(name) });
    await proxy.start();
    const client = new Client(proxy.port);
    try {
      await Promise.race([test({ proxy, client, server }), sleep(10_000).then(() => { throw new Error('not over after 10 s'); })]);
    } catch (error) {
      wrong.push(`«${name}»: ${error.message}`);
    }
    client.socket.destroy();
    await proxy.stop();
    for (const socket of server.connections) socket.destroy();
    await new Promise((resolve) => server.net.close(resolve));
  }
  return wrong;
}
