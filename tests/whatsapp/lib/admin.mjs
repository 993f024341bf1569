// The admin API: HTTP and JSON on loopback. What a person would do with the phones, what they see, and faults.
import crypto from 'node:crypto';
import http from 'node:http';
import { sha256 } from './curve.mjs';
import { Refused } from './nodes.mjs';

const MAX_BODY = 64 << 20;
const MAX_WAIT_MS = 60_000;

const ROUTES = [
  ['GET', '/info', ({ info }) => info],
  ['POST', '/admin/mock-phone/scan-qr', scanRaw],
  ['GET', '/phones', ({ double }) => double.world.accounts.map((account) => phoneView(double, account))],
  ['POST', '/phones', makePhone],
  ['GET', '/phones/:number', (context) => phoneView(context.double, accountOf(context))],
  ['PATCH', '/phones/:number', changePhone],
  ['POST', '/phones/:number/scan', scan],
  ['POST', '/phones/:number/code', typeCode],
  ['GET', '/phones/:number/inbox', readInbox],
  ['GET', '/phones/:number/sent/:id', readSent],
  ['GET', '/phones/:number/chatstates', readChatstates],
  ['POST', '/phones/:number/write', write],
  ['POST', '/phones/:number/read', markRead],
  ['DELETE', '/phones/:number/devices/:device', removeDevice],
  ['POST', '/phones/:number/devices/:device/drop', dropConnection],
  ['POST', '/phones/:number/devices/:device/stream-error', streamError],
  ['POST', '/phones/:number/devices/:device/use-pre-keys', usePreKeys],
  ['GET', '/faults', ({ double }) => double.faults.rules],
  ['POST', '/faults', ({ double, body }) => double.faults.add(body)],
  ['DELETE', '/faults', ({ double }) => double.faults.remove()],
  ['DELETE', '/faults/:id', ({ double, params }) => double.faults.remove(Number(params.id))],
  ['GET', '/stats', stats],
].map(([method, path, act]) => ({ method, pattern: new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`), act }));

/** Gives a request handler. info: what GET /info tells. */
export function adminHandler(double, info) {
  return async (request, response) => {
    try {
      const url = new URL(request.url, 'http://admin');
      const route = ROUTES.find(({ method, pattern }) => method === request.method && pattern.test(url.pathname));
      if (!route) throw new Refused(404, 'no such path');
      const params = { ...route.pattern.exec(url.pathname).groups };
      const text = await bodyOf(request);
      const raw = route.act === scanRaw;
      const context = { double, info, params, query: url.searchParams, body: raw ? text : parse(text) };
      reply(response, 200, (await route.act(context)) ?? {});
    } catch (error) {
      const known = error instanceof Refused && error.code >= 400 && error.code < 600;
      reply(response, known ? error.code : 500, { error: error.message });
    }
  };
}

export const adminServer = (double, info) => http.createServer(adminHandler(double, info));

function reply(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

async function bodyOf(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MAX_BODY) throw new Refused(413, 'the body is too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parse(text) {
  if (!text) return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused(400, 'the body is no JSON');
  }
}

const digits = (number) => String(number ?? '').replace(/^\+/, '');
const accountOf = ({ double, params }) => double.world.get(digits(params.number));

function deviceOf(context) {
  const device = accountOf(context).devices.get(Number(context.params.device));
  if (!device || device.id === 0) throw new Refused(404, 'no such companion');
  return device;
}

function deviceView(device) {
  const { connection } = device;
  return {
    device: device.id,
    jid: device.jid(),
    lid: device.jid('lid'),
    online: Boolean(connection),
    active: Boolean(connection?.active),
    presence: connection?.presence,
    gave_routing_info: connection?.routed,
    client: connection?.client,
    pre_keys: device.preKeys.length,
    waiting: device.mailbox.waiting.length,
  };
}

function phoneView(double, account) {
  const { phone } = account;
  const awaitsCode = double.pairing.byCode.has(account.number);
  return {
    number: account.number,
    name: account.name,
    jid: account.jid(),
    lid: account.jid('lid'),
    settings: phone.settings,
    inbox: phone.inbox.length,
    undecryptable: phone.undecryptable,
    typing: phone.typing,
    awaits_code: awaitsCode,
    tokens_given: [...account.tokens.keys()],
    companions: account.companions.map(deviceView),
  };
}

function makePhone({ double, body }) {
  const { number, name, ...settings } = body;
  const account = double.world.make(digits(number), name);
  account.phone.set(settings);
  return phoneView(double, account);
}

function changePhone(context) {
  const account = accountOf(context);
  account.phone.set(context.body);
  return phoneView(context.double, account);
}

/** The body is the QR's text. Without ?number= it is the number of that push name, or a new one. */
async function scanRaw({ double, query, body }) {
  const { registration } = double.pairing.find(body);
  const seed = registration.name ?? crypto.randomUUID();
  const made = sha256(seed).readUInt32BE().toString().padStart(10, '0').slice(-9);
  const number = digits(query.get('number')) || `4915${made}`;
  const account = double.world.make(number, registration.name);
  return deviceView(await double.pairing.scan(account, body));
}

async function scan(context) {
  const { qr } = context.body;
  if (!qr) throw new Refused(400, 'qr is wanted');
  return deviceView(await context.double.pairing.scan(accountOf(context), qr));
}

async function typeCode(context) {
  const { code } = context.body;
  if (!code) throw new Refused(400, 'code is wanted');
  return deviceView(await context.double.pairing.type(accountOf(context), code));
}

/** ?since=SEQ leaves out what came before; ?wait=N waits until there are N entries after that, ?timeout=MS at most. */
async function readInbox(context) {
  const { phone } = accountOf(context);
  const since = Number(context.query.get('since') ?? 0);
  const enough = Number(context.query.get('wait') ?? 0);
  const timeoutMs = Math.min(Number(context.query.get('timeout') ?? 10_000), MAX_WAIT_MS);
  const there = () => phone.inbox.slice(since);
  await phone.waitUntil(() => there().length >= enough, timeoutMs);
  return there();
}

/** What became of a message that the phone wrote; ?receipt=read waits until a receipt of that type has come. */
async function readSent(context) {
  const { phone } = accountOf(context);
  const sent = phone.sent.get(context.params.id);
  if (!sent) throw new Refused(404, 'this phone wrote no such message');
  const wanted = context.query.get('receipt');
  const timeoutMs = Math.min(Number(context.query.get('timeout') ?? 10_000), MAX_WAIT_MS);
  await phone.waitUntil(() => !wanted || sent.receipts.some(({ type }) => type === wanted), timeoutMs);
  return { id: context.params.id, to: sent.peer.number, receipts: sent.receipts };
}

/** ?wait=N waits until so many have come, ?timeout=MS at most. */
async function readChatstates(context) {
  const { phone } = accountOf(context);
  const enough = Number(context.query.get('wait') ?? 0);
  const timeoutMs = Math.min(Number(context.query.get('timeout') ?? 10_000), MAX_WAIT_MS);
  await phone.waitUntil(() => phone.chatstates.length >= enough, timeoutMs);
  return phone.chatstates;
}

async function write(context) {
  const { to, count = 1, ...request } = context.body;
  const account = accountOf(context);
  const peer = context.double.world.get(digits(to));
  if (!Number.isInteger(count) || count < 1 || count > 10_000) throw new Refused(400, 'count is a number from 1 to 10000');
  const ids = [];
  for (let i = 1; i <= count; i++) {
    const text = count > 1 && request.text ? `${request.text} ${i}` : request.text;
    ids.push(await account.phone.write(peer, { type: 'text', ...request, text }));
  }
  return { id: ids[0], ids };
}

function markRead(context) {
  const { from, ids } = context.body;
  accountOf(context).phone.read(context.double.world.get(digits(from)), ids ?? []);
}

function removeDevice(context) {
  context.double.removeDevice(deviceOf(context));
}

function connectionOf(context) {
  const { connection } = deviceOf(context);
  if (!connection) throw new Refused(409, 'it is not connected');
  return connection;
}

function dropConnection(context) {
  connectionOf(context).drop();
}

function streamError(context) {
  const { code } = context.body;
  if (![401, 440, 503, 515].includes(code)) throw new Refused(400, 'code is 401, 440, 503 or 515');
  connectionOf(context).streamError(code, { 401: 'device_removed', 440: 'replaced' }[code]);
}

/** As if strangers had asked for them. */
function usePreKeys(context) {
  const device = deviceOf(context);
  const { leave = 0 } = context.body;
  while (device.preKeys.length > leave) context.double.router.bundleOf(device);
}

function stats({ double }) {
  const { counts, failures, world, connections, media } = double;
  return { counts, failures, accounts: world.accounts.length, connections: connections.size, media_bytes: media.kept };
}
