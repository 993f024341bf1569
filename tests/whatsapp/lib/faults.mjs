// Faults on demand. A rule names what goes wrong, for whom, and how often; it is gone when it was used up.
import { Refused } from './nodes.mjs';

/** kind → what a rule of it must or may say besides from, to (numbers) and times. */
const KINDS = {
  ack_error: ['code'], // a client's message is refused with this code (463, 479, …) and reaches nobody
  ack_lost: [], // it is delivered, and the client never hears so
  ack_cut: [], // it is delivered, and the connection ends instead of the acknowledgement
  ack_slow: ['ms'], // it is delivered, and the client hears so late
  message_lost: [], // it vanishes, and so does the acknowledgement
  tctoken_required: [], // 463 for every message that carries no valid privacy token
  iq_silent: ['xmlns'], // a query is never answered
  iq_slow: ['xmlns', 'ms'],
  iq_error: ['xmlns', 'code'],
  login_refused: ['code'], // <failure reason=…> instead of <success>
  no_codes: [], // a client without an account gets no QR codes: as if all that it had shown had run out
  undecryptable: [], // the phone `to` cannot read a message and asks for it again
  corrupt: [], // what the phone `from` writes arrives broken at companions
  wrong_account_signature: [], // the phone `to` vouches for a new companion with a signature that is not its own
  wrong_pairing_hmac: [],
};

export class Faults {
  constructor() {
    this.rules = [];
    this.serial = 0;
  }

  add({ kind, times = 1, ...rest }) {
    const wanted = KINDS[kind];
    if (!wanted) throw new Refused(400, `kind is one of ${Object.keys(KINDS).join(', ')}`);
    for (const name of wanted) if (rest[name] === undefined) throw new Refused(400, `${kind} wants ${name}`);
    if (times !== 'always' && !(Number.isInteger(times) && times > 0)) throw new Refused(400, 'times is a number from 1 or "always"');
    this.serial += 1;
    const rule = { id: this.serial, kind, times, used: 0, ...rest };
    this.rules.push(rule);
    return rule;
  }

  remove(id) {
    this.rules = id === undefined ? [] : this.rules.filter((rule) => rule.id !== id);
  }

  /** The first rule of that kind that these facts meet, used once; undefined if there is none. */
  take(kind, facts = {}) {
    const rule = this.rules.find(
      (one) => one.kind === kind && ['from', 'to', 'xmlns'].every((name) => one[name] === undefined || one[name] === facts[name]),
    );
    if (!rule) return undefined;
    rule.used += 1;
    if (rule.times !== 'always' && rule.used >= rule.times) this.remove(rule.id);
    return rule;
  }
}
