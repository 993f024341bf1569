// One client's connection: frames, handshake, nodes in the order in which they came.
import { PROLOGUE, Responder } from './noise.mjs';
import { decode, encode, node, Refused } from './nodes.mjs';

const HANDSHAKE_MS = 20_000;
const MAX_FRAME = 4 << 20;

export class Connection {
  /** double: {identity, arrive(connection, payload), take(connection, node), leave(connection)} */
  constructor(socket, double) {
    this.socket = socket;
    this.double = double;
    this.device = null; // who it is, once logged in
    this.registration = null; // what it wants to become, while pairing
    this.active = false; // it has asked for what waits for it
    this.presence = 'unavailable';
    this.input = Buffer.alloc(0);
    this.introduced = false;
    this.routed = false; // it gave the routing info that an earlier connection was told
    this.noise = new Responder(double.identity);
    this.state = 'hello';
    this.work = Promise.resolve();
    this.serial = 0;
    this.deadline = setTimeout(() => this.close(), HANDSHAKE_MS);
    socket.on('message', (data) => this.feed(data));
    socket.on('error', () => this.close());
    socket.on('close', () => this.closed());
  }

  nextId() {
    this.serial += 1;
    return `double-${this.serial}`;
  }

  /** One after the other: decoding is asynchronous, and order is what clients rely on. */
  feed(data) {
    this.work = this.work.then(() => this.digest(data)).catch((error) => this.fail(error));
  }

  fail(error) {
    if (this.state === 'closed') return;
    const refused = error instanceof Refused;
    this.double.note(refused ? 'connections_refused' : 'connection_failed', refused ? undefined : error);
    if (this.state === 'open' && refused) this.send(node('failure', { reason: error.code, location: 'double' }));
    this.close();
  }

  async digest(data) {
    this.input = Buffer.concat([this.input, data]);
    if (!this.introduced && !this.takeIntroduction()) return;
    while (this.input.length >= 3 && this.state !== 'closed') {
      const length = this.input.readUIntBE(0, 3);
      if (length > MAX_FRAME) throw new Error(`a frame of ${length} bytes`);
      if (this.input.length < 3 + length) return;
      const frame = this.input.subarray(3, 3 + length);
      this.input = this.input.subarray(3 + length);
      await this.takeFrame(frame);
    }
  }

  /** «ED» 0 1, 3 bytes of length and the routing info may come first; then «WA» and two bytes of version. */
  takeIntroduction() {
    let at = 0;
    if (this.input.subarray(0, 2).toString() === 'ED') {
      if (this.input.length < 7) return false;
      at = 7 + this.input.readUIntBE(4, 3);
      this.routed = true;
    }
    if (this.input.length < at + PROLOGUE.length) return false;
    if (!this.input.subarray(at, at + PROLOGUE.length).equals(PROLOGUE)) throw new Error('no WhatsApp client');
    this.input = this.input.subarray(at + PROLOGUE.length);
    this.introduced = true;
    return true;
  }

  async takeFrame(frame) {
    if (this.state === 'hello') {
      this.state = 'finish';
      this.write(this.noise.answerHello(frame));
    } else if (this.state === 'finish') {
      const { clientStatic, payload, reader, writer } = this.noise.finish(frame);
      Object.assign(this, { clientStatic, reader, writer, state: 'open', noise: null });
      clearTimeout(this.deadline);
      await this.double.arrive(this, payload);
    } else {
      const element = await decode(this.reader.open(frame));
      await this.double.take(this, element);
    }
  }

  write(bytes) {
    const head = Buffer.alloc(3);
    head.writeUIntBE(bytes.length, 0, 3);
    this.socket.send(Buffer.concat([head, bytes]));
  }

  send(element) {
    if (this.state === 'open' && this.socket.readyState === this.socket.OPEN) this.write(this.writer.seal(encode(element)));
  }

  /** Ends the stream in order, as WhatsApp does. */
  streamError(code, reason) {
    const content = reason ? [node('conflict', { type: reason })] : undefined;
    // Being replaced is told by the conflict alone.
    this.send(node('stream:error', { code: reason === 'replaced' ? undefined : code }, content));
    this.close();
  }

  close() {
    if (this.state !== 'closed') this.socket.close();
    this.closed();
  }

  /** As if the network had gone. */
  drop() {
    this.socket.terminate();
    this.closed();
  }

  closed() {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.active = false;
    clearTimeout(this.deadline);
    this.double.leave(this);
  }
}
