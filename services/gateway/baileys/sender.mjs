// Messages on their way out: is the number on WhatsApp, which devices has it, build, upload, encrypt, send. What became
// of one comes from the server's ack alone.
import { areJidsSameUser, jidNormalizedUser } from 'baileys';
import { LineBroken } from './gateway.mjs';
import { Lru } from './lru.mjs';
import { makeMessage } from './outgoing.mjs';
import { keepingSessions } from './repository.mjs';
import { Turns } from './turns.mjs';

const WAITING = 5_000;
const NUMBERS = 10_000;
const NUMBER_TTL_MS = 24 * 3600_000;
const IN_FLIGHT = 5_000;
const LIMITED_MS = 3600_000; // a 463 whose end WhatsApp does not tell
const ASK_LIMIT_MS = 3_000;

const REACH_OUT_LIMITED = '463';

// Why a message certainly did not leave.
class NotSent extends Error {
  constructor(verdict, code, text) {
    super(text);
    Object.assign(this, { verdict, code });
  }
}

const retry = (code, text) => new NotSent('retry', code, text);

export class Sender {
  #line;
  #mediaMaxBytes;
  #typing;
  #userJid;
  #connection = null; // { sock, deviceLists } while sends are taken
  #turns = new Turns(); // by phone
  #numbers = new Lru({ max: NUMBERS, ttlMs: NUMBER_TTL_MS }); // phone → JID of those on WhatsApp
  #recipients = new Lru({ max: IN_FLIGHT }); // id → JID, for what an ack tells of the recipient

  constructor({ line, mediaMaxBytes, typing }) {
    this.#line = line;
    this.#mediaMaxBytes = mediaMaxBytes;
    this.#typing = typing;
  }

  connected(connection, userJid) {
    this.#connection = connection;
    this.#userJid = userJid;
  }

  disconnected() {
    this.#connection = null;
  }

  // frame: a send frame. Never rejects: how it went is told on the line.
  async send(frame) {
    if (this.#turns.size >= WAITING) {
      this.#fail(frame.waId, retry('engine_busy', 'the WhatsApp engine has too much to send'));
      return;
    }
    await this.#turns.run(frame.phone, async () => {
      const attempt = { connection: this.#connection, mayHaveLeft: false, typingTo: null };
      try {
        await this.#relay(attempt, frame);
      } catch (error) {
        this.#failed(frame.waId, attempt, error);
      }
    });
  }

  // For a retry receipt: the message of an id, as WhatsApp's message; undefined when there is none.
  async message(waId) {
    const connection = this.#connection;
    const answer = connection && (await this.#line.getMessage(waId));
    if (!answer) return undefined;
    const jid = `${answer.phone}@s.whatsapp.net`;
    return this.#make(connection, answer, jid);
  }

  // The server's word on a message of ours.
  acked({ attrs }) {
    const jid = this.#recipients.get(attrs.id);
    if (attrs.error) {
      this.#refused(attrs, jid);
      return;
    }
    if (attrs.phash) this.#forgetDevices(jid); // somebody has more devices than we know of
    this.#line.acked(attrs.id, Math.floor(Number(attrs.t) || Date.now() / 1000) * 1000);
  }

  async #relay(attempt, frame) {
    const { connection } = attempt;
    if (!connection) throw retry('not_connected', 'the session is not connected to WhatsApp');
    const { sock } = connection;
    const jid = await this.#jidOf(sock, frame.phone);
    if (frame.type === 'text' && this.#typing.begin(sock, jid)) attempt.typingTo = jid;
    const message = await this.#make(connection, frame, jid);
    if (!(await this.#hasDevices(sock, jid))) throw retry('no_devices', 'WhatsApp did not say which devices the number has');
    if (this.#connection !== connection) throw retry('not_connected', 'the connection to WhatsApp was lost');
    this.#recipients.set(frame.waId, jid);
    attempt.mayHaveLeft = true;
    await sock.relayMessage(jid, message, { messageId: frame.waId });
  }

  // relayMessage() asks for the same devices, and finds them in its cache then.
  async #hasDevices(sock, jid) {
    const own = jidNormalizedUser(this.#userJid);
    const devices = await keepingSessions(() => sock.getUSyncDevices([own, jid], true, false));
    return devices.some((device) => areJidsSameUser(device.jid, jid));
  }

  async #jidOf(sock, phone) {
    const known = this.#numbers.get(phone);
    if (known) return known;
    const answers = await sock.onWhatsApp(phone);
    if (!answers) throw retry('no_answer', 'WhatsApp did not say whether it knows the number');
    const found = answers.find(({ exists }) => exists);
    if (!found) throw new NotSent('give_up', 'not_on_whatsapp', 'the number is not on WhatsApp');
    const jid = jidNormalizedUser(found.jid);
    this.#numbers.set(phone, jid);
    return jid;
  }

  async #make({ sock }, { type, body, caption, filename, sha256 }, jid) {
    const file = type === 'text' ? {} : await this.#line.readMedia(sha256, this.#mediaMaxBytes);
    if (file === null) throw retry('media_missing', 'the file of the message is not there');
    const message = { type, text: body ?? '', caption, filename, mime: file.contentType, bytes: file.bytes };
    return makeMessage(message, { jid, userJid: this.#userJid, upload: sock.waUploadToServer });
  }

  #failed(waId, { connection, mayHaveLeft, typingTo }, error) {
    if (typingTo !== null) this.#typing.end(connection.sock, typingTo);
    const isCut = error instanceof LineBroken || this.#connection !== connection || !connection?.sock.ws.isOpen;
    if (error instanceof NotSent) {
      this.#fail(waId, error);
    } else if (isCut && mayHaveLeft) {
      // The stanza may have left with the connection's last breath.
      this.#line.failed(waId, { verdict: 'unknown', code: 'connection_lost', text: 'the connection was lost' });
    } else {
      this.#fail(waId, retry('wa_not_sent', 'WhatsApp did not give what is needed to send'));
    }
  }

  #fail(waId, { verdict, code, message }) {
    this.#line.failed(waId, { verdict, code, text: message });
  }

  #refused({ id, error }, jid) {
    if (error === REACH_OUT_LIMITED) {
      this.#limited(id);
      return;
    }
    this.#forgetDevices(jid);
    const code = `wa_error_${/^\d{1,4}$/.test(error) ? error : 'unknown'}`;
    this.#line.failed(id, { verdict: 'retry', code, text: 'WhatsApp refused the message' });
  }

  async #limited(waId) {
    const laterMs = await this.#limitedForMs();
    const text = 'WhatsApp does not let this number write to new contacts for now';
    this.#line.failed(waId, { verdict: 'later', code: 'reach_out_limited', text, laterMs });
  }

  async #limitedForMs() {
    const asked = this.#connection?.sock.fetchAccountReachoutTimelock() ?? Promise.resolve(null);
    let timer;
    const tooLate = new Promise((resolve) => {
      timer = setTimeout(() => resolve(null), ASK_LIMIT_MS);
    });
    const answer = await Promise.race([asked.catch(() => null), tooLate]);
    clearTimeout(timer);
    const until = answer?.isActive ? (answer.timeEnforcementEnds?.getTime() ?? 0) : 0;
    return Math.max(until - Date.now(), LIMITED_MS);
  }

  #forgetDevices(jid) {
    if (jid) this.#connection?.deviceLists.del(jid.split('@')[0]);
  }
}
