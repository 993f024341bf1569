// A phone: device 0 of an account. It decrypts what it gets, shows it in an inbox, sends receipts, and writes when told to.
import crypto from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { proto } from 'baileys';
import { build, describe, editAttribute, mediaType, stanzaType } from './contents.mjs';
import { bytesOf, child, children, node, now, parseJid, Refused, uint } from './nodes.mjs';
import { Party } from './party.mjs';
import { keyNode, takeKey } from './queries.mjs';
import { receiptIds } from './mailbox.mjs';

const MAX_KEPT = 20_000;
const MAX_CHATSTATES = 1_000; // that are kept
const MAX_RETRIES = 5;
const BROKEN_BYTE = 10; // from the end: in the MAC of a first message, before it in others

export class Phone {
  /** double: {world, router, faults, media, note()} */
  constructor(account, double) {
    this.account = account;
    this.double = double;
    this.party = new Party();
    this.settings = { online: true, receipts: true, reads: false };
    this.inbox = []; // what it shows, in the order in which it came
    this.shown = new Map(); // «number id» → entry of the inbox
    this.sent = new Map(); // id → what it wrote itself
    this.retries = new Map(); // id → how often it asked for it again
    this.unread = []; // what came while it was offline
    this.undecryptable = 0;
    this.typing = {}; // number → what it shows of that contact now: composing or paused
    this.chatstates = []; // all that came: who, what, and how many messages the phone showed by then
    this.changed = new EventEmitter().setMaxListeners(0);
    this.work = Promise.resolve();
    this.given = 0; // how many things it was given to do
  }

  get device() {
    return this.account.devices.get(0);
  }

  /** One thing after the other, as ratchets must be used. Resolves to what `act` gives. */
  serial(act) {
    this.given += 1;
    const done = this.work.then(act);
    this.work = done.catch(() => {});
    return done;
  }

  /** The mailbox of device 0: what the router delivers. */
  push(element) {
    if (!this.settings.online) this.unread.push(element);
    else this.serial(() => this.take(element)).catch((error) => this.double.note('phone_failed', error));
  }

  set(settings) {
    for (const [name, value] of Object.entries(settings)) {
      if (!(name in this.settings) || typeof value !== 'boolean') throw new Refused(400, `${name} is no setting that is true or false`);
    }
    Object.assign(this.settings, settings);
    if (this.settings.online) for (const element of this.unread.splice(0)) this.push(element);
  }

  async take(element) {
    if (element.tag === 'message') await this.takeMessage(element);
    else if (element.tag === 'receipt') await this.takeReceipt(element);
  }

  /** What is typed at an offline phone's other side is never told. */
  pushChatstate(from, state) {
    if (!this.settings.online) return;
    this.serial(() => {
      this.typing[from] = state;
      this.chatstates.push({ from, state, shown: this.inbox.length });
      if (this.chatstates.length > MAX_CHATSTATES) this.chatstates.shift();
      this.changed.emit('change');
    });
  }

  // --- reading ---

  async takeMessage(element) {
    const sender = this.double.world.deviceOf(element.attrs.from);
    if (!sender) return; // it was unlinked meanwhile
    let message;
    try {
      message = await this.open(sender, element);
    } catch (error) {
      this.double.note('phone_undecryptable', error);
      this.undecryptable += 1;
      this.askAgain(sender, element);
      return;
    }
    if (element.attrs.category === 'peer') this.double.note('peer_messages');
    else this.show(sender, element, message);
  }

  async open(sender, element) {
    const facts = { from: sender.account.number, to: this.account.number };
    if (this.double.faults.take('undecryptable', facts)) throw new Error('told to fail');
    let message = {};
    for (const enc of children(element, 'enc')) {
      if (enc.attrs.type === 'pkmsg' && sender.id !== 0) this.party.checkSender(sender, bytesOf(child(element, 'device-identity')));
      const plain = await this.party.decrypt(nameOf(sender), enc.attrs.type, bytesOf(enc));
      message = { ...message, ...proto.Message.toObject(proto.Message.decode(plain)) };
    }
    return message;
  }

  show(sender, element, decoded) {
    const { attrs } = element;
    const own = sender.account === this.account;
    if (own !== Boolean(decoded.deviceSentMessage)) this.double.note('wrong_wrapping');
    const message = own && decoded.deviceSentMessage ? decoded.deviceSentMessage.message : decoded;
    const name = `${sender.account.number} ${attrs.id}`;
    const known = this.shown.get(name);
    if (known) known.copies += 1;
    else this.add(name, { ...this.addressOf(sender, attrs), ...describe(message, this.double.media) });
    if (own) return;
    delete this.typing[sender.account.number];
    this.sendReceipts(sender, attrs);
  }

  addressOf(sender, attrs) {
    const own = sender.account === this.account;
    const chat = this.double.world.accountOf(own ? attrs.recipient : attrs.from);
    return {
      seq: this.inbox.length + 1,
      id: attrs.id,
      from: sender.account.number,
      from_device: sender.id,
      from_me: own,
      chat: chat?.number ?? parseJid(attrs.recipient)?.user,
      addressing: attrs.addressing_mode,
      at: new Date().toISOString(),
      copies: 1,
    };
  }

  add(name, entry) {
    this.inbox.push(entry);
    this.shown.set(name, entry);
    this.changed.emit('change');
  }

  /** Resolves when `met` holds or the time is over, whichever comes first. */
  async waitUntil(met, timeoutMs) {
    const signal = AbortSignal.timeout(timeoutMs);
    while (!met() && !signal.aborted) await once(this.changed, 'change', { signal }).catch(() => {});
  }

  sendReceipts(sender, { id, from }) {
    if (!this.settings.receipts) return;
    const to = sender.account.jid(parseJid(from).server);
    this.double.router.receipt(this.device, node('receipt', { id, to }));
    if (this.settings.reads) this.double.router.receipt(this.device, node('receipt', { id, to, type: 'read', t: now() }));
  }

  /** The contact opened the chat. */
  read(account, ids) {
    const [first, ...others] = ids;
    if (!first) throw new Refused(400, 'ids wants at least one');
    const items = others.map((id) => node('item', { id }));
    const attrs = { id: first, to: account.jid(), type: 'read', t: now() };
    this.double.router.receipt(this.device, node('receipt', attrs, items.length ? [node('list', {}, items)] : undefined));
  }

  /** From the second time on with keys for a new session. */
  askAgain(sender, { attrs }) {
    const count = (this.retries.get(attrs.id) ?? 0) + 1;
    if (count > MAX_RETRIES) return;
    this.retries.set(attrs.id, count);
    const content = [
      node('retry', { count, id: attrs.id, t: attrs.t, v: 1, error: 0 }),
      node('registration', {}, uint(this.party.registrationId, 4)),
    ];
    if (count > 1) {
      const { identity, signedPreKey, preKey } = this.party.bundle();
      const head = [node('type', {}, Buffer.from([5])), node('identity', {}, identity)];
      content.push(node('keys', {}, [...head, keyNode('key', preKey), keyNode('skey', signedPreKey)]));
    }
    const receipt = { id: attrs.id, to: attrs.from, type: 'retry', recipient: attrs.recipient, t: attrs.t };
    this.double.router.receipt(this.device, node('receipt', receipt, content));
  }

  async takeReceipt(element) {
    const { attrs } = element;
    const from = this.double.world.deviceOf(attrs.from);
    if (!from) return;
    for (const id of receiptIds(element)) {
      const message = this.sent.get(id);
      if (!message) continue;
      message.receipts.push({ type: attrs.type ?? 'delivery', from: from.account.number, from_device: from.id });
      if (attrs.type === 'retry') await this.sendAgain(from, id, message, element);
    }
    this.changed.emit('change');
  }

  // --- writing ---

  /** Writes to another account: request as contents.mjs takes it. Gives the message's id when it is on its way. */
  write(peer, request) {
    return this.serial(() => this.compose(peer, request));
  }

  async compose(peer, request) {
    const server = request.addressing === 'lid' ? 'lid' : 's.whatsapp.net';
    const id = request.id ?? makeId();
    const content = build(request, {
      media: this.double.media,
      keyOf: (target) => ({ remoteJid: peer.jid(server), fromMe: this.sent.has(target), id: target }),
      quote: (target) => this.quote(peer, server, target),
    });
    const message = proto.Message.fromObject(content);
    const sent = { message, peer, server, hideNumber: Boolean(request.hide_number), receipts: [] };
    this.sent.set(id, sent);
    if (this.sent.size > MAX_KEPT) this.sent.delete(this.sent.keys().next().value);
    if (!this.account.tokens.has(peer.number)) this.double.router.giveToken(this.account, peer);
    const participants = [];
    for (const device of [...peer.devices.values(), ...this.account.companions]) {
      const enc = await this.seal(device, sent, {});
      if (enc) participants.push(node('to', { jid: device.jid(server) }, [enc]));
    }
    const attrs = { id, to: peer.jid(server), type: stanzaType(message), edit: editAttribute(message) };
    this.double.router.message(this.device, node('message', attrs, [node('participants', {}, participants)]), sent);
    return id;
  }

  quote(peer, server, target) {
    const mine = this.sent.get(target);
    const entry = this.shown.get(`${peer.number} ${target}`);
    if (!mine && !entry) throw new Refused(404, `there is no message ${target} in this chat`);
    const author = mine ? this.account : peer;
    return { stanzaId: target, participant: author.jid(server), quotedMessage: mine?.message ?? { conversation: entry.body ?? '' } };
  }

  /** The part for one device; undefined for one that has no keys yet. */
  async seal(device, { message, peer, server }, attrs) {
    const name = nameOf(device);
    if (!this.party.hasSession(name)) {
      if (device.id !== 0 && !device.signedPreKey) return undefined;
      await this.party.start(name, this.double.router.bundleOf(device));
    }
    const own = device.account === this.account;
    const content = own ? { deviceSentMessage: { destinationJid: peer.jid(server), message } } : message;
    const { type, bytes } = await this.party.encrypt(name, proto.Message.encode(proto.Message.fromObject(content)).finish());
    if (device.id !== 0 && this.double.faults.take('corrupt', { from: this.account.number, to: device.account.number })) {
      bytes[bytes.length - BROKEN_BYTE] ^= 1;
    }
    const mediatype = mediaType(message);
    return node('enc', { v: 2, type, mediatype, ...attrs }, bytes);
  }

  async sendAgain(device, id, sent, receipt) {
    const count = Number(child(receipt, 'retry')?.attrs.count ?? 1);
    if (count > MAX_RETRIES) return;
    const name = nameOf(device);
    const keys = child(receipt, 'keys');
    this.party.retire(name);
    if (keys) await this.party.start(name, bundleIn(receipt, keys));
    const enc = await this.seal(device, sent, { count });
    const { message, peer, server } = sent;
    const recipient = device.account === this.account ? peer.jid(server) : undefined;
    const attrs = { id, to: device.jid(server), type: stanzaType(message), device_fanout: 'false', recipient };
    this.double.router.message(this.device, node('message', attrs, [enc]), sent);
  }

  /** A message between own devices. */
  async writePeer(device, message) {
    const name = nameOf(device);
    if (!this.party.hasSession(name)) await this.party.start(name, this.double.router.bundleOf(device));
    const { type, bytes } = await this.party.encrypt(name, proto.Message.encode(proto.Message.fromObject(message)).finish());
    const attrs = { id: makeId(), to: device.jid(), type: 'text', category: 'peer' };
    this.double.router.message(this.device, node('message', attrs, [node('enc', { v: 2, type }, bytes)]));
  }
}

const makeId = () => `3A${crypto.randomBytes(9).toString('hex').toUpperCase()}`;
const nameOf = (device) => `${device.account.number}.${device.id}`;

function bundleIn(receipt, keys) {
  const skey = child(keys, 'skey');
  return {
    registrationId: bytesOf(child(receipt, 'registration')).readUInt32BE(),
    identity: bytesOf(child(keys, 'identity')),
    signedPreKey: { ...takeKey(skey), signature: bytesOf(child(skey, 'signature')) },
    preKey: child(keys, 'key') && takeKey(child(keys, 'key')),
  };
}
