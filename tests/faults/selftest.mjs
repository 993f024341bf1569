// Can the checker find what it is there to find? A small good history, and what it must say when one thing of it is changed.
import crypto from 'node:crypto';
import { check, CHECKS } from './checker.mjs';

const SECRET = `whsec_${Buffer.from('a secret of no great length').toString('base64')}`;
const T = 1_800_000_000_000;
const CONTACT = { e: 'contact', tenant: 7, contact: 1, phone: '+4930000000005555', fate: '5555' };

function send(n, begin, more = {}) {
  return { e: 'req', t: begin + 10, begin, op: `send-${n}`, kind: 'send', tenant: 7, contact: 1, key: `k${n}`, attempt: 1, body: `text ${n}`, status: 202, data: { message_id: `msg_${n}` }, ...more };
}

function hook(sequence, n, type, t) {
  const id = `evt_${sequence}`;
  const raw = JSON.stringify({ id, event: type, created_at: new Date(T).toISOString(), tenant_id: 7, sequence, data: { message_id: `msg_${n}`, contact_id: 1 } });
  return signed({ e: 'hook', t, index: 0, raw, answer: 200, id });
}

function signed(h) {
  const timestamp = String(Math.floor(h.t / 1000));
  const mac = crypto.createHmac('sha256', Buffer.from(SECRET.slice(6), 'base64')).update(`${h.id}.${timestamp}.${h.raw}`).digest('base64');
  const guide = crypto.createHmac('sha256', SECRET).update(`${timestamp}.${h.raw}`).digest('hex');
  return { ...h, timestamp, signature: `v1,${mac}`, guide_signature: `t=${timestamp},v1=${guide}` };
}

const shown = (n, arrival) => ({ e: 'shown', tenant_id: 7, phone: CONTACT.phone, message_id: `msg_${n}`, wa_message_id: `WA${n}`, session_id: 1, body: `text ${n}`, copies: 1, arrival, received_ms: T + arrival * 1000 });
const message = (n, more = {}) => ({ e: 'message', tenant: 7, message: { message_id: `msg_${n}`, contact_id: 1, direction: 'outgoing', status: 'read', attempts: 1, message_body: `text ${n}`, ...more } });
const pulled = (sequence) => ({ e: 'pulled', tenant: 7, id: `evt_${sequence}` });

/** Two messages read, a third cancelled, one that came in. */
function goodHistory() {
  const types = ['message_sent', 'message_delivered', 'message_read'];
  return [
    { e: 'meta', hold_ms: 120_000, most_copies: 13 },
    { e: 'webhook', index: 0, tenant: 7, secret: SECRET, events: types },
    CONTACT,
    send(1, T), send(2, T + 100), send(3, T + 200, { kind: 'cancellable' }),
    { e: 'req', t: T + 310, begin: T + 300, op: 'cancel-4', kind: 'cancel', tenant: 7, contact: 1, message: 'msg_3', attempt: 1, status: 200 },
    { e: 'req', t: T + 410, begin: T + 400, op: 'inbound-5', kind: 'inbound', tenant: 7, contact: 1, body: 'text 5', attempt: 1, status: 202, data: { wa_message_id: 'WA5' } },
    ...types.map((type, i) => hook(1 + i, 1, type, T + 1000 + i)),
    ...types.map((type, i) => hook(4 + i, 2, type, T + 2000 + i)),
    hook(7, 5, 'message_received', T + 3000),
    ...[1, 2, 3, 4, 5, 6, 7].map(pulled),
    shown(1, 1), shown(2, 2),
    message(1), message(2), message(3, { status: 'cancelled' }), message(5, { direction: 'incoming', status: 'received', message_body: 'text 5' }),
    { e: 'settled', after_ms: 1000, times: {}, left: {} },
    { e: 'fault', t: T, begin: T, end: T, kind: 'kill', target: 'api-1', pids: [11] },
    { e: 'end', name: 'api-1', pid: 11, signal: 9, exit: 0, lived_ms: 1 },
    { e: 'req', t: T + 510, begin: T + 500, op: 'other-6', kind: 'other_body', tenant: 7, contact: 1, key: 'k1', body: 'text 6', attempt: 1, status: 422, data: {} },
    { e: 'let_go', t: T, index: 0, mode: 'drip', after_ms: 2100 },
    { e: 'set_aside', t: T, stream: 'outbound.1', expected: 7, found: 7, reasons: ['malformed'] },
    { e: 'durability', t: T, rows: [{ name: 'fsync', setting: 'on', for: 'server' }] },
    { e: 'tried', t: T, what: 'a handshake', times: 3 },
    { e: 'guarded', t: T, url: 'https://10.0.0.1', how: 'refused', held: true, saw: 422 },
    { e: 'witness', t: T, what: 'connect', address: '127.0.0.1', allowed: ['127.0.0.1'], times: 3 },
    { e: 'witness', t: T, what: 'resolve', address: 'a.test', allowed: ['127.0.0.1'], times: 1 },
    { e: 'gone', t: T + 4000, index: 0, is_disabled: true },
    ...Array.from({ length: 60 }, (_, i) => ({ e: 'rss', t: T + i * 1000, name: 'api-1', pid: 11, age_ms: i * 1000, rss_kb: 9000 + (i % 7) * 100 })),
    { e: 'leases', t: T + 9000, rows: [{ kind: 'session', stale_ms: 4900, free: 0 }] },
  ];
}

const find = (history, e, match = () => true) => history.find((x) => x.e === e && match(x));
const drop = (history, item) => history.splice(history.indexOf(item), 1);

// What is done to the good history, and which check must notice.
const CHANGES = [
  ['calls are answered', (h) => { find(h, 'req').status = 503; }],
  ['calls are answered', (h) => h.unshift({ e: 'req', t: T, begin: T, op: 'keyless-9', kind: 'keyless', tenant: 7, status: 503, data: { type: 'x' } })],
  ['calls are answered', (h) => { find(h, 'meta').overload = true; }],
  ['what was refused was not accepted', (h) => { find(h, 'req').status = 422; }],
  ['every accepted message ends', (h) => drop(h, find(h, 'message'))],
  ['every accepted message ends', (h) => { find(h, 'message').message.status = 'sending'; }],
  ['every accepted message ends', (h) => { find(h, 'message').message.status = 'failed'; }],
  ['every accepted message ends', (h) => { find(h, 'req').kind = 'send'; find(h, 'message').message.status = 'cancelled'; }],
  ['a cancel that was granted', (h) => { find(h, 'message', (m) => m.message.status === 'cancelled').message.status = 'read'; }],
  ['each message is shown once', (h) => drop(h, find(h, 'shown'))],
  ['each message is shown once', (h) => h.push({ ...shown(1, 3), wa_message_id: 'WA9' })],
  ['each message is shown once', (h) => h.push({ ...shown(3, 3) })],
  ['each message is shown once', (h) => { find(h, 'shown').body = 'another'; }],
  ['nothing is shown that was not', (h) => h.push(shown(8, 3))],
  ['the same key or ref', (h) => { find(h, 'req', (r) => r.op === 'send-2').key = 'k1'; }],
  ['the same key or ref', (h) => { find(h, 'req', (r) => r.kind === 'other_body').status = 409; }],
  ['each phone shows messages', (h) => { find(h, 'shown').arrival = 3; }],
  ['no phone is written to faster', (h) => { find(h, 'meta').recipient_interval_ms = 2000; }],
  ['a limit is kept over any', (h) => { find(h, 'meta').recipient_limit = { interval_ms: 5000, burst: 1 }; h.push({ ...shown(8, 3), received_ms: T + 2500 }); }],
  ['copies stay within', (h) => { find(h, 'shown').copies = 2; }],
  ['copies stay within', (h) => { find(h, 'shown', (s) => s.arrival === 2).wa_message_id = 'WA1'; }],
  ['every event reaches', (h) => drop(h, find(h, 'hook', (x) => x.id === 'evt_3'))],
  ['every event reaches', (h) => { find(h, 'hook').answer = 500; }],
  ['every event reaches', (h) => { find(h, 'hook').signature = 'v1,AAAA'; }],
  ['every event reaches', (h) => { find(h, 'hook').guide_signature = 't=1,v1=00'; }],
  ['every event reaches', (h) => h.push(hook(8, 1, 'message_read', T + 4000))],
  ['every event reaches', (h) => { const x = hook(1, 1, 'message_sent', T + 1500); h.push(signed({ ...x, raw: x.raw.replace('}', ' }') })); }],
  ['every event reaches', (h) => h.push({ ...find(h, 'webhook'), secret: `whsec_${Buffer.from('one that ought to sign').toString('base64')}` })],
  ['every event reaches', (h) => { find(h, 'webhook').until = T - 60_000; }],
  ['endpoints that do not end', (h) => { find(h, 'let_go').after_ms = 9000; }],
  ['what an endpoint asks for', (h) => { find(h, 'gone').is_disabled = false; }],
  ['what an endpoint asks for', (h) => { find(h, 'gone').t = T - 9000; }],
  ['what an endpoint asks for', (h) => { find(h, 'hook').answer = 'gone'; }],
  ['what an endpoint asks for', (h) => { find(h, 'meta').strict_retry_after = true; find(h, 'hook').retry_after_s = 2; h.push({ ...find(h, 'hook'), t: T + 2000 }); }],
  ['what is committed', (h) => { find(h, 'durability').rows[0].setting = 'off'; }],
  ['addresses that must not', (h) => { find(h, 'guarded').held = false; }],
  ['addresses that must not', (h) => { find(h, 'witness').address = '10.0.0.1'; }],
  ['addresses that must not', (h) => drop(h, find(h, 'witness', (w) => w.what === 'resolve'))],
  ['what makes no sense', (h) => { find(h, 'set_aside').found = 6; }],
  ['what makes no sense', (h) => { find(h, 'set_aside').reasons = ['']; }],
  ['a bad endpoint slows', (h) => { find(h, 'meta').hostile_index = 1; for (const x of h) if (x.e === 'hook') x.t += 1000; }],
  ['the faults were such', (h) => { find(h, 'meta').expects_repeats = true; }],
  ['the faults were such', (h) => { find(h, 'tried').times = 0; }],
  ['the faults were such', (h) => { find(h, 'meta').expects_lost_commits = true; }],
  ['memory stays flat', (h) => { find(h, 'rss').rss_kb = 200_000; }],
  ['memory stays flat', (h) => { for (const s of h) if (s.e === 'rss') s.rss_kb += s.age_ms / 3; }],
  ['memory stays flat', (h) => { for (const s of h) if (s.e === 'rss') Object.assign(s, { pid: 11 + Math.floor(s.age_ms / 15_000), age_ms: 11_000, rss_kb: s.rss_kb + s.age_ms / 3 }); }],
  ["each contact's events", (h) => { const x = find(h, 'hook'); drop(h, x); h.push(signed({ ...x, t: T + 9000 })); }],
  ["each contact's events", (h) => { const x = find(h, 'hook'); h.splice(h.indexOf(x) + 3, 0, signed({ ...x, t: T + 1900 })); x.answer = 500; }],
  ['GET /events skips nothing', (h) => drop(h, find(h, 'pulled'))],
  ['GET /events skips nothing', (h) => h.push(pulled(1))],
  ['each incoming message', (h) => drop(h, find(h, 'message', (m) => m.message.direction === 'incoming'))],
  ['each incoming message', (h) => h.push({ ...message(6, { direction: 'incoming', message_body: 'text 5' }) })],
  ['everything settles', (h) => { find(h, 'settled').left = { open: 1 }; }],
  ['everything settles', (h) => { find(h, 'settled').after_ms = 60_000; }],
  ['daemons end only', (h) => { find(h, 'end').pid = 12; }],
  ['daemons end only', (h) => Object.assign(find(h, 'end'), { signal: 6 })],
  ['leases are taken over', (h) => { find(h, 'leases').rows[0].stale_ms = 8000; }],
  ['leases are taken over', (h) => { // one that is killed again and again is no excuse while the other lives
    find(h, 'leases').rows[0].stale_ms = 8000;
    for (const pid of [21, 22]) h.push({ e: 'fault', t: T + 5000, begin: T + 5000, end: T + 5000, kind: 'kill', target: 'gateway-1', pids: [pid] }, { e: 'end', name: 'gateway-1', pid, signal: 9, exit: 0, lived_ms: 1 });
  }],
];

/** A list of complaints about the checker. */
export function selftest() {
  const wrong = check(goodHistory()).map((v) => `finds fault with a good history: ${v.check}: ${v.what}`);
  const proven = new Set();
  for (const [name, change] of CHANGES) {
    const history = goodHistory();
    change(history);
    if (check(history).some((v) => v.check.startsWith(name))) proven.add(name);
    else wrong.push(`does not notice: ${change}`);
  }
  for (const { name } of CHECKS) {
    if (![...proven].some((start) => name.startsWith(start))) wrong.push(`nothing shows that «${name}» can fail`);
  }
  return wrong;
}
