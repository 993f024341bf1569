// The frames of docs/engine-baileys.md: a 4-byte big-endian length, then one msgpack array. Encodes and decodes, with
// bounds; every frame that comes in is checked against the table below, and what does not fit is an Error.
import { Decoder, Encoder } from '@msgpack/msgpack';

export const FRAME_BYTES = 4 * 1024 * 1024;
const HEADER_BYTES = 4;

// What an element may be.
const orNil = (is) => (value) => value === null || is(value);
const isArrayOf = (is) => (value) => Array.isArray(value) && value.every(is);
const int = (value) => Number.isSafeInteger(value);
const flag = (value) => value === 0 || value === 1;
const text = (value) => typeof value === 'string';
const bytes = (value) => value instanceof Uint8Array;
const textOrNil = orNil(text);
const bytesOrNil = orNil(bytes);
const changes = isArrayOf((value) => Array.isArray(value) && value.length === 2 && text(value[0]) && bytesOrNil(value[1]));

// The elements after the kind, by name, in their order.
export const FROM_GATEWAY = {
  hello: { version: int, wsUrl: textOrNil, rootKey: textOrNil, heartbeatMs: int, mediaMaxBytes: int, readMarks: flag, typing: flag },
  open: { line: int, sessionId: int, creds: bytesOrNil },
  pair: { line: int, phone: textOrNil },
  close: { line: int, why: text },
  keys: { line: int, request: int, values: isArrayOf(bytesOrNil) },
  committed: { line: int, request: int, ok: flag },
  acknowledge: { line: int, token: int },
  known: { line: int, request: int, known: flag },
  send: {
    line: int, waId: text, phone: text, type: text, body: textOrNil, caption: textOrNil, filename: textOrNil,
    sha256: textOrNil, attempt: int,
  },
  message: {
    line: int, request: int, found: flag, phone: textOrNil, type: textOrNil, body: textOrNil, caption: textOrNil,
    filename: textOrNil, sha256: textOrNil,
  },
  media: { line: int, request: int, total: int, contentType: textOrNil, bytes: bytesOrNil },
  media_kept: { line: int, request: int, sha256: textOrNil },
};

export const FROM_WORKER = {
  ready: { version: int, node: text, baileys: text },
  heartbeat: { rss: int, heap: int, lines: int, lagMs: int },
  fatal: { code: text },
  log: { line: int, level: text, what: text },
  state: { line: int, state: text, reason: textOrNil, phone: textOrNil },
  code: { line: int, type: text, text, validMs: int },
  closed: { line: int },
  keys_read: { line: int, request: int, names: isArrayOf(text) },
  keys_commit: { line: int, request: int, creds: bytesOrNil, changes },
  wipe: { line: int, request: int },
  is_known: { line: int, request: int, waId: text, phone: textOrNil },
  inbound: {
    line: int, token: int, waId: text, phone: text, fromMe: flag, type: text, atMs: int, body: textOrNil,
    filename: textOrNil, contentType: textOrNil, sha256: textOrNil, target: textOrNil, quoted: textOrNil,
    detail: textOrNil, changes,
  },
  receipt: { line: int, token: int, waId: text, level: text, atMs: int },
  acked: { line: int, waId: text, atMs: int },
  failed: { line: int, waId: text, verdict: text, code: text, text, laterMs: int },
  get_message: { line: int, request: int, waId: text },
  media_read: { line: int, request: int, sha256: text, offset: int, size: int },
  media_write: { line: int, request: int, contentType: text, bytes, last: flag },
};

export class FrameError extends Error {}

const encoder = new Encoder({ ignoreUndefined: false, maxDepth: 8 });
const decoder = new Decoder({
  maxStrLength: FRAME_BYTES,
  maxBinLength: FRAME_BYTES,
  maxArrayLength: 16_384,
  maxMapLength: 0,
  maxExtLength: 0,
});

// The bytes of one frame. Throws when a field is missing or of the wrong kind: that is a bug of ours.
export function encodeFrame(table, kind, fields) {
  const array = [kind];
  for (const [name, is] of Object.entries(table[kind])) {
    const value = fields[name] ?? null;
    if (!is(value)) throw new FrameError(`${kind}: ${name} is no good`);
    array.push(value);
  }
  const body = encoder.encodeSharedRef(array);
  if (body.length > FRAME_BYTES) throw new FrameError(`${kind}: too long`);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  frame.set(body, HEADER_BYTES);
  return frame;
}

function decodeBody(table, body) {
  let array;
  try {
    array = decoder.decode(body);
  } catch {
    throw new FrameError('not msgpack');
  }
  const kind = Array.isArray(array) ? array[0] : undefined;
  if (typeof kind !== 'string' || !Object.hasOwn(table, kind)) throw new FrameError('unknown kind');
  const names = Object.entries(table[kind]);
  if (array.length !== names.length + 1) throw new FrameError(`${kind}: wrong count`);
  const frame = { kind };
  names.forEach(([name, is], i) => {
    if (!is(array[i + 1])) throw new FrameError(`${kind}: ${name} is no good`);
    frame[name] = array[i + 1];
  });
  return frame;
}

// Takes bytes as they come and gives whole frames. Throws a FrameError for good: the stream is out of step after it.
export class FrameReader {
  #table;
  #pieces = [];
  #size = 0;

  constructor(table) {
    this.#table = table;
  }

  // The frames that are complete now.
  push(piece) {
    this.#pieces.push(piece);
    this.#size += piece.length;
    const frames = [];
    for (;;) {
      if (this.#size < HEADER_BYTES) return frames;
      const length = this.#peekLength();
      if (length < 1 || length > FRAME_BYTES) throw new FrameError('length out of bounds');
      if (this.#size < HEADER_BYTES + length) return frames;
      const all = this.#join();
      // A copy: what is kept of a frame must not keep the whole piece.
      frames.push(decodeBody(this.#table, Buffer.from(all.subarray(HEADER_BYTES, HEADER_BYTES + length))));
      const rest = all.subarray(HEADER_BYTES + length);
      this.#pieces = rest.length > 0 ? [rest] : [];
      this.#size = rest.length;
    }
  }

  #peekLength() {
    if (this.#pieces[0].length < HEADER_BYTES) this.#join();
    return this.#pieces[0].readUInt32BE(0);
  }

  #join() {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces, this.#size)];
    return this.#pieces[0];
  }
}
