// What WhatsApp's stanzas tell: messages on their way through decryption, receipts, acks. A stanza reaches Baileys, which
// acknowledges it, only when the gateway has committed what it says (a receipt), or can commit it within decryption (a
// message; see repository.mjs).
import {
  areJidsSameUser, getBinaryNodeChildren, isHostedLidUser, isHostedPnUser, isLidUser, isPnUser, jidDecode, jidNormalizedUser,
  proto, unpadRandomMax16,
} from 'baileys';
import { contentOf, inboundOf } from './content.mjs';
import { LineBroken } from './gateway.mjs';
import { Lane } from './lane.mjs';
import { downloadMedia } from './media_download.mjs';

const WAITING = 5_000; // stanzas that are not committed yet, of one kind; more end the connection
const LEVELS = new Map([[undefined, 'delivered'], ['read', 'read'], ['played', 'read']]);

const isPerson = (jid) => isPnUser(jid) || isLidUser(jid) || isHostedPnUser(jid) || isHostedLidUser(jid);
const millisecondsOf = (seconds) => Math.floor(Number(seconds) || Date.now() / 1000) * 1000;

export class Receiver {
  #line;
  #creds;
  #overrun;
  #mediaHosts;
  #mediaMaxBytes;
  #readMarks;
  #lidMapping = null;
  #envelopes = new WeakMap(); // ciphertext → what its stanza's envelope says
  #messages = new Lane({ bound: WAITING });
  #receiptsWaiting = 0;

  // mediaHosts(url) → names of the hosts that the server gave for media; readMarks: who tells that a message was read, or
  // null; overrun(): WhatsApp sends more than we can take.
  constructor({ line, creds, mediaHosts, mediaMaxBytes, readMarks, overrun }) {
    this.#line = line;
    this.#creds = creds;
    this.#mediaHosts = mediaHosts;
    this.#mediaMaxBytes = mediaMaxBytes;
    this.#readMarks = readMarks;
    this.#overrun = overrun;
  }

  // Puts itself before Baileys' own handlers of a new socket.
  attach(sock) {
    this.#lidMapping = sock.signalRepository.lidMapping;
    for (const [event, take] of [['CB:message', this.#takeMessage], ['CB:receipt', this.#takeReceipt]]) {
      const handlers = sock.ws.listeners(event);
      sock.ws.removeAllListeners(event);
      const pass = async (node) => {
        for (const handler of handlers) await handler(node);
      };
      sock.ws.on(event, (node) => take.call(this, node, pass).catch(() => {}));
    }
  }

  // --- messages

  // One after the other, and out of Baileys' queue for offline ones: beside it, a new message could overtake an old one.
  async #takeMessage(node, pass) {
    if (this.#messages.isFull) {
      this.#overrun();
      return;
    }
    await this.#messages.run(async () => {
      const envelope = await this.#envelopeOf(node);
      if (envelope === null) {
        this.#line.log('warn', 'sender_without_number');
        return; // not acknowledged: WhatsApp offers it again, and by then its number may be known
      }
      delete node.attrs.offline;
      for (const { content } of getBinaryNodeChildren(node, 'enc')) {
        if (content instanceof Uint8Array) this.#envelopes.set(content, envelope);
      }
      await pass(node);
      if (envelope.isRead) this.#readMarks?.add({ remoteJid: jidNormalizedUser(node.attrs.from), id: node.attrs.id });
    });
  }

  // null: a conversation whose phone number cannot be found out.
  async #envelopeOf({ attrs }) {
    const { me } = this.#creds;
    const own = areJidsSameUser(attrs.from, me?.id) || areJidsSameUser(attrs.from, me?.lid);
    const envelope = { waId: attrs.id, fromMe: own, atMs: millisecondsOf(attrs.t), phone: '' };
    const other = own ? attrs.recipient : attrs.from;
    if (!isPerson(other) || attrs.category === 'peer') return { ...envelope, forNobody: true };
    const named = own ? [attrs.recipient_pn, attrs.peer_recipient_pn] : [attrs.sender_pn, attrs.participant_pn];
    const phone = await this.#phoneOf(other, named);
    if (phone === null) return null;
    return { ...envelope, phone };
  }

  async #phoneOf(jid, alternatives) {
    const digits = (number) => (isPnUser(number) || isHostedPnUser(number) ? jidDecode(number).user : null);
    const own = digits(jid);
    if (own !== null) return own;
    for (const number of alternatives) {
      if (number && digits(number) !== null) return digits(number);
    }
    return digits(await this.#lidMapping.getPNForLID(jid));
  }

  // --- for the repository, in the transaction that decrypts

  // What is committed with the keys: an inbound frame's fields without its changes, or undefined.
  async read(ciphertext, plaintext, keys) {
    const envelope = this.#envelopes.get(ciphertext);
    if (!envelope) return undefined;
    const decoded = proto.Message.decode(unpadRandomMax16(plaintext));
    const message = decoded.deviceSentMessage?.message ?? decoded;
    if (envelope.fromMe && message.protocolMessage) await this.#readOwnDevices(message.protocolMessage, keys);
    const content = envelope.forNobody ? null : contentOf(message);
    envelope.isMessage = content !== null && !content.target && !envelope.fromMe;
    return this.#inbound(envelope, content);
  }

  // A customer's message is with the backend now: after its delivery receipt, which leaves first, it may count as read.
  committed(ciphertext) {
    const envelope = this.#envelopes.get(ciphertext);
    if (envelope?.isMessage) envelope.isRead = true;
  }

  async wasCommitted(ciphertext, error) {
    const envelope = this.#envelopes.get(ciphertext);
    if (!envelope || error instanceof LineBroken) return false;
    return this.#line.isKnown(envelope.waId, envelope.phone);
  }

  async #inbound(envelope, content) {
    const file = content?.file;
    const sha256 = file ? await this.#keep(file, content.contentType) : null;
    const { waId, phone, atMs, fromMe } = envelope;
    return { waId, phone, atMs, fromMe: fromMe ? 1 : 0, sha256, ...inboundOf(content) };
  }

  // Its hash, or null: the message is kept without the file then.
  async #keep(file, contentType) {
    try {
      return await this.#line.keepMedia(contentType, () => this.#download(file));
    } catch (error) {
      if (error instanceof LineBroken) throw error;
      this.#line.log('warn', 'media_not_fetched');
      return null;
    }
  }

  async #download(file) {
    const pieces = [];
    const knownHosts = await this.#mediaHosts(file.url);
    for await (const piece of downloadMedia(file, { knownHosts, maxBytes: this.#mediaMaxBytes })) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  // What the own phone tells this device. Baileys reads it after it has acknowledged it; if we die between the two it is
  // gone for good, so what matters is committed here.
  async #readOwnDevices(message, keys) {
    for (const { keyId, keyData } of message.appStateSyncKeyShare?.keys ?? []) {
      const id = Buffer.from(keyId.keyId).toString('base64');
      await keys.set({ 'app-state-sync-key': { [id]: keyData } });
    }
    const results = message.peerDataOperationRequestResponseMessage?.peerDataOperationResult ?? [];
    for (const { placeholderMessageResendResponse: resent } of results) {
      if (resent?.webMessageInfoBytes) await this.#readResent(resent.webMessageInfoBytes);
    }
  }

  // A message that WhatsApp could not deliver to us, as the phone tells it on our asking.
  async #readResent(bytes) {
    const { key, message, messageTimestamp } = proto.WebMessageInfo.decode(bytes);
    if (!isPerson(key?.remoteJid) || !key.id) return;
    const content = contentOf(message?.deviceSentMessage?.message ?? message);
    const phone = content && (await this.#phoneOf(key.remoteJid, [key.remoteJidAlt]));
    if (!content || phone === null) return;
    const envelope = { waId: key.id, fromMe: Boolean(key.fromMe), atMs: millisecondsOf(messageTimestamp), phone };
    await this.#line.commitInbound(await this.#inbound(envelope, content), []);
  }

  // --- receipts

  async #takeReceipt(node, pass) {
    const level = this.#levelOf(node);
    if (level) {
      if (this.#receiptsWaiting >= WAITING) {
        this.#overrun();
        return;
      }
      this.#receiptsWaiting++;
      try {
        const atMs = millisecondsOf(node.attrs.t);
        await Promise.all(idsOf(node).map((waId) => this.#line.commitReceipt({ waId, level, atMs })));
      } finally {
        this.#receiptsWaiting--;
      }
    }
    await pass(node);
  }

  // undefined: nothing that a customer's message gets from it.
  #levelOf({ attrs }) {
    const { me } = this.#creds;
    const from = attrs.participant ?? attrs.from;
    const own = areJidsSameUser(from, me?.id) || areJidsSameUser(from, me?.lid);
    return own || !isPerson(attrs.from) ? undefined : LEVELS.get(attrs.type);
  }
}

function idsOf(node) {
  const lists = getBinaryNodeChildren(node, 'list');
  const more = lists.flatMap((list) => getBinaryNodeChildren(list, 'item')).map(({ attrs }) => attrs.id);
  return [...new Set([node.attrs.id, ...more])].filter(Boolean);
}
