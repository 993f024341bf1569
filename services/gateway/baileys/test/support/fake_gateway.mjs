// The gateway's side of the frames, with a memory where Postgres would be. Starts the worker, keeps keys and messages,
// and lets a test decide when something is committed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeFrame, FrameReader, FROM_GATEWAY, FROM_WORKER } from '../../frames.mjs';

const MAIN = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'main.mjs');
const WAIT_MS = 20_000;

// Its end of a session: what the product's tables would hold.
export class FakeSession {
  creds = null;
  keys = new Map(); // name → bytes
  inbound = []; // in the order of their commits, each once
  offers = []; // every inbound frame as it came
  receipts = [];
  messages = new Map(); // id → send frame's fields, for retry receipts
}

export class FakeGateway {
  frames = []; // all that came, in order
  #waiting = [];
  #nextLine = 1;
  #lines = new Map(); // line → FakeSession
  #worker;
  media = new Map(); // sha256 → { contentType, bytes }
  #writes = new Map();
  // What a test may put in the way: each gets the frame and answers true when it has taken it.
  on = {};

  constructor({ env = {} } = {}) {
    this.#worker = spawn(process.execPath, [MAIN], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production', ...env },
    });
    this.output = ''; // of the worker: must stay empty
    for (const stream of [this.#worker.stdout, this.#worker.stderr]) {
      stream.on('data', (piece) => {
        this.output += piece;
      });
    }
    this.pipe = this.#worker.stdio[3];
    this.pipe.on('error', () => {}); // the worker may be gone
    this.reader = new FrameReader(FROM_WORKER);
    this.pipe.on('data', (piece) => this.reader.push(piece).forEach((frame) => this.#take(frame)));
    this.exited = new Promise((resolve) => {
      this.#worker.once('exit', (code, signal) => resolve({ code, signal }));
    });
  }

  get pid() {
    return this.#worker.pid;
  }

  async hello({ wsUrl = null, rootKey = null, mediaMaxBytes = 16 << 20, readMarks = 0, typing = 0 } = {}) {
    this.send('hello', { version: 2, wsUrl, rootKey, heartbeatMs: 500, mediaMaxBytes, readMarks, typing });
    return this.next('ready');
  }

  open(session, sessionId = 1) {
    const line = this.#nextLine++;
    this.#lines.set(line, session);
    this.send('open', { line, sessionId, creds: session.creds });
    return line;
  }

  async close(line, why = 'released') {
    this.send('close', { line, why });
    await this.next('closed', (frame) => frame.line === line);
    this.#lines.delete(line);
  }

  send(kind, fields) {
    this.pipe.write(encodeFrame(FROM_GATEWAY, kind, fields));
  }

  sendText(line, phone, waId, body) {
    this.sendMessage(line, { phone, waId, type: 'text', body });
  }

  sendMessage(line, fields) {
    const message = { body: null, caption: null, filename: null, sha256: null, attempt: 1, ...fields };
    this.#lines.get(line).messages.set(message.waId, message);
    this.send('send', { line, ...message });
  }

  // The next frame of that kind that fits and was not taken yet.
  next(kind, fits = () => true, limitMs = WAIT_MS) {
    const matches = (frame) => !frame.taken && frame.kind === kind && fits(frame);
    const found = this.frames.find(matches);
    if (found) {
      found.taken = true;
      return Promise.resolve(found);
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1); // or it would take a frame that comes later
        const seen = this.frames.slice(-12).map(({ kind: k, state, reason, code, what }) => [k, state, reason, code, what]);
        reject(new Error(`no ${kind} came; the last frames: ${JSON.stringify(seen)}`));
      }, limitMs);
      const waiting = { matches, resolve: (frame) => { clearTimeout(timer); resolve(frame); } };
      this.#waiting.push(waiting);
    });
  }

  state(line, state) {
    return this.next('state', (frame) => frame.line === line && frame.state === state);
  }

  // What it had written is still taken, before anybody else may read its keys.
  async kill() {
    const emptied = new Promise((resolve) => this.pipe.once('close', resolve));
    this.#worker.kill('SIGKILL');
    await Promise.all([this.exited, emptied]);
  }

  async stop() {
    this.pipe.end();
    const timer = setTimeout(() => this.#worker.kill('SIGKILL'), 5_000);
    const how = await this.exited;
    clearTimeout(timer);
    return how;
  }

  #take(frame) {
    this.frames.push(frame);
    const index = this.#waiting.findIndex(({ matches }) => matches(frame));
    if (index >= 0) {
      frame.taken = true;
      this.#waiting.splice(index, 1)[0].resolve(frame);
    }
    const session = this.#lines.get(frame.line);
    if (!session && frame.line) return;
    if (this.on[frame.kind]?.(frame)) return;
    this.answer(frame);
  }

  // What a gateway whose Postgres is well would answer.
  answer(frame) {
    const { kind, line, request, token } = frame;
    const session = this.#lines.get(line);
    switch (kind) {
      case 'keys_read':
        this.send('keys', { line, request, values: frame.names.map((name) => session.keys.get(name) ?? null) });
        break;
      case 'keys_commit':
        this.#keep(session, frame.changes, frame.creds);
        this.send('committed', { line, request, ok: 1 });
        break;
      case 'wipe':
        session.creds = null;
        session.keys.clear();
        this.send('committed', { line, request, ok: 1 });
        break;
      case 'is_known': {
        const known = session.inbound.some(({ waId }) => waId === frame.waId);
        this.send('known', { line, request, known: known ? 1 : 0 });
        break;
      }
      case 'inbound':
        this.commitInbound(frame);
        this.send('acknowledge', { line, token });
        break;
      case 'receipt':
        session.receipts.push(frame);
        this.send('acknowledge', { line, token });
        break;
      case 'get_message':
        this.#answerMessage(session, frame);
        break;
      case 'media_read':
        this.#answerMedia(frame);
        break;
      case 'media_write':
        this.#keepMedia(frame);
        break;
      default:
    }
  }

  commitInbound(frame) {
    const session = this.#lines.get(frame.line);
    this.#keep(session, frame.changes, null);
    session.offers.push(frame);
    if (!session.inbound.some(({ waId }) => waId === frame.waId)) session.inbound.push(frame);
  }

  #keep(session, changes, creds) {
    for (const [name, bytes] of changes) {
      if (bytes) session.keys.set(name, bytes);
      else session.keys.delete(name);
    }
    if (creds) session.creds = creds;
  }

  #answerMessage(session, { line, request, waId }) {
    const message = session.messages.get(waId);
    const nothing = { phone: null, type: null, body: null, caption: null, filename: null, sha256: null };
    this.send('message', { line, request, ...nothing, ...message, found: message ? 1 : 0 });
  }

  #answerMedia({ line, request, sha256, offset, size }) {
    const file = this.media.get(sha256);
    const part = file?.bytes.subarray(offset, offset + size) ?? null;
    const about = { total: file?.bytes.length ?? 0, contentType: file?.contentType ?? null };
    this.send('media', { line, request, ...about, bytes: part });
  }

  // What a customer's media_url brought.
  addMedia(contentType, bytes) {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.media.set(sha256, { contentType, bytes });
    return sha256;
  }

  #keepMedia({ line, request, contentType, bytes, last }) {
    const key = `${line} ${request}`;
    const parts = this.#writes.get(key) ?? [];
    parts.push(bytes);
    this.#writes.set(key, parts);
    if (!last) return;
    this.#writes.delete(key);
    this.send('media_kept', { line, request, sha256: this.addMedia(contentType, Buffer.concat(parts)) });
  }
}
