// The worker's end of the socket pair: frames out, frames in, and for each line what waits for an answer.
import { EventEmitter } from 'node:events';
import { encodeFrame, FrameReader, FROM_GATEWAY, FROM_WORKER } from './frames.mjs';
import { Lane } from './lane.mjs';

const ANSWER_MS = 30_000; // keys, known, message, media
const COMMIT_MS = 60_000; // committed, acknowledge, media_kept
const CHANGES = 5_000; // in one commit
const NAMES = 1_000; // in one question
export const PART_BYTES = 256 * 1024;
const BACKLOG_BYTES = 64 * 1024 * 1024;
const FILES = 4; // at a time in the whole worker

// Why a line's connection must end: `lost` (to another gateway, or for another reason for good), `late`, `closed`.
export class LineBroken extends Error {
  constructor(why) {
    super(`the line is ${why}`);
    this.why = why;
  }
}

const slices = (array, size) =>
  Array.from({ length: Math.ceil(array.length / size) }, (_, i) => array.slice(i * size, (i + 1) * size));

// Events: frame(frame) for what is not an answer; congested(boolean) when WhatsApp's sockets should (not) be read.
export class Gateway extends EventEmitter {
  #stream;
  #reader = new FrameReader(FROM_GATEWAY);
  #lines = new Map();
  #congested = false;
  files = new Lane({ width: FILES, bound: Infinity });

  // stream: a duplex one. onBadFrame(error): the stream is out of step.
  constructor(stream, onBadFrame) {
    super();
    this.#stream = stream;
    stream.on('data', (piece) => {
      let frames;
      try {
        frames = this.#reader.push(piece);
      } catch (error) {
        onBadFrame(error);
        return;
      }
      for (const frame of frames) this.#take(frame);
    });
    stream.on('drain', () => this.#setCongested(false));
  }

  send(kind, fields) {
    this.#stream.write(encodeFrame(FROM_WORKER, kind, fields));
    if (this.#stream.writableLength > BACKLOG_BYTES) this.#setCongested(true);
  }

  log(level, what, line = 0) {
    this.send('log', { line, level, what });
  }

  openLine(number, onBroken) {
    const line = new Line(this, number, onBroken);
    this.#lines.set(number, line);
    return line;
  }

  forgetLine(number) {
    this.#lines.delete(number);
  }

  #take(frame) {
    if (ANSWERS.has(frame.kind)) this.#lines.get(frame.line)?.take(frame);
    else this.emit('frame', frame);
  }

  #setCongested(congested) {
    if (this.#congested === congested) return;
    this.#congested = congested;
    this.emit('congested', congested);
  }
}

const ANSWERS = new Set(['keys', 'committed', 'acknowledge', 'known', 'message', 'media', 'media_kept']);

// One opening of a session. A promise here that cannot be kept rejects with a LineBroken, and onBroken(why) has run before
// it does: the connection is cut before anybody can make an ack of the failure.
export class Line {
  #gateway;
  #onBroken;
  #asked = new Map(); // request or token → { resolve, reject, timer }
  #next = 1;
  #broken = null;
  #credsTurn = Promise.resolve();
  #login = 0; // how often its keys were wiped

  constructor(gateway, number, onBroken) {
    this.#gateway = gateway;
    this.number = number;
    this.#onBroken = onBroken;
  }

  // --- what it tells

  state(state, { reason = null, phone = null } = {}) {
    this.#tell('state', { state, reason, phone });
  }

  code(type, text, validMs) {
    this.#tell('code', { type, text, validMs });
  }

  acked(waId, atMs) {
    this.#tell('acked', { waId, atMs });
  }

  failed(waId, { verdict, code, text, laterMs = 0 }) {
    this.#tell('failed', { waId, verdict, code, text, laterMs });
  }

  log(level, what) {
    this.#tell('log', { level, what });
  }

  // --- what it asks

  async readKeys(names) {
    const answers = [];
    for (const part of slices(names, NAMES)) {
      const { values } = await this.#ask('keys_read', { names: part }, ANSWER_MS);
      answers.push(...part.map((_, i) => values[i] ?? null));
    }
    return answers;
  }

  // creds: bytes or null. Commits with credentials go one after the other.
  commitKeys(creds, changes) {
    const login = this.#login;
    if (!creds) return this.#commit(login, null, changes);
    const turn = this.#credsTurn.then(() => this.#commit(login, creds, changes));
    this.#credsTurn = turn.catch(() => {});
    return turn;
  }

  async #commit(login, creds, changes) {
    const parts = changes.length > 0 ? slices(changes, CHANGES) : [[]];
    for (const [i, part] of parts.entries()) {
      if (login !== this.#login) throw new Error('these keys were wiped');
      const last = i === parts.length - 1;
      await this.#ask('keys_commit', { creds: last ? creds : null, changes: part }, COMMIT_MS);
    }
  }

  // Nothing that was to be committed before comes after it.
  wipe() {
    this.#login += 1;
    return this.#ask('wipe', {}, COMMIT_MS);
  }

  commitInbound(inbound, changes) {
    return this.#hold('inbound', { ...inbound, changes });
  }

  commitReceipt(receipt) {
    return this.#hold('receipt', receipt);
  }

  async isKnown(waId, phone) {
    const { known } = await this.#ask('is_known', { waId, phone }, ANSWER_MS);
    return known === 1;
  }

  // A send's fields, or null.
  async getMessage(waId) {
    const answer = await this.#ask('get_message', { waId }, ANSWER_MS);
    return answer.found === 1 ? answer : null;
  }

  // A file's { contentType, bytes }, or null when it is not there or too large.
  readMedia(sha256, maxBytes) {
    return this.#gateway.files.run(async () => {
      const parts = [];
      for (let offset = 0; ; ) {
        const answer = await this.#ask('media_read', { sha256, offset, size: PART_BYTES }, ANSWER_MS);
        if (answer.bytes === null || answer.total > maxBytes) return null;
        parts.push(answer.bytes);
        offset += answer.bytes.length;
        if (offset >= answer.total) return { contentType: answer.contentType, bytes: Buffer.concat(parts) };
        if (answer.bytes.length === 0) return null;
      }
    });
  }

  // Fetches a file and has it kept: its hash, or null when it could not be kept.
  keepMedia(contentType, fetchBytes) {
    return this.#gateway.files.run(async () => {
      const parts = slices(await fetchBytes(), PART_BYTES);
      if (parts.length === 0) return null;
      this.#check(); // fetching takes its time
      const request = this.#next++;
      const kept = this.#wait(request, COMMIT_MS);
      parts.forEach((bytes, i) => {
        this.#tell('media_write', { request, contentType, bytes, last: i === parts.length - 1 ? 1 : 0 });
      });
      return (await kept).sha256;
    });
  }

  // --- how it ends

  // The gateway closed it: nobody is answered any more.
  close() {
    this.#broken ??= new LineBroken('closed');
    this.#gateway.forgetLine(this.number);
    this.#rejectAll();
  }

  // The session belongs to another gateway now.
  #lose() {
    if (this.#broken) return;
    this.#broken = new LineBroken('lost');
    this.#onBroken('lost');
    this.#rejectAll();
  }

  // One question has no answer that lets the connection go on. What else was asked stays asked: it may be committed yet,
  // and the next connection must know the outcome.
  #fail(number, why) {
    const asked = this.#asked.get(number);
    if (!asked) return;
    this.#asked.delete(number);
    clearTimeout(asked.timer);
    this.#onBroken(why);
    asked.reject(new LineBroken(why));
  }

  take(frame) {
    const number = frame.request ?? frame.token;
    const asked = this.#asked.get(number);
    if (!asked) return; // answered too late
    if (frame.kind === 'committed' && frame.ok !== 1) {
      this.#lose();
    } else {
      this.#asked.delete(number);
      clearTimeout(asked.timer);
      asked.resolve(frame);
    }
  }

  #check() {
    if (this.#broken) throw this.#broken;
  }

  #tell(kind, fields) {
    if (!this.#broken) this.#gateway.send(kind, { line: this.number, ...fields });
  }

  async #ask(kind, fields, limitMs) {
    this.#check();
    const request = this.#next++;
    this.#tell(kind, { request, ...fields });
    return this.#wait(request, limitMs);
  }

  async #hold(kind, fields) {
    this.#check();
    const token = this.#next++;
    this.#tell(kind, { token, ...fields });
    await this.#wait(token, COMMIT_MS);
  }

  // Requests and tokens are numbered together: what an answer belongs to is told by its number alone.
  #wait(number, limitMs) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(number, 'late'), limitMs);
      this.#asked.set(number, { resolve, reject, timer });
    });
  }

  #rejectAll() {
    const all = [...this.#asked.values()];
    this.#asked.clear();
    for (const { reject, timer } of all) {
      clearTimeout(timer);
      reject(this.#broken);
    }
  }
}
