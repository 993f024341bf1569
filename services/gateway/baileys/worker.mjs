// Frames to sessions, sessions' lines to frames; the heartbeat; and how the process ends.
import { createRequire } from 'node:module';
import { FrameError } from './frames.mjs';
import { Gateway } from './gateway.mjs';
import { Session } from './session.mjs';
import { setRootKey } from './trust.mjs';

const VERSION = 2;
const FATAL_FLUSH_MS = 1_000;
const baileysVersion = createRequire(import.meta.url)('baileys/package.json').version;

export class Worker {
  #gateway;
  #stream;
  #config = null;
  #sessions = new Map(); // line → Session
  #congested = false;
  #beatDueAt = 0;
  #rejections = 0; // since the last heartbeat

  // stream: a duplex one to the gateway. Its end is ours.
  constructor(stream) {
    this.#stream = stream;
    this.#gateway = new Gateway(stream, (error) => this.#fatal(`bad_frame_${wordOf(error)}`));
  }

  start() {
    for (const event of ['end', 'close', 'error']) this.#stream.on(event, () => process.exit(0));
    process.on('uncaughtException', (error) => this.#fatal(`uncaught_${wordOf(error)}`));
    // Baileys leaves promises to themselves; one that fails there is no reason to end everybody's connection.
    process.on('unhandledRejection', () => {
      this.#rejections++;
    });
    this.#gateway.on('frame', (frame) => this.#take(frame));
    this.#gateway.on('congested', (congested) => {
      this.#congested = congested;
      for (const session of this.#sessions.values()) session.setCongested(congested);
    });
  }

  #take(frame) {
    if (frame.kind === 'hello') this.#hello(frame);
    else if (!this.#config) this.#fatal('no_hello');
    else if (frame.kind === 'open') this.#open(frame);
    else this.#toSession(frame);
  }

  #toSession(frame) {
    const session = this.#sessions.get(frame.line);
    if (frame.kind === 'close') this.#close(frame, session);
    else if (!session) return;
    else if (frame.kind === 'send') session.send(frame);
    else if (frame.kind === 'pair') session.pair(frame.phone);
  }

  #hello({ version, wsUrl, rootKey, heartbeatMs, mediaMaxBytes, readMarks, typing }) {
    if (version !== VERSION || this.#config || heartbeatMs < 1) {
      this.#fatal('bad_hello');
      return;
    }
    try {
      if (wsUrl !== null) new URL(wsUrl);
      if (rootKey !== null) setRootKey(rootKey);
    } catch {
      this.#fatal('bad_hello');
      return;
    }
    this.#config = { wsUrl, mediaMaxBytes, readMarks: readMarks === 1, typing: typing === 1 };
    this.#gateway.send('ready', { version: VERSION, node: process.version, baileys: baileysVersion });
    this.#beatDueAt = performance.now() + heartbeatMs;
    setInterval(() => this.#beat(heartbeatMs), heartbeatMs);
  }

  #beat(heartbeatMs) {
    const { rss, heapUsed } = process.memoryUsage();
    const now = performance.now();
    const lagMs = Math.max(0, Math.round(now - this.#beatDueAt));
    this.#beatDueAt = now + heartbeatMs;
    this.#gateway.send('heartbeat', { rss, heap: heapUsed, lines: this.#sessions.size, lagMs });
    if (this.#rejections > 0) this.#gateway.log('warn', 'unhandled_rejection');
    this.#rejections = 0;
  }

  #open({ line, sessionId, creds }) {
    if (this.#sessions.has(line)) {
      this.#fatal('line_opened_twice');
      return;
    }
    const openLine = (onBroken) => this.#gateway.openLine(line, onBroken);
    let session;
    try {
      session = new Session({ openLine, sessionId, creds, config: this.#config });
    } catch {
      this.#gateway.forgetLine(line);
      this.#gateway.send('state', { line, state: 'failed', reason: 'its credentials cannot be read', phone: null });
      return;
    }
    this.#sessions.set(line, session);
    session.start();
    if (this.#congested) session.setCongested(true);
  }

  async #close({ line, why }, session) {
    await session?.close(why);
    this.#sessions.delete(line);
    this.#gateway.send('closed', { line });
  }

  // Says why and ends, once that is written or a second has passed.
  #fatal(code) {
    this.#gateway.removeAllListeners('frame');
    setTimeout(() => process.exit(1), FATAL_FLUSH_MS);
    this.#gateway.send('fatal', { code });
    this.#stream.end(() => process.exit(1));
  }
}

// A word that holds nothing of anybody: our own kinds of frames and Node's codes.
function wordOf(error) {
  const word = error instanceof FrameError ? error.message : (error?.code ?? error?.name ?? 'error');
  return String(word).toLowerCase().replace(/[^a-z0-9]+/g, '_').slice(0, 60);
}
