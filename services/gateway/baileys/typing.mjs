// «typing…» on the contact's phone while a text for it is made ready. Nobody waits for it, and a phone is told once in a
// while at most.
import { Lru } from './lru.mjs';

const PHONES = 5_000;
const PAUSE_MS = 10_000; // as often as WhatsApp's own clients say that somebody is still typing

export class Typing {
  #isWanted;
  #told = new Lru({ max: PHONES, ttlMs: PAUSE_MS });

  constructor(isWanted) {
    this.#isWanted = isWanted;
  }

  // Gives whether the phone was told.
  begin(sock, jid) {
    if (!this.#isWanted || this.#told.has(jid)) return false;
    this.#told.set(jid, true);
    tell(sock, jid, 'composing');
    return true;
  }

  // Nothing comes of it. (What comes ends it by itself.)
  end(sock, jid) {
    tell(sock, jid, 'paused');
  }
}

function tell(sock, jid, state) {
  sock.sendPresenceUpdate(state, jid).catch(() => {}); // a connection that broke tells so elsewhere
}
