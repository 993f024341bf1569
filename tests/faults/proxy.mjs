// A TCP proxy that spoils connections on command: it stands between the daemons and Postgres, Redis and the endpoints.
//
// Ways it can be told to be bad, each for one direction ('up': towards the server, 'down': from it) or for both:
//   {kind: 'delay', delay_ms, jitter_ms}   every piece comes later, in order
//   {kind: 'slice', bytes, gap_ms}         in pieces of at most so many bytes, so far apart
//   {kind: 'throttle', bytes_per_s}
//   {kind: 'black_hole'}                   nothing passes, not even an end; new connections get no answer. What was held passes when it is over
// And at once: cut() ends connections as a server that goes away does, reset() by RST, loseCommit() cuts the connections of which Postgres
// has committed something, when it has and before the client hears of it.
import net from 'node:net';
import { CommitWatch } from './pg_wire.mjs';

const HELD_MAX_BYTES = 256 * 1024; // per direction; beyond that its sender is not read from

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class FaultProxy {
  /** `target()` gives the server's port on this machine, and is asked for each connection. `random()` is for jitter. */
  constructor(target, { random = Math.random, isPostgres = false } = {}) {
    Object.assign(this, { target, random, isPostgres });
    this.toxics = new Set();
    this.links = new Set();
    this.commitsToLose = 0;
    this.commitsLost = 0;
  }

  async start(port = 0) {
    this.server = net.createServer({ allowHalfOpen: true }, (socket) => this.links.add(new Link(this, socket)));
    await new Promise((resolve, reject) => this.server.once('error', reject).listen(port, '127.0.0.1', resolve));
    this.port = this.server.address().port;
  }

  async stop() {
    for (const link of [...this.links]) link.end('cut');
    await new Promise((resolve) => this.server.close(resolve));
  }

  add(toxic) {
    this.toxics.add(toxic);
    return toxic;
  }

  remove(toxic) {
    this.toxics.delete(toxic);
    for (const link of this.links) link.wake();
  }

  /** Bad in that way until the promise ends. */
  async during(toxic, promise) {
    this.add(toxic);
    try {
      await promise;
    } finally {
      this.remove(toxic);
    }
  }

  find(kind, direction) {
    for (const toxic of this.toxics) if (toxic.kind === kind && (toxic.direction ?? 'both') !== other(direction)) return toxic;
    return null;
  }

  cut(share = 1) {
    return this.endSome('cut', share);
  }

  reset(share = 1) {
    return this.endSome('reset', share);
  }

  endSome(how, share) {
    const chosen = [...this.links].filter(() => this.random() < share);
    for (const link of chosen) link.end(how);
    return chosen.length;
  }

  /** The next `count` commits are done and not told of. Resolves to how many were lost by then. */
  async loseCommits(count, timeout_ms) {
    const before = this.commitsLost;
    this.commitsToLose = count;
    const until = Date.now() + timeout_ms;
    while (this.commitsToLose > 0 && Date.now() < until) await sleep(5);
    this.commitsToLose = 0;
    return this.commitsLost - before;
  }
}

function other(direction) {
  return direction === 'up' ? 'down' : 'up';
}

/** A client's connection and ours to the server. */
class Link {
  constructor(proxy, client) {
    this.proxy = proxy;
    this.client = client;
    this.commits = proxy.isPostgres ? new CommitWatch() : null;
    this.up = new Pipe(this, 'up');
    this.down = new Pipe(this, 'down');
    this.watch(client);
    this.up.from(client);
    this.connect();
  }

  async connect() {
    while (this.proxy.find('black_hole', 'up') && !this.isOver) await this.up.waitAwake();
    const port = await Promise.resolve().then(() => this.proxy.target()).catch(() => 0);
    if (this.isOver) return;
    if (!port) return this.end('cut');
    this.backend = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.watch(this.backend);
    this.up.to(this.backend);
    this.down.to(this.client);
    this.down.from(this.backend);
  }

  watch(socket) {
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', (hadError) => this.onClosed(socket, hadError));
  }

  /** A connection that broke breaks the other too, when the news can pass. */
  onClosed(socket, hadError) {
    if (this.isOver) return;
    const pipe = socket === this.client ? this.up : this.down;
    pipe.push({ end: hadError ? 'reset' : 'cut' });
  }

  /** Answers of Postgres: is this one to be lost? Then nothing of it passes. */
  losesCommit(chunk) {
    if (!this.commits?.takeDown(chunk)) return false;
    if (this.proxy.commitsToLose === 0) return false;
    this.proxy.commitsToLose--;
    this.proxy.commitsLost++;
    this.end('reset');
    return true;
  }

  wake() {
    this.up.wake();
    this.down.wake();
  }

  end(how) {
    if (this.isOver) return;
    this.isOver = true;
    this.proxy.links.delete(this);
    this.wake();
    for (const socket of [this.client, this.backend]) {
      if (!socket) continue;
      if (how === 'reset') socket.resetAndDestroy();
      else socket.destroy();
    }
  }
}

/** One direction: pieces in a queue, each with the time at which it may pass. */
class Pipe {
  constructor(link, direction) {
    Object.assign(this, { link, direction });
    this.queue = [];
    this.held = 0;
    this.due = 0; // of the last piece
    this.sleepers = [];
  }

  from(source) {
    this.source = source;
    source.on('data', (chunk) => this.take(chunk));
    source.on('end', () => this.push({ fin: true }));
  }

  to(sink) {
    this.sink = sink;
    this.pump();
  }

  take(chunk) {
    const { proxy, commits } = this.link;
    if (this.direction === 'up') commits?.takeUp(chunk);
    else if (this.link.losesCommit(chunk)) return;
    const slice = proxy.find('slice', this.direction);
    for (const piece of slice ? pieces(chunk, slice.bytes) : [chunk]) this.push({ data: piece, gap_ms: slice?.gap_ms ?? 0 });
  }

  push(item) {
    const { proxy } = this.link;
    const size = item.data?.length ?? 0;
    const delay = proxy.find('delay', this.direction);
    const throttle = proxy.find('throttle', this.direction);
    const now = Date.now();
    this.due = Math.max(this.due, now + (delay ? delay.delay_ms + proxy.random() * (delay.jitter_ms ?? 0) : 0)) +
      (item.gap_ms ?? 0) + (throttle ? (size * 1000) / throttle.bytes_per_s : 0);
    this.queue.push({ ...item, due: this.due });
    this.held += size;
    if (this.held > HELD_MAX_BYTES) this.source.pause();
    this.pump();
  }

  async pump() {
    if (this.isPumping || !this.sink) return;
    this.isPumping = true;
    while (this.queue.length > 0 && !this.link.isOver) {
      const wait_ms = this.queue[0].due - Date.now();
      if (this.link.proxy.find('black_hole', this.direction)) await this.waitAwake();
      else if (wait_ms > 0) await Promise.race([sleep(wait_ms), this.waitAwake()]);
      else await this.pass(this.queue.shift());
    }
    this.isPumping = false;
  }

  async pass(item) {
    if (item.end) return this.link.end(item.end);
    if (item.fin) return void this.sink.end();
    this.held -= item.data.length;
    if (this.held <= HELD_MAX_BYTES && this.source.isPaused()) this.source.resume();
    if (this.sink.destroyed || this.sink.write(item.data)) return;
    await new Promise((resolve) => {
      const go = () => {
        this.sink.off('drain', go).off('close', go);
        resolve();
      };
      this.sink.on('drain', go).on('close', go);
    });
  }

  waitAwake() {
    return new Promise((resolve) => this.sleepers.push(resolve));
  }

  /** What had to wait for a way of being bad that is over goes at once. */
  wake() {
    if (!this.link.proxy.find('delay', this.direction) && !this.link.proxy.find('throttle', this.direction)) {
      this.due = 0;
      for (const item of this.queue) item.due = 0;
    }
    for (const resolve of this.sleepers.splice(0)) resolve();
  }
}

function pieces(chunk, bytes) {
  const list = [];
  for (let at = 0; at < chunk.length; at += bytes) list.push(chunk.subarray(at, at + bytes));
  return list;
}
