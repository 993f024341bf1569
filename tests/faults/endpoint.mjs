// The customers' endpoint, one path a webhook: writes every receipt into the history and misbehaves on command.
import http from 'node:http';
import net from 'node:net';
import zlib from 'node:zlib';
import { hash } from './random.mjs';

const SLOW_MS = 4000; // beyond WA_WEBHOOK_TIMEOUT
const REFUSED_ONE_IN = 150; // events that are refused although the endpoint is well
const REFUSALS = 3;

export const RETRY_AFTER_S = 2;
const OK = 'HTTP/1.1 200 OK\r\n';

function chunk(bytes) {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

// What it says at first, and then again and again.
const HOSTILE = {
  silent: {},
  drip: { first: `${OK}Content-Length: 100000\r\n\r\n`, again: 'x', every_ms: 1000 },
  drip_head: { again: 'H', every_ms: 1000 },
  endless: { first: `${OK}Transfer-Encoding: chunked\r\n\r\n`, again: `10000\r\n${'c'.repeat(65536)}\r\n`, every_ms: 50 },
  big_headers: { first: `${OK}`, again: `X-Filler: ${'h'.repeat(65500)}\r\n`, every_ms: 20 },
  flood: { again: 'HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n'.repeat(100), every_ms: 20 },
  cut_body: { first: `${OK}Content-Length: 100\r\n\r\nhalf`, end: true },
  bomb: { first: `${OK}Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n`, again: chunk(zlib.gzipSync(Buffer.alloc(64 << 20))), every_ms: 50 }, // 1 to 1,000
  garbage: { first: '\x00\xff not HTTP at all\r\n\r\n', end: true },
};

export const HOSTILE_MODES = Object.keys(HOSTILE);

export class FaultyEndpoint {
  constructor(history, seed, count) {
    this.history = history;
    this.seed = seed;
    this.modes = Array.from({ length: count }, () => 'ok');
    this.wishes = this.modes.map(() => []);
    this.applying = this.modes.map(() => Promise.resolve());
    this.refused = new Map();
    this.sockets = new Set();
    this.servers = [];
  }

  async start() {
    this.servers = await Promise.all(this.modes.map((_, i) => this.listen(i, 0)));
    this.ports = this.servers.map((server) => server.address().port);
  }

  async listen(index, port) {
    const server = http.createServer((req, res) => this.take(index, req, res));
    server.on('connection', (socket) => {
      socket.index = index;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => {});
    });
    await new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return server;
  }

  url(index) {
    return `http://127.0.0.1:${(this.publicPorts ?? this.ports)[index]}/hook/${index}`;
  }

  /**
   * Misbehave until the promise ends: down (nobody listens), slow, error (500), reset (takes the body and cuts the connection), redirect, busy
   * (429 with Retry-After), gone (410), or one of HOSTILE below. Of several at a time the last one counts.
   */
  async misbehave(index, mode, promise) {
    const wish = { mode };
    this.wishes[index].push(wish);
    await this.apply(index);
    await promise;
    this.wishes[index].splice(this.wishes[index].indexOf(wish), 1);
    await this.apply(index);
  }

  apply(index) {
    this.applying[index] = this.applying[index].then(() => this.setMode(index, this.wishes[index].at(-1)?.mode ?? 'ok'));
    return this.applying[index];
  }

  async setMode(index, mode) {
    const before = this.modes[index];
    this.modes[index] = mode;
    if (mode === 'down' && before !== 'down') {
      this.cut(index);
      await new Promise((resolve) => this.servers[index].close(resolve));
    } else if (mode !== 'down' && before === 'down') {
      this.servers[index] = await this.listen(index, this.ports[index]);
    }
  }

  cut(index) {
    for (const socket of this.sockets) if (socket.index === index) socket.destroy();
  }

  async take(index, req, res) {
    const chunks = [];
    try {
      for await (const chunk of req) chunks.push(chunk);
    } catch {
      return; // cut off before it was whole
    }
    const raw = Buffer.concat(chunks).toString('utf8');
    const answer = this.answerOf(index, req.headers['webhook-id']);
    this.history.add('hook', {
      index,
      raw,
      answer,
      retry_after_s: answer === 'busy' ? RETRY_AFTER_S : undefined,
      id: req.headers['webhook-id'],
      timestamp: req.headers['webhook-timestamp'],
      signature: req.headers['webhook-signature'],
      guide_signature: req.headers['x-webhook-signature'],
    });
    if (answer === 'reset') return res.socket.resetAndDestroy();
    if (HOSTILE[answer]) return this.beHostile(index, answer, res.socket);
    if (answer === 'redirect') return res.writeHead(302, { Location: this.url(index) }).end();
    if (answer === 'busy') return res.writeHead(429, { 'Retry-After': String(RETRY_AFTER_S) }).end();
    if (answer === 'gone') return res.writeHead(410).end();
    if (answer === 'answer_and_kill') {
      res.writeHead(200).end('{}');
      return this.onAnswered?.(index);
    }
    if (answer === 'slow') return setTimeout(() => res.destroyed || res.writeHead(200).end('{}'), SLOW_MS).unref();
    res.writeHead(answer).end('{}');
  }

  /** Says what it says until the other side lets go, and notes how long that took. */
  beHostile(index, mode, socket) {
    const begin = Date.now();
    const say = HOSTILE[mode];
    if (say.first) socket.write(say.first);
    const timer = say.again && setInterval(() => socket.writableLength < 1 << 20 && socket.write(say.again), say.every_ms);
    const end = say.end && setTimeout(() => socket.resetAndDestroy(), 100);
    socket.on('close', () => {
      clearInterval(timer);
      clearTimeout(end);
      this.history.add('let_go', { index, mode, after_ms: Date.now() - begin });
    });
  }

  answerOf(index, id) {
    const mode = this.modes[index];
    if (mode === 'error') return 500;
    if (mode !== 'ok') return mode;
    const times = this.refused.get(id) ?? 0;
    if (hash(`${this.seed}/${id}`) % REFUSED_ONE_IN === 0 && times < REFUSALS) {
      this.refused.set(id, times + 1);
      return 422;
    }
    return 200;
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(this.servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

/** Takes connections for https and never ends a handshake: says nothing, or a record that is always about to be whole. */
export class StalledTls {
  constructor(history, index, isDripping) {
    Object.assign(this, { history, index, isDripping, sockets: new Set(), taken: 0 });
  }

  async start() {
    this.server = net.createServer((socket) => this.stall(socket));
    await new Promise((resolve, reject) => this.server.once('error', reject).listen(0, '127.0.0.1', resolve));
    this.url = `https://127.0.0.1:${this.server.address().port}/`;
    return this;
  }

  stall(socket) {
    const begin = Date.now();
    this.taken++;
    this.sockets.add(socket);
    socket.on('error', () => {}).resume();
    if (this.isDripping) socket.write(Buffer.from([22, 3, 3, 0x3f, 0xff, 2])); // a handshake of 16 KiB, begun
    const timer = this.isDripping && setInterval(() => socket.write('\0'), 300);
    socket.on('close', () => {
      clearInterval(timer);
      this.sockets.delete(socket);
      this.history.add('let_go', { index: this.index, mode: this.isDripping ? 'tls_drip' : 'tls_silent', after_ms: Date.now() - begin });
    });
  }

  stop() {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
