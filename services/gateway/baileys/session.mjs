// A WhatsApp session while its line is open: which credentials it has, one connection after the other, and what its state
// is. Remembers nothing beyond the line.
import { initAuthCreds, jidDecode, S_WHATSAPP_NET } from 'baileys';
import { connect } from './connection.mjs';
import { decodeCreds, KeyStore } from './key_store.mjs';
import { backoffMs, longWaitMs, whatNext } from './reasons.mjs';
import { Sender } from './sender.mjs';
import { Typing } from './typing.mjs';

const FIRST_QR_MS = 60_000;
const NEXT_QR_MS = 20_000;
const PAIRING_CODE_MS = 160_000;
const SETTLED_MS = 60_000; // a connection that held for so long begins the backoff afresh
const LOGOUT_MS = 3_000;
const RESTARTS = 3; // at once; more of them are tried like any other loss

const userOf = (jid) => (jid ? jidDecode(jid).user : null);

export class Session {
  #line;
  #config;
  #owner;
  #creds;
  #store = null;
  #connection = null;
  #sender;
  #state = null;
  #reason = null;
  #tries = 0;
  #longWaits = 0;
  #timer = null;
  #connectedAt = 0; // 0: not since the last try
  #pairingPhone = null; // digits: by code; null: by QR
  #qrCodes = 0;
  #restarts = 0; // since it was connected last
  #congested = false;
  #closed = false;

  // openLine(onBroken) → the line. creds: bytes, or null: never paired.
  constructor({ openLine, sessionId, creds, config }) {
    this.#line = openLine((why) => this.#onBroken(why));
    this.#owner = sessionId;
    this.#config = config;
    this.#begin(creds ? decodeCreds(creds) : initAuthCreds());
    this.#sender = new Sender({ line: this.#line, mediaMaxBytes: config.mediaMaxBytes, typing: new Typing(config.typing) });
  }

  start() {
    this.#setState('starting');
    this.#connect();
  }

  get isPaired() {
    return Boolean(this.#creds.account);
  }

  // WhatsApp's socket is not read while the gateway does not take what comes from it.
  setCongested(congested) {
    this.#congested = congested;
    const raw = this.#connection?.sock.ws.socket;
    if (congested) raw?.pause();
    else raw?.resume();
  }

  send(frame) {
    this.#sender.send(frame);
  }

  // By pairing code for a phone's digits, else by QR.
  pair(phone) {
    if (this.isPaired || this.#closed) return;
    const asBefore = this.#pairingPhone === phone && phone === null && this.#connection !== null;
    if (asBefore) return; // its codes are on their way
    this.#pairingPhone = phone;
    this.#pairAnew();
  }

  // why: `released` or `deleted`.
  async close(why) {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (why === 'deleted' && this.isPaired && this.#state === 'connected') await this.#logOut();
    this.#disconnect();
    this.#line.close();
  }

  #begin(creds) {
    this.#store?.end();
    this.#creds = creds;
    this.#store = new KeyStore({ line: this.#line, creds });
  }

  // --- connections

  #connect() {
    this.#timer = null;
    this.#qrCodes = 0;
    const connection = connect({
      owner: this.#owner,
      line: this.#line,
      store: this.#store,
      creds: this.#creds,
      config: this.#config,
      getMessage: (waId) => this.#sender.message(waId),
      events: {
        update: (update) => this.#isCurrent(connection) && this.#onUpdate(update),
        acked: (node) => this.#sender.acked(node),
        credsChanged: (changes) => this.#isCurrent(connection) && this.#onCredsChanged(changes),
        overrun: () => this.#isCurrent(connection) && this.#onOverrun(),
      },
    });
    this.#connection = connection;
  }

  #isCurrent(connection) {
    return this.#connection === connection && connection !== undefined && !this.#closed;
  }

  // Cuts the connection, if there is one, without a word to WhatsApp.
  #disconnect() {
    const connection = this.#connection;
    this.#connection = null;
    this.#sender.disconnected();
    if (!connection) return;
    connection.sock.end(undefined).catch(() => {});
    connection.sock.ws.emit('error', new Error('cut')); // ends the questions that wait for WhatsApp's answer
  }

  #connectAfter(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), ms);
  }

  #retry(state, reason) {
    this.#setState(state, reason);
    this.#connectLater();
  }

  #connectLater() {
    const held = this.#connectedAt !== 0 && Date.now() - this.#connectedAt >= SETTLED_MS;
    this.#connectedAt = 0;
    this.#tries = held ? 1 : this.#tries + 1;
    this.#connectAfter(backoffMs(this.#tries - 1));
  }

  #pairAnew() {
    clearTimeout(this.#timer);
    this.#disconnect();
    this.#begin(initAuthCreds());
    this.#setState('pairing', this.#pairingReason());
    this.#connect();
  }

  // As Baileys' own logout, which does not wait for WhatsApp's answer.
  async #logOut() {
    const attrs = { to: S_WHATSAPP_NET, type: 'set', xmlns: 'md' };
    const device = { jid: this.#creds.me.id, reason: 'user_initiated' };
    const iq = { tag: 'iq', attrs, content: [{ tag: 'remove-companion-device', attrs: device }] };
    await this.#connection.sock.query(iq, LOGOUT_MS).catch(() => {}); // its end is an answer too
  }

  // --- what a connection tells

  #onUpdate({ connection, qr, lastDisconnect }) {
    if (qr) this.#onQr(qr);
    if (connection === 'open') this.#onOpen();
    if (connection === 'close') this.#onClose(lastDisconnect?.error);
  }

  #onOpen() {
    this.#connectedAt = Date.now();
    this.#longWaits = 0;
    this.#restarts = 0;
    if (this.#congested) this.setCongested(true);
    this.#sender.connected(this.#connection, this.#creds.me.id);
    this.#setState('connected');
    this.#learnName();
  }

  #onQr(qr) {
    this.#setState('pairing', this.#pairingReason());
    if (this.#pairingPhone === null) {
      this.#line.code('qr', qr, this.#qrCodes++ === 0 ? FIRST_QR_MS : NEXT_QR_MS);
    } else if (this.#qrCodes++ === 0) {
      this.#askForCode(this.#connection);
    }
  }

  async #askForCode(connection) {
    try {
      const code = await connection.sock.requestPairingCode(this.#pairingPhone);
      if (this.#isCurrent(connection)) this.#line.code('pairing', code, PAIRING_CODE_MS);
    } catch {
      this.#line.log('warn', 'pairing_code_not_given'); // the connection broke: its end begins anew
    }
  }

  // With the name that its owner gave it this device counts as present; without, its receipts are of a kind that does not
  // count as delivery at the other side. Of a device that has it Baileys tells so at the connection's opening.
  #onCredsChanged({ me, myAppStateKeyId }) {
    if (this.#state !== 'connected') return;
    if (me?.name) this.#connection.sock.sendPresenceUpdate('available').catch(() => {});
    else if (myAppStateKeyId) this.#learnName();
  }

  // It is in the app state, whose keys the phone shares some time after pairing.
  #learnName() {
    const { me, myAppStateKeyId } = this.#creds;
    if (!me.name && myAppStateKeyId) this.#connection.sock.resyncAppState(['critical_block'], true).catch(() => {});
  }

  #onOverrun() {
    this.#line.log('warn', 'too_much_from_whatsapp');
    this.#disconnect();
    this.#retry('reconnecting', 'WhatsApp sends more than can be kept');
  }

  #onClose(error) {
    const statusCode = error?.output?.statusCode ?? 0;
    const next = whatNext({ statusCode, message: error?.message, paired: this.isPaired });
    this.#disconnect();
    if (next.log) this.#line.log('error', next.log);
    switch (next.action) {
      case 'restart':
        if (this.#restarts++ < RESTARTS) this.#connect();
        else this.#retry('reconnecting', 'WhatsApp asks for one restart after the other');
        break;
      case 'repair':
        this.#repair(next);
        break;
      case 'retry':
        this.#retry(next.state, next.reason);
        break;
      case 'wait':
        this.#setState(next.state, next.reason);
        this.#connectAfter(longWaitMs(this.#longWaits++));
        break;
      default:
        this.#stop(next);
    }
  }

  // Lost before a phone took us in: whatever half of credentials there is would be refused.
  #repair({ state, reason }) {
    this.#begin(initAuthCreds());
    this.#setState(state, reason);
    this.#connectLater();
  }

  async #stop({ wipe, state, reason }) {
    if (wipe) {
      this.#store.end();
      try {
        await this.#line.wipe();
      } catch {
        this.#begin(this.#creds); // they may still be there: the line broke, and what follows is decided there
        return;
      }
      this.#begin(initAuthCreds());
      this.#pairingPhone = null;
    }
    if (!this.#closed) this.#setState(state, reason);
  }

  // Called before anybody learns that a commit failed: once the socket is closed nothing can be acknowledged.
  #onBroken(why) {
    if (this.#closed) return;
    this.#line.log('warn', `line_${why}`);
    if (why === 'lost') {
      this.#closed = true; // the gateway closes the line
      clearTimeout(this.#timer);
      this.#disconnect();
    } else {
      this.#disconnect();
      this.#retry('reconnecting', 'what came from WhatsApp could not be kept in time');
    }
  }

  #pairingReason() {
    return this.#pairingPhone === null ? 'scan the code' : 'type the code';
  }

  #setState(state, reason = null) {
    if (this.#state === state && this.#reason === reason) return;
    this.#state = state;
    this.#reason = reason;
    const { me } = this.#creds;
    this.#line.state(state, { reason, phone: this.isPaired ? userOf(me?.id) : null });
  }
}
