// Drives ./run bench sessions: pairs sessions with the double's phones, writes both ways, kills the gateway, and says what it saw.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { until } from '../integration/support/until.mjs';

const PERMISSIONS = ['messages:send', 'messages:read', 'contacts:read', 'contacts:create', 'sessions:manage'];
const OF_A_TENANT = 50; // sessions, at most
const SIDE_BY_SIDE = 8;
const LONG_MS = 180_000;
const MIB = 1 << 20;

const text = { type: 'string' };
const { values: options } = parseArgs({ options: { data: text, api: text, whatsapp: text, sessions: text, messages: text, seconds: text } });
const [wanted, messages, seconds] = [options.sessions, options.messages, options.seconds].map(Number);
if (![wanted, messages, seconds].every((n) => Number.isInteger(n) && n > 0) || wanted < 2) throw new Error('at least 2 sessions, 1 message, 1 second');

async function call(url, method, body, headers = {}) {
  const answer = await fetch(url, { method, body: body && JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } });
  const said = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${new URL(url).pathname}: ${answer.status} ${said}`);
  return answer.headers.get('content-type').includes('json') ? JSON.parse(said) : said;
}

const phones = (method, where, body) => call(`${options.whatsapp}${where}`, method, body);
const api = (key, method, where, body, headers) => call(`${options.api}/api/v1${where}`, method, body, { ...(key && { 'X-API-Key': key }), ...headers });

/** `act` for each, some side by side. */
async function each(items, act) {
  const left = [...items];
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, async () => {
    while (left.length > 0) await act(left.shift());
  }));
}

const pidOf = (name) => Number(readFileSync(path.join(options.data, 'run', `${name}.pid`), 'utf8'));
const rssOf = (pid) => Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB$/m)[1]) * 1024;

async function metrics() {
  const port = readFileSync(path.join(options.data, 'run/gateway-1.port'), 'utf8').trim();
  const lines = (await call(`http://127.0.0.1:${port}/metrics`, 'GET')).split('\n').filter((line) => /^wa_/.test(line));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

const connected = async () => (await metrics()).get('wa_gateway_sessions{state="connected"}');
const logins = async () => (await phones('GET', '/stats')).counts.logins ?? 0;

/** Of those seconds: the most that was resident, and the least of the heap, which is what stays after a collection. */
async function watch() {
  await until('a heartbeat of the worker', async () => (await metrics()).get('wa_gateway_worker_heap_bytes') > 0);
  const seen = { gateway: 0, worker: 0, heap: Infinity };
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 1000))) {
    const now = await metrics();
    seen.gateway = Math.max(seen.gateway, rssOf(pidOf('gateway-1')));
    seen.worker = Math.max(seen.worker, now.get('wa_gateway_worker_rss_bytes'));
    seen.heap = Math.min(seen.heap, now.get('wa_gateway_worker_heap_bytes'));
  }
  return seen;
}

const mib = (bytes) => (bytes / MIB).toFixed(1).padStart(7);

function tell(when, { gateway, worker, heap }) {
  console.log(`  ${when.padEnd(42)} gateway ${mib(gateway)} MiB, worker ${mib(worker)} MiB, of it heap ${mib(heap)} MiB`);
}

function tellEach(when, one, all) {
  const part = (name) => mib((all[name] - one[name]) / (wanted - 1));
  console.log(`  ${when.padEnd(42)} gateway ${part('gateway')} MiB, worker ${part('worker')} MiB, of it heap ${part('heap')} MiB`);
}

async function took(work) {
  const began = performance.now();
  await work();
  return ((performance.now() - began) / 1000).toFixed(1);
}

async function makeKey() {
  const { tenant_id: tenant } = await api(null, 'POST', '/tenants', { name: 'Bench' });
  return (await api(null, 'POST', `/tenants/${tenant}/api-keys`, { name: 'bench', permissions: PERMISSIONS })).api_key;
}

/** A session, paired with the phone of its number; and a customer of its own. */
async function makeSession(n) {
  const tail = String(n).padStart(7, '0');
  const key = keys[Math.floor((n - 1) / OF_A_TENANT)];
  const session = { key, own: `49151${tail}`, customer: `49176${tail}` };
  await phones('POST', '/phones', { number: session.own, name: 'Finance' });
  await phones('POST', '/phones', { number: session.customer, name: 'Erika' });
  session.id = (await api(key, 'POST', '/sessions', { engine: 'baileys', name: `number ${n}` })).session_id;
  const qr = await until('a code', () => api(key, 'GET', `/sessions/${session.id}/qr`, undefined, { Accept: 'text/plain' }), LONG_MS);
  await phones('POST', `/phones/${session.own}/scan`, { qr });
  await until('the session to be connected', async () => (await api(key, 'GET', `/sessions/${session.id}`)).state === 'connected', LONG_MS);
  return session;
}

async function write(session, what, count) {
  for (let i = 1; i <= count; i++) {
    const sent = await api(session.key, 'POST', '/messages/send', { phone_number: `+${session.customer}`, session_id: session.id, message_body: `${what} ${i}` });
    session.contact = sent.contact_id;
    await phones('POST', `/phones/${session.customer}/write`, { to: session.own, text: `${what} ${i}` });
  }
}

/** All that was written, so many of each, shows on the phone and in the conversation, each once and in order. */
async function arrived(session, counts) {
  const all = Object.entries(counts).flatMap(([what, count]) => Array.from({ length: count }, (_, i) => `${what} ${i + 1}`)).join();
  const whole = (list) => {
    const seen = list.map(({ body, message_body: text = body }) => text).join();
    if (seen !== all) throw new Error(`session ${session.id}: ${seen}`);
    return true;
  };
  await until('what was sent to show on the phone', async () => whole(await phones('GET', `/phones/${session.customer}/inbox`)), LONG_MS);
  await until('what the phone wrote to be in the conversation', async () => {
    const list = await api(session.key, 'GET', `/conversations/${session.contact}/messages?limit=100`);
    return whole(list.filter((m) => m.direction === 'incoming'));
  }, LONG_MS);
}

/** Ends a process and tells how long it takes until all sessions have logged in at WhatsApp again and are told as connected. */
async function killAndWait(pid, before) {
  const loginsBefore = await logins();
  return took(async () => {
    process.kill(pid, 'SIGKILL');
    await until('all to log in', async () => (await logins()) >= loginsBefore + wanted, LONG_MS);
    await until('all to be connected', async () => (await connected()) === before, LONG_MS);
  });
}

function workerPid() {
  const gateway = pidOf('gateway-1');
  return Number(readFileSync(`/proc/${gateway}/task/${gateway}/children`, 'utf8').trim());
}

const keys = [];
while (keys.length * OF_A_TENANT < wanted) keys.push(await makeKey());
const sessions = [await makeSession(1)];
console.log('memory');
const one = await watch();
tell('one session, idle', one);
const pairing = await took(() => each(Array.from({ length: wanted - 1 }, (_, i) => i + 2), async (n) => sessions.push(await makeSession(n))));
const idle = await watch();
tell(`${wanted} sessions, idle`, idle);
tellEach('  each more', one, idle);
const exchange = await took(async () => {
  await each(sessions, (session) => write(session, 'a', messages));
  await each(sessions, (session) => arrived(session, { a: messages }));
});
const used = await watch();
tell(`${wanted} sessions, after ${messages} messages each way`, used);
tellEach('  each more', one, used);
console.log('time');
console.log(`  to pair ${wanted - 1} sessions, ${SIDE_BY_SIDE} side by side: ${pairing} s`);
console.log(`  ${messages} messages each way on each, ${SIDE_BY_SIDE} side by side, all shown and all received: ${exchange} s`);
const all = await connected();
console.log(`  from the kill of the worker to all ${wanted} connected: ${await killAndWait(workerPid(), all)} s`);
console.log(`  from the kill of the gateway to all ${wanted} connected: ${await killAndWait(pidOf('gateway-1'), all)} s`);
await each(sessions, (session) => write(session, 'b', 1));
await each(sessions, (session) => arrived(session, { a: messages, b: 1 }));
tell('after the kills, and one message more', await watch());
