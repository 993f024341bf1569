// The server as a whole: accepts clients, tells each from the other, and hands what they say to the part it is for.
import crypto from 'node:crypto';
import { WebSocketServer } from 'ws';
import { Connection } from './connection.mjs';
import { Faults } from './faults.mjs';
import { FirstSync } from './first_sync.mjs';
import { MediaHost } from './media_host.mjs';
import { node, now, Refused, SERVER } from './nodes.mjs';
import { makeIdentity } from './noise.mjs';
import { Pairing } from './pairing.mjs';
import { Phone } from './phone.mjs';
import { answer, clientOf, errorAnswer } from './queries.mjs';
import { Router } from './router.mjs';
import { World } from './world.mjs';

const MAX_NOTES = 200;
// A phone is not that quick to greet a new companion. Baileys relies on it: what comes before it has stored its own LID, just
// after «open», is decrypted under the number, and the next message then finds neither session nor prekey.
const PHONE_TAKES_MS = 500;

export class Double {
  /** root: the key pair that signs the certificate chain. */
  constructor(root) {
    this.identity = makeIdentity(root);
    this.connections = new Set();
    this.counts = {};
    this.failures = []; // the last things that went wrong, in words
    this.note = this.note.bind(this);
    this.faults = new Faults();
    this.media = new MediaHost();
    this.firstSync = new FirstSync();
    this.world = new World((account) => new Phone(account, this));
    this.router = new Router(this.world, this.faults, this.note);
    this.pairing = new Pairing(this.world, this.faults, (device) => this.router.devicesChanged(device.account, 'add', device));
    this.sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  }

  /** Counts; with an error it also keeps what was wrong. */
  note(what, error) {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
    if (!error) return;
    this.failures.push(`${what}: ${error.message}`);
    if (this.failures.length > MAX_NOTES) this.failures.shift();
  }

  upgrade(request, socket, head) {
    if (new URL(request.url, 'https://double').pathname !== '/ws/chat') {
      socket.destroy();
      return;
    }
    this.sockets.handleUpgrade(request, socket, head, (client) => this.connections.add(new Connection(client, this)));
  }

  // --- what a connection tells ---

  async arrive(connection, payload) {
    this.note('connections');
    connection.client = clientOf(payload);
    if (payload.devicePairingData) {
      this.pairing.open(connection, payload);
      return;
    }
    const account = this.world.find(String(payload.username));
    const device = payload.device ? account?.devices.get(payload.device) : undefined;
    const refused = this.faults.take('login_refused', { from: String(payload.username) });
    if (refused) throw new Refused(refused.code, 'told to refuse');
    if (!device || !device.noisePublic.equals(connection.clientStatic)) throw new Refused(401, 'no such device');
    device.connection?.streamError(440, 'replaced');
    connection.device = device;
    device.mailbox.connection = connection;
    this.note('logins');
    connection.send(node('success', { t: now(), lid: device.jid('lid'), location: 'double' }));
    this.tellRouting(connection, device);
  }

  /** Clients give it back on their next connection, before everything else. */
  tellRouting(connection, device) {
    device.routing ??= crypto.randomBytes(9);
    connection.send(node('ib', { from: SERVER }, [node('edge_routing', {}, [node('routing_info', {}, device.routing)])]));
  }

  async take(connection, element) {
    const { device } = connection;
    if (element.tag === 'iq') await this.takeQuery(connection, element);
    else if (!device) return;
    else if (element.tag === 'message') this.takeMessage(connection, element);
    else if (element.tag === 'receipt') this.takeReceipt(connection, element);
    else if (element.tag === 'ack') device.mailbox.acknowledged(element);
    else if (element.tag === 'presence') connection.presence = element.attrs.type ?? connection.presence;
    else if (element.tag === 'chatstate') this.takeTyping(device, element);
    else if (element.tag !== 'ib') this.note(`unknown_${element.tag}`);
  }

  async takeQuery(connection, iq) {
    const [first] = Array.isArray(iq.content) ? iq.content : [];
    if (iq.attrs.type === 'result') {
      if (first?.tag === 'pair-device-sign') this.pairing.signed(connection, first);
      return;
    }
    const facts = { from: connection.device?.account.number, xmlns: iq.attrs.xmlns };
    if (this.faults.take('iq_silent', facts)) return;
    const wrong = this.faults.take('iq_error', facts);
    const slow = this.faults.take('iq_slow', facts);
    const give = () => connection.send(wrong ? errorAnswer(iq, wrong.code, 'told to refuse') : this.answered(connection, iq));
    if (slow) setTimeout(give, slow.ms);
    else give();
  }

  answered(connection, iq) {
    try {
      return answer({ double: this, connection, device: connection.device }, iq);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.note('queries_refused', error);
      return errorAnswer(iq, error.code, error.message);
    }
  }

  takeMessage(connection, element) {
    const { attrs } = element;
    const { error, lost, cut, afterMs } = this.router.message(connection.device, element);
    if (cut) connection.drop();
    if (lost || cut) return;
    const ack = node('ack', { class: 'message', id: attrs.id, from: attrs.to, t: now(), error });
    if (afterMs) setTimeout(() => connection.send(ack), afterMs);
    else connection.send(ack);
  }

  takeReceipt(connection, element) {
    const { id, to, type, participant } = element.attrs;
    this.router.receipt(connection.device, element);
    connection.send(node('ack', { class: 'receipt', id, from: to, type, participant }));
  }

  takeTyping(device, element) {
    this.world.accountOf(element.attrs.to)?.phone.pushChatstate(device.account.number, element.content?.[0]?.tag);
  }

  /** The client is ready for what waits for it. */
  activate(connection) {
    const { device } = connection;
    if (connection.state !== 'open' || device.mailbox.connection !== connection) return;
    device.mailbox.flush(connection);
    if (!device.greeted) setTimeout(() => this.greet(device), PHONE_TAKES_MS).unref();
  }

  greet(device) {
    if (device.greeted) return;
    device.greeted = true;
    this.firstSync.greet(device).catch((error) => this.note('first_sync_failed', error));
  }

  leave(connection) {
    this.connections.delete(connection);
    if (connection.registration) this.pairing.closed(connection.registration);
    const { device } = connection;
    if (device?.mailbox.connection === connection) device.mailbox.connection = null;
  }

  // --- what a person does ---

  /** The phone's owner unlinks a companion, or the companion logs out. */
  removeDevice(device) {
    device.account.devices.delete(device.id);
    device.account.phone.party.forget(`${device.account.number}.${device.id}`);
    device.connection?.streamError(401, 'device_removed');
    this.router.devicesChanged(device.account, 'remove', device);
  }

  close() {
    for (const connection of this.connections) connection.drop();
    this.sockets.close();
  }

  /** Resolves when the phones have dealt with all that they were given: what one does may give another something to do. */
  async rest() {
    for (let done = -1; done !== this.handled(); ) {
      done = this.handled();
      await Promise.all(this.world.accounts.map(({ phone }) => phone.work));
    }
  }

  handled() {
    return this.world.accounts.reduce((sum, { phone }) => sum + phone.given, 0);
  }
}
