// One connection to WhatsApp: a Baileys socket with our key store, repository and receiver in it.
import makeWASocket, { Browsers, isJidBroadcast, isJidGroup, isJidNewsletter, proto } from 'baileys';
import { Lru } from './lru.mjs';
import { gateOutgoing } from './outgoing_gate.mjs';
import { Receiver } from './receiver.mjs';
import { makeRepositoryMaker } from './repository.mjs';
import { nullLogger } from './null_logger.mjs';
import { ReadMarks } from './read_marks.mjs';

const QUERY_MS = 20_000;
const HOUR_MS = 3600_000;
const DEVICE_LISTS = 5_000;
const RETRY_COUNTS = 5_000;
const SMALL_CACHE = 500;

const { HistorySyncType } = proto.HistorySync;
// Of the history only what brings LIDs, privacy tokens and names: what was said before is none of the product's business.
const HISTORY = new Set([HistorySyncType.INITIAL_BOOTSTRAP, HistorySyncType.PUSH_NAME, HistorySyncType.NON_BLOCKING_DATA]);

// Who writes elsewhere than to us.
const isForeign = (jid) => Boolean(isJidGroup(jid) || isJidBroadcast(jid) || isJidNewsletter(jid));

// Asks for the hosts only when a file is not where WhatsApp keeps them.
async function mediaHosts(sock, url) {
  if (url && new URL(url).host.endsWith('.whatsapp.net')) return new Set();
  const { hosts } = await sock.refreshMediaConn();
  return new Set(hosts.map(({ hostname }) => hostname));
}

// events: { update(update), acked(node), credsChanged(changes), overrun() }. getMessage(waId) → proto or undefined.
export function connect({ owner, line, store, creds, config, getMessage, events }) {
  const deviceLists = new Lru({ max: DEVICE_LISTS, ttlMs: HOUR_MS });
  let sock = null;
  const receiver = new Receiver({
    line,
    creds,
    mediaHosts: (url) => mediaHosts(sock, url),
    mediaMaxBytes: config.mediaMaxBytes,
    readMarks: config.readMarks ? new ReadMarks((keys) => sock.readMessages(keys)) : null,
    overrun: events.overrun,
  });
  sock = makeWASocket({
    ...(config.wsUrl ? { waWebSocketUrl: config.wsUrl } : {}),
    auth: { creds, keys: store },
    logger: nullLogger,
    browser: Browsers.macOS('Chrome'),
    syncFullHistory: false,
    shouldSyncHistoryMessage: ({ syncType }) => HISTORY.has(syncType),
    shouldIgnoreJid: isForeign,
    emitOwnEvents: false,
    defaultQueryTimeoutMs: QUERY_MS,
    connectTimeoutMs: QUERY_MS,
    // A commit that fails has ended the connection; trying again is not ours.
    transactionOpts: { maxCommitRetries: 1, delayBetweenTriesMs: 0 },
    getMessage: ({ id }) => getMessage(id),
    makeSignalRepository: makeRepositoryMaker({ owner, store, receiver }),
    userDevicesCache: deviceLists,
    msgRetryCounterCache: new Lru({ max: RETRY_COUNTS, ttlMs: HOUR_MS }),
    callOfferCache: new Lru({ max: SMALL_CACHE, ttlMs: 300_000 }),
    placeholderResendCache: new Lru({ max: SMALL_CACHE, ttlMs: HOUR_MS }),
  });
  gateOutgoing(sock.ws.socket, store);
  receiver.attach(sock);
  sock.ev.on('connection.update', events.update);
  sock.ev.on('creds.update', (changes) => {
    store.credsWereChanged();
    events.credsChanged(changes);
  });
  sock.ws.on('CB:ack,class:message', events.acked);
  return { sock, deviceLists };
}
