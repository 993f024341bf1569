// The customers' endpoint, one path a webhook: writes every receipt into the history and misbehaves on command.
import http from 'node:http';
import { hash } from './random.mjs';

const SLOW_MS = 4000; // beyond WA_WEBHOOK_TIMEOUT
const REFUSED_ONE_IN = 150; // events that are refused although the endpoint is well
const REFUSALS = 3;

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
    return `http://127.0.0.1:${this.ports[index]}/hook/${index}`;
  }

  /**
   * Misbehave until the promise ends: down (nobody listens), slow, error (500) or reset (takes the body and cuts the connection).
   * Of several at a time the last one counts.
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
      id: req.headers['webhook-id'],
      timestamp: req.headers['webhook-timestamp'],
      signature: req.headers['webhook-signature'],
      guide_signature: req.headers['x-webhook-signature'],
    });
    if (answer === 'reset') return res.socket.resetAndDestroy();
    if (answer === 'slow') return setTimeout(() => res.destroyed || res.writeHead(200).end('{}'), SLOW_MS).unref();
    res.writeHead(answer).end('{}');
  }

  answerOf(index, id) {
    const mode = this.modes[index];
    if (mode === 'slow' || mode === 'reset') return mode;
    if (mode === 'error') return 500;
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
