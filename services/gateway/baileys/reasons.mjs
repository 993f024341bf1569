// Why a connection ended, and what is to be done about it. Pure.

const MINUTE_MS = 60_000;
const FIRST_MS = 1_000;
const LONGEST_MS = MINUTE_MS;
const REPLACED_FIRST_MS = 5 * MINUTE_MS;
const REPLACED_NEXT_MS = 30 * MINUTE_MS;

const QR_CODES_ENDED = 'QR refs attempts ended';
const UNTRUSTED = /certificat/; // in what Baileys and trust.mjs throw of the server's chain

function whatNextUnpaired(message) {
  if (message === QR_CODES_ENDED) return { action: 'stop', state: 'failed', reason: 'nobody scanned the code in time' };
  return { action: 'repair', state: 'starting', reason: 'the connection was lost' };
}

// action: restart (at once, silently), repair (begin pairing anew), retry, wait (long), stop; state and reason for
// people; log: a word for the operator. paired: whether a phone had taken this device in.
export function whatNext({ statusCode, message = '', paired }) {
  if (statusCode === 515) return { action: 'restart' };
  if (UNTRUSTED.test(message)) {
    const action = paired ? { action: 'retry', state: 'reconnecting' } : { action: 'repair', state: 'starting' };
    return { ...action, reason: 'the server could not prove that it is WhatsApp', log: 'server_not_trusted' };
  }
  if (!paired) return whatNextUnpaired(message);
  switch (statusCode) {
    case 401:
    case 406:
      return { action: 'stop', wipe: true, state: 'logged_out', reason: 'the phone removed this device' };
    case 403:
      return { action: 'stop', state: 'banned', reason: 'WhatsApp has banned this number' };
    case 402:
      return { action: 'wait', state: 'banned', reason: 'WhatsApp has banned this number for a time' };
    case 405:
      return { action: 'stop', state: 'failed', reason: 'WhatsApp does not take this version of the client any more' };
    case 411:
      return { action: 'stop', state: 'failed', reason: 'the phone does not allow linked devices' };
    case 440:
      return { action: 'wait', state: 'replaced', reason: 'another process uses this login' };
    case 503:
      return { action: 'retry', state: 'reconnecting', reason: 'WhatsApp is not available' };
    default:
      return { action: 'retry', state: 'reconnecting', reason: 'the connection was lost' };
  }
}

// How long to wait before try number `tries` (0 is the first): 1, 2, 4 … 60 s, up to a fifth more or less.
export function backoffMs(tries, random = Math.random) {
  const ms = Math.min(FIRST_MS * 2 ** Math.min(tries, 10), LONGEST_MS);
  return Math.round(ms * (0.8 + 0.4 * random()));
}

export const longWaitMs = (tries) => (tries === 0 ? REPLACED_FIRST_MS : REPLACED_NEXT_MS);
