// Judges a history. Knows the contract and the history, nothing of the product. `node checker.mjs FILE` judges one again.
import crypto from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const MAYBE_TAKEN = new Set(['endless', 'bomb', 'answer_and_kill']);
const FINAL = new Set(['sent', 'delivered', 'read', 'failed', 'cancelled', 'expired']);
const SETTLE_LIMIT_MS = 20_000; // the retry schedules' longest waits included
const TAKE_OVER_MS = 5000;
const LEASE_TTL_MS = 3000;
const LET_GO_MS = 3500; // WA_WEBHOOK_TIMEOUT of 2 s, and what a busy machine needs
const GONE_MS = 4000; // POSTs that were under way, and the 3 s for which an endpoint's row is believed
const OTHERS_P99_MS = 1500;
const KNOWN_MS = 5000; // an endpoint's secrets are read anew every 3 s
const SMALL_KB = 96 * 1024;
const WARM_MS = 10_000; // a process grows into its work
const FLAT_KB = 6 * 1024;

/** A list of {check, what}: empty when everything that must hold did. */
export function check(entries) {
  const world = gather(entries);
  const found = [];
  for (const { name, judge } of CHECKS) {
    judge(world, (what) => found.push({ check: name, what }));
  }
  return found;
}

function gather(entries) {
  const of = (e) => entries.filter((x) => x.e === e);
  const world = {
    meta: of('meta')[0],
    contacts: new Map(of('contact').map((c) => [c.contact, c])),
    webhooks: new Map(of('webhook').map((w) => [w.index, w])),
    secrets: groupBy(of('webhook'), (w) => w.index),
    letGo: of('let_go'),
    rss: of('rss'),
    setAside: of('set_aside'),
    gone: of('gone'),
    hostile: of('hostile')[0],
    guarded: of('guarded'),
    witness: of('witness'),
    tried: of('tried'),
    durability: of('durability').flatMap((d) => d.rows),
    requests: of('req'),
    faults: of('fault'),
    shown: of('shown'),
    hooks: of('hook'),
    pulled: of('pulled'),
    leases: of('leases'),
    ends: of('end'),
    settled: of('settled')[0],
    messages: new Map(of('message').map((m) => [m.message.message_id, { tenant: m.tenant, ...m.message }])),
    messageEntries: of('message'),
  };
  for (const { index, secret, until } of of('secret_end')) world.secrets.get(index).find((s) => s.secret === secret).until = until;
  world.operations = operationsOf(world.requests);
  world.accepted = acceptedOf(world.operations);
  for (const hook of world.hooks) {
    hook.event = JSON.parse(hook.raw);
  }
  return world;
}

/** Each op once: from the begin of its first try to the end of its last, and what it was told. */
function operationsOf(requests) {
  const operations = new Map();
  for (const r of requests) {
    const op = operations.get(r.op) ?? { ...r, tries: [] };
    op.end = r.t;
    op.status = r.status;
    op.data = r.data;
    op.tries.push(r);
    operations.set(r.op, op);
  }
  return [...operations.values()];
}

const SENDING = new Set(['send', 'again', 'keyless', 'once', 'scheduled', 'short_lived', 'cancellable', 'poison']);

/** message id → {id, body, contact, kind, begin, end}: end is the first answer that told of it. */
function acceptedOf(operations) {
  const accepted = new Map();
  for (const op of operations) {
    if (!SENDING.has(op.kind) || (op.status !== 202 && op.status !== 200)) continue;
    const id = op.data.message_id;
    const before = accepted.get(id);
    if (before) {
      before.begin = Math.min(before.begin, op.begin);
      before.end = Math.min(before.end, op.end);
    } else {
      accepted.set(id, { id, body: op.body, contact: op.contact, tenant: op.tenant, kind: op.kind, begin: op.begin, end: op.end });
    }
  }
  return accepted;
}

function groupBy(list, keyOf) {
  const groups = new Map();
  for (const item of list) {
    const key = keyOf(item);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(item);
  }
  return groups;
}

const shownById = (world) => groupBy(world.shown, (s) => s.message_id);

function isCertainlyUnshown(message) {
  return message.status === 'cancelled' || message.status === 'expired' ||
    (message.status === 'failed' && !['outcome_unknown', 'set_aside'].includes(message.error_code));
}

/** What a message to a phone with this fate must come to, unless it was cancelled or expired. */
function fateAllows(fate, message) {
  if (message.status === 'failed' && message.error_code === 'outcome_unknown') return true;
  switch (fate) {
    case '0001': return message.status === 'failed' && message.error_code === 'not_on_whatsapp';
    case '0004': return message.status === 'sent';
    default: return message.status === 'read';
  }
}

export const CHECKS = [
  {
    name: 'calls are answered',
    judge(world, violated) {
      for (const op of world.operations) {
        const isGood = op.kind === 'cancel' ? [200, 409].includes(op.status) : [200, 202].includes(op.status);
        const isTooLate = op.kind === 'short_lived' && op.status === 422; // after its valid_until
        const isRefused = world.meta.overload && [429, 503].includes(op.status);
        if (!isGood && !isTooLate && !isRefused && op.kind !== 'keyless' && op.kind !== 'other_body') violated(`${op.op}: ${op.status} ${op.error ?? JSON.stringify(op.data)} after ${op.tries.length} tries`);
      }
      for (const r of world.requests) {
        if (r.status === 500) violated(`${r.op}: 500 ${JSON.stringify(r.data)}`);
        if ((r.status === 503 || r.status === 429) && !r.data?.type) violated(`${r.op}: ${r.status} without a problem document`);
        if ((r.status === 503 || r.status === 429) && !(Number(r.retry_after) > 0)) violated(`${r.op}: ${r.status} without Retry-After`);
      }
      if (world.meta.overload && !world.requests.some((r) => r.status === 429 || r.status === 503)) violated('nothing was refused: it was no overload');
    },
  },
  {
    name: 'what was refused was not accepted',
    judge(world, violated) {
      const bodies = new Map([...world.messages.values()].map((m) => [m.message_body, m]));
      for (const op of world.operations) {
        if ((!SENDING.has(op.kind) && op.kind !== 'other_body') || op.status < 400 || op.status >= 500) continue;
        const message = bodies.get(op.body);
        if (message) violated(`${op.op}: ${op.status} after ${op.tries.map((t) => t.status)}, but there is ${message.message_id} (${message.status})`);
      }
    },
  },
  {
    name: 'every accepted message ends in one final state that its fate allows',
    judge(world, violated) {
      for (const a of world.accepted.values()) {
        const message = world.messages.get(a.id);
        const fate = world.contacts.get(a.contact).fate;
        if (!message) violated(`${a.id} was accepted and is unknown`);
        else if (!FINAL.has(message.status)) violated(`${a.id} (${a.kind}, …${fate}) is still ${message.status} ${JSON.stringify(message.held ?? '')}`);
        else if (message.status === 'cancelled') {
          if (!['cancellable', 'scheduled'].includes(a.kind)) violated(`${a.id} (${a.kind}) is cancelled, which nobody asked for`);
        } else if (message.status === 'expired' || message.error_code === 'expired') {
          if (a.kind !== 'short_lived') violated(`${a.id} (${a.kind}) expired`);
        } else if (a.kind === 'poison' && message.error_code === 'set_aside') continue;
        else if (!fateAllows(fate, message)) violated(`${a.id} (${a.kind}, …${fate}) ended as ${message.status} ${message.error_code ?? ''} after ${message.attempts} attempts`);
      }
      const seen = groupBy(world.messageEntries, (m) => m.message.message_id);
      for (const [id, list] of seen) if (list.length > 1) violated(`${id} stands ${list.length} times in the list of messages`);
    },
  },
  {
    name: 'a cancel that was granted holds',
    judge(world, violated) {
      for (const op of world.operations) {
        if (op.kind !== 'cancel') continue;
        const message = world.messages.get(op.message);
        if (op.tries.some((t) => t.status === 200) && message?.status !== 'cancelled') violated(`${op.message}: cancelled by ${op.op}, but ${message?.status}`);
        if (op.tries.length === 1 && op.status === 409 && message?.status === 'cancelled') violated(`${op.message}: cancel refused, but cancelled`);
      }
    },
  },
  {
    name: 'each message is shown once, what did not go is not shown',
    judge(world, violated) {
      const shown = shownById(world);
      for (const a of world.accepted.values()) {
        const message = world.messages.get(a.id);
        const times = shown.get(a.id)?.length ?? 0;
        if (!message || !FINAL.has(message.status)) continue; // judged above
        if (times > 1) violated(`${a.id} was shown ${times} times: ${shown.get(a.id).map((s) => s.wa_message_id)}`);
        if (isCertainlyUnshown(message) && times > 0) violated(`${a.id} is ${message.status} (${message.error_code ?? ''}) but was shown`);
        if (!isCertainlyUnshown(message) && message.status !== 'failed' && times === 0) violated(`${a.id} is ${message.status} but was never shown`);
        for (const s of shown.get(a.id) ?? []) {
          if (s.body !== a.body) violated(`${a.id} shows «${s.body}», not «${a.body}»`);
          if (s.phone !== world.contacts.get(a.contact).phone) violated(`${a.id} was shown on the wrong phone`);
          if (s.tenant_id !== a.tenant) violated(`${a.id} was shown for tenant ${s.tenant_id}`);
        }
      }
    },
  },
  {
    name: 'nothing is shown that was not accepted',
    judge(world, violated) {
      const maybe = new Set(world.operations.filter((op) => SENDING.has(op.kind) && op.status !== 202 && op.status !== 200).map((op) => op.body));
      for (const s of world.shown) {
        if (!world.accepted.has(s.message_id) && !maybe.has(s.body)) violated(`${s.message_id} «${s.body}» on …${s.phone.slice(-4)}`);
      }
      const bodies = groupBy(world.shown, (s) => s.body);
      for (const [body, list] of bodies) if (list.length > 1) violated(`«${body}» was shown ${list.length} times: ${list.map((s) => s.message_id)}`);
    },
  },
  {
    name: 'the same key or ref gives the same message',
    judge(world, violated) {
      const told = world.requests.filter((r) => SENDING.has(r.kind) && (r.status === 202 || r.status === 200));
      for (const [key, list] of groupBy(told.filter((r) => r.key), (r) => `${r.tenant}/${r.key}`)) {
        const ids = new Set(list.map((r) => r.data.message_id));
        if (ids.size > 1) violated(`${key}: ${[...ids]}`);
      }
      for (const [body, list] of groupBy(told.filter((r) => r.kind === 'once'), (r) => r.body)) {
        const ids = new Set(list.map((r) => r.data.message_id));
        if (ids.size > 1) violated(`once «${body}»: ${[...ids]}`);
      }
      for (const op of world.operations) {
        if (op.kind === 'other_body' && op.status !== 422 && !world.meta.overload) violated(`${op.op}: a key with another body: ${op.status}`);
      }
    },
  },
  {
    name: 'each phone shows messages in the order of acceptance',
    judge(world, violated) {
      // A scheduled one joins when it falls due: its place is free.
      const known = world.shown.map((s) => ({ ...s, accepted: world.accepted.get(s.message_id) }))
        .filter((s) => s.accepted && s.accepted.kind !== 'scheduled');
      for (const [phone, list] of groupBy(known, (s) => s.phone)) {
        list.sort((a, b) => a.arrival - b.arrival);
        let latest = null; // of those that were shown before: the one whose call began last
        for (const s of list) {
          if (latest && s.accepted.end < latest.accepted.begin) {
            violated(`…${phone.slice(-7)}: ${latest.message_id} was shown before ${s.message_id}, whose call had ended ${latest.accepted.begin - s.accepted.end} ms before the other began`);
          }
          if (!latest || s.accepted.begin > latest.accepted.begin) latest = s;
        }
      }
    },
  },
  {
    name: 'no phone is written to faster than its interval allows',
    judge(world, violated) {
      const interval_ms = world.meta.recipient_interval_ms;
      if (!interval_ms) return; // the run has no such limit
      for (const [phone, list] of groupBy(world.shown, (s) => s.phone)) {
        list.sort((a, b) => a.arrival - b.arrival);
        for (let i = 1; i < list.length; i++) {
          const gap_ms = list[i].received_ms - list[i - 1].received_ms;
          if (gap_ms < interval_ms * 0.8) violated(`…${phone.slice(-7)}: ${list[i].message_id} came ${gap_ms} ms after the one before, not ${interval_ms}`);
        }
      }
    },
  },
  {
    name: 'a limit is kept over any stretch of time, whatever dies',
    judge(world, violated) {
      const { interval_ms, burst } = world.meta.recipient_limit ?? {};
      if (!interval_ms) return;
      for (const [phone, list] of groupBy(world.shown, (s) => s.phone)) {
        const times = list.map((s) => s.received_ms).sort((a, b) => a - b);
        for (let from = 0; from < times.length; from++) {
          for (let to = from + burst; to < times.length; to++) {
            // What was let through may be on its way for a while, and then come together with the next: one more than the burst.
            const least_ms = (to - from - burst) * interval_ms - 100;
            if (times[to] - times[from] < least_ms) violated(`…${phone.slice(-7)}: ${to - from + 1} messages within ${Math.round(times[to] - times[from])} ms, not ${least_ms}`);
          }
        }
      }
    },
  },
  {
    name: 'copies stay within the attempts, one WhatsApp id a message',
    judge(world, violated) {
      for (const s of world.shown) {
        const message = world.messages.get(s.message_id);
        if (message && s.copies > Math.max(1, message.attempts)) violated(`${s.message_id}: ${s.copies} copies, ${message.attempts} attempts`);
        if (s.copies > world.meta.most_copies) violated(`${s.message_id}: ${s.copies} copies`);
      }
      for (const [id, list] of groupBy(world.shown, (s) => s.wa_message_id)) if (list.length > 1) violated(`WhatsApp id ${id} stands for ${list.map((s) => s.message_id)}`);
    },
  },
  {
    name: 'every event reaches its endpoint, always with the same body and a valid signature',
    judge(world, violated) {
      const events = new Map(); // tenant/message → set of types
      for (const [id, list] of groupBy(world.hooks, (h) => `${h.index} ${h.id}`)) {
        if (new Set(list.map((h) => h.raw)).size > 1) violated(`${id} came with different bodies`);
      }
      for (const h of world.hooks) {
        const hook = world.webhooks.get(h.index);
        if (h.event.id !== h.id) violated(`header ${h.id}, body ${h.event.id}`);
        if (h.event.tenant_id !== hook.tenant) violated(`${h.id} of tenant ${h.event.tenant_id} came to tenant ${hook.tenant}`);
        if (!isSigned(h, world.secrets.get(h.index), world.meta.clock_skew_s ?? 0)) violated(`${h.id} has no valid signature`);
        if (h.answer !== 200 && !MAYBE_TAKEN.has(h.answer)) continue;
        const key = `${hook.tenant}/${h.event.data.message_id}`;
        if (!events.has(key)) events.set(key, new Map());
        const types = events.get(key);
        if (!types.has(h.event.event)) types.set(h.event.event, new Set());
        types.get(h.event.event).add(h.id);
      }
      for (const message of world.messages.values()) {
        const have = events.get(`${message.tenant}/${message.message_id}`) ?? new Map();
        for (const type of eventsOf(message)) {
          if (!have.has(type)) violated(`${message.message_id} is ${message.status}: no ${type} was taken by the endpoint`);
        }
        for (const [type, ids] of have) {
          if (ids.size > 1) violated(`${message.message_id}: ${type} under ${ids.size} ids: ${[...ids]}`);
          if (!eventsOf(message).includes(type)) violated(`${message.message_id} is ${message.status} but ${type} was told`);
        }
      }
    },
  },
  {
    name: 'endpoints that do not end are let go in time',
    judge(world, violated) {
      for (const { index, mode, after_ms } of world.letGo) {
        if (after_ms > LET_GO_MS && !world.faults.some((f) => f.kind === 'endpoint_net' || f.kind === 'pause')) violated(`endpoint ${index}, ${mode}: held for ${after_ms} ms`);
      }
    },
  },
  {
    name: 'what an endpoint asks for is done: 410 ends it, Retry-After is waited for',
    judge(world, violated) {
      for (const { index, t, is_disabled } of world.gone) {
        if (!is_disabled) violated(`endpoint ${index} said 410 and is not disabled`);
        const late = world.hooks.filter((h) => h.index === index && h.t > t + GONE_MS);
        if (late.length > 0) violated(`endpoint ${index} said 410 and was posted to ${late.at(-1).t - t} ms later`);
        judgeGone(world.hooks.filter((h) => h.index === index), violated);
      }
      if (!world.meta.strict_retry_after) return; // a webhooker that is killed before it has written it down may forget it
      for (const [id, list] of groupBy(world.hooks, (h) => `${h.index} ${h.id}`)) {
        for (let i = 1; i < list.length; i++) {
          const asked_ms = (list[i - 1].retry_after_s ?? 0) * 1000;
          if (list[i].t - list[i - 1].t < asked_ms - 50) violated(`${id} came again after ${list[i].t - list[i - 1].t} ms, asked for ${asked_ms}`);
        }
      }
    },
  },
  {
    name: 'what is committed is on the disk',
    judge(world, violated) {
      for (const { name, setting, for: whom } of world.durability) if (setting !== 'on') violated(`${name} is ${setting} for ${whom}`);
    },
  },
  {
    name: 'addresses that must not be called are not called',
    judge(world, violated) {
      for (const { url, how, held, saw } of world.guarded) if (!held) violated(`${url}: ${how}: ${saw}`);
      for (const { what, address, allowed, times } of world.witness) {
        if (what === 'connect' && !allowed.includes(address)) violated(`${times} connections to ${address}`);
      }
      if (world.guarded.length > 0 && !world.witness.some((w) => w.what === 'resolve')) violated('the witness saw no name resolved');
    },
  },
  {
    name: 'what makes no sense is set aside with its reason',
    judge(world, violated) {
      for (const { stream, expected, found, reasons } of world.setAside) {
        if (found !== expected) violated(`${stream}: ${found} of ${expected} entries were set aside`);
        if (reasons.some((reason) => !reason)) violated(`${stream}: set aside without a reason`);
      }
    },
  },
  {
    name: 'a bad endpoint slows down no other',
    judge(world, violated) {
      if (world.meta.hostile_index === undefined) return;
      const begin = world.hostile?.t ?? 0; // until then all were well: so slow is the machine by itself
      const waits = [...groupBy(world.hooks.filter((h) => h.index !== world.meta.hostile_index), (h) => `${h.index} ${h.event.data.contact_id}`).values()].flatMap(waitsOf);
      const before = p99(waits.filter((w) => w.t < begin)) ?? 0;
      const after = p99(waits.filter((w) => w.t >= begin));
      if (!(after < Math.max(OTHERS_P99_MS, 2 * before))) violated(`the others' events came after ${after} ms (99th percentile), before that after ${before} ms`);
    },
  },
  {
    name: 'the faults were such as the scenario is about',
    judge(world, violated) {
      if (world.meta.expects_repeats && ![...groupBy(world.hooks, (h) => `${h.index} ${h.id}`).values()].some((list) => list.some((h) => h.answer === 'answer_and_kill') && list.length > 1)) {
        violated('no event came once more after its 200');
      }
      for (const { what, times } of world.tried) if (times === 0) violated(`nobody came to ${what}`);
      if (world.meta.expects_lost_commits && !world.faults.some((f) => f.lost > 0)) violated('no commit was lost');
      for (const fault of world.faults) if (/^no such|is not a function/.test(fault.error ?? '')) violated(`${fault.kind}: ${fault.error}`);
    },
  },
  {
    name: 'memory stays flat',
    judge: judgeMemory,
  },
  {
    name: "each contact's events come in order",
    judge(world, violated) {
      for (const [key, list] of groupBy(world.hooks, (h) => `${h.index} ${h.event.data.contact_id}`)) judgeOrder(world, key, list, violated);
    },
  },
  {
    name: 'GET /events skips nothing',
    judge(world, violated) {
      for (const [tenant, list] of groupBy(world.hooks, (h) => h.event.tenant_id)) {
        const pulled = new Set(world.pulled.filter((p) => p.tenant === tenant).map((p) => p.id));
        for (const id of new Set(list.map((h) => h.id))) if (!pulled.has(id)) violated(`${id} of tenant ${tenant} was delivered and never pulled`);
      }
      for (const [id, list] of groupBy(world.pulled, (p) => p.id)) if (list.length > 1) violated(`${id} was pulled ${list.length} times`);
    },
  },
  {
    name: 'each incoming message is kept once',
    judge(world, violated) {
      const incoming = [...world.messages.values()].filter((m) => m.direction === 'incoming');
      const kept = groupBy(incoming, (m) => m.message_body);
      for (const op of world.operations) {
        if (op.kind !== 'inbound') continue;
        const list = kept.get(op.body) ?? [];
        if (list.length > 1 || (op.status === 202 && list.length === 0)) violated(`«${op.body}» (${op.status}) is kept ${list.length} times`);
        for (const m of list) if (m.contact_id !== op.contact) violated(`«${op.body}» of contact ${op.contact} stands at ${m.contact_id}`);
        const ids = new Set(op.tries.filter((t) => t.status === 202).map((t) => t.data.wa_message_id));
        if (ids.size > 1) violated(`${op.op}: ${[...ids]}`);
      }
      if (incoming.length > world.operations.filter((op) => op.kind === 'inbound').length) violated('more incoming messages than were written');
    },
  },
  {
    name: 'everything settles soon after the last fault',
    judge(world, violated) {
      const { after_ms, times, left } = world.settled;
      if (Object.keys(left).length > 0) violated(`after ${after_ms} ms still ${JSON.stringify(left)}`);
      else if (after_ms > (world.meta.settle_limit_ms ?? SETTLE_LIMIT_MS)) violated(`only after ${after_ms} ms: ${JSON.stringify(times)}`);
    },
  },
  {
    name: 'daemons end only when they are killed',
    judge(world, violated) {
      const killed = new Set(world.faults.flatMap((f) => f.pids ?? []));
      for (const end of world.ends) {
        if (world.meta.may_end?.includes(end.name)) continue;
        if (!killed.has(end.pid) || (end.signal !== 9 && !/^postgres/.test(end.name))) {
          violated(`${end.name} (${end.pid}) ended by itself: signal ${end.signal}, exit ${end.exit}, after ${end.lived_ms} ms`);
        }
      }
    },
  },
  {
    name: 'leases are taken over in time',
    judge(world, violated) {
      for (const entry of world.leases) {
        if (entry.away) continue;
        for (const row of entry.rows) {
          const limit = Math.max(TAKE_OVER_MS, LEASE_TTL_MS) + 1000;
          const since = Math.max(entry.t - row.stale_ms, lastOfAllDied(world, row.kind, entry.t - row.stale_ms, entry.t));
          if (entry.t - since > limit && !isExcused(world, row.kind, entry.t - row.stale_ms, entry.t)) {
            violated(`${row.kind}: nobody renewed or took one for ${row.stale_ms} ms at ${new Date(entry.t).toISOString()}`);
          }
        }
      }
    },
  },
];

function eventsOf(message) {
  if (message.direction === 'incoming') return ['message_received'];
  switch (message.status) {
    case 'sent': return ['message_sent'];
    case 'delivered': return ['message_sent', 'message_delivered'];
    case 'read': return ['message_sent', 'message_delivered', 'message_read'];
    case 'failed': case 'expired': return ['message_failed'];
    default: return [];
  }
}

/** By each secret that is live, and by no other. One that ends, or begins, is known within seconds everywhere. */
function isSigned(h, secrets, skew_s) {
  const standard = (secret) => `v1,${crypto.createHmac('sha256', Buffer.from(secret.replace(/^whsec_/, ''), 'base64')).update(`${h.id}.${h.timestamp}.${h.raw}`).digest('base64')}`;
  const guide = (secret) => `v1=${crypto.createHmac('sha256', secret).update(`${h.timestamp}.${h.raw}`).digest('hex')}`;
  const isSure = (s) => (s.from ?? 0) + KNOWN_MS < h.t && (s.until ?? Infinity) > h.t;
  const isPossible = (s) => (s.from ?? 0) <= h.t + 100 && (s.until ?? Infinity) + KNOWN_MS > h.t;
  const isMadeBy = (found, sign) => secrets.filter(isSure).every((s) => found.includes(sign(s.secret))) &&
    found.length > 0 && found.every((one) => secrets.some((s) => isPossible(s) && sign(s.secret) === one));
  const [t, ...parts] = (h.guide_signature ?? '').split(',');
  return isMadeBy((h.signature ?? '').split(' '), standard) && t === `t=${h.timestamp}` && isMadeBy(parts, guide) &&
    Math.abs(Number(h.timestamp) * 1000 - h.t) < 30_000 + skew_s * 1000;
}

/**
 * A process that has been at work for a while is as large as it was, and no process is large. Of each process: the median of the last
 * third of its warm time against that of the first third; of each kind: the same over all its processes, one after another.
 */
function judgeMemory(world, violated) {
  for (const s of world.rss) if (s.rss_kb > SMALL_KB) return violated(`${s.name} (${s.pid}) has ${s.rss_kb} kB`);
  if (world.meta.memory_may_grow) return; // into what the load asks for: the bound alone counts
  const warm = world.rss.filter((s) => s.age_ms > WARM_MS);
  const series = [...groupBy(warm, (s) => `${s.name} ${s.pid}`), ...groupBy(warm, (s) => `all of ${s.name.split('-')[0]}`)];
  for (const [name, list] of series) {
    if (list.length < 30) continue;
    const third = Math.floor(list.length / 3);
    const first = median(list.slice(0, third).map((s) => s.rss_kb));
    const last = median(list.slice(-third).map((s) => s.rss_kb));
    if (last > first * 1.25 + FLAT_KB) violated(`${name} grew from ${first} to ${last} kB within ${Math.round((list.at(-1).t - list[0].t) / 1000)} s`);
  }
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
}

function p99(waits) {
  const sorted = waits.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)];
}

/** Of one contact's POSTs: when each event came first, and how long it had waited once all before it had been taken. */
function waitsOf(hooks) {
  const waits = [];
  let free = 0;
  for (const [first, ...more] of [...groupBy(hooks, (h) => h.id).values()].sort(([a], [b]) => a.event.sequence - b.event.sequence)) {
    waits.push({ t: first.t, ms: first.t - Math.max(free, Date.parse(first.event.created_at)) });
    free = [first, ...more].find((h) => h.answer === 200)?.t ?? Infinity;
  }
  return waits.filter(({ ms }) => Number.isFinite(ms));
}

/** Of a contact to which the endpoint has said 410, nothing comes any more: its events are one process's, one after another. */
function judgeGone(hooks, violated) {
  for (const [contact, list] of groupBy(hooks, (h) => h.event.data.contact_id)) {
    const said = list.findIndex((h) => h.answer === 'gone');
    if (said >= 0 && said < list.length - 1) violated(`endpoint ${list[0].index} said 410 to contact ${contact} and got ${list[said + 1].id} ${list[said + 1].t - list[said].t} ms later`);
  }
}

/**
 * An event may come for the first time when each earlier one was taken, or is so old that it may have been refused for as long as
 * one event may hold up the others (a refused connection is no receipt). The list is in the order of receipt.
 */
function judgeOrder(world, key, list, violated) {
  const events = new Map();
  for (const h of list) {
    if (!events.has(h.id)) events.set(h.id, { id: h.id, sequence: h.event.sequence, first: h.t, created: Date.parse(h.event.created_at), taken: Infinity });
    const event = events.get(h.id);
    if (h.answer === 200) event.taken = Math.min(event.taken, h.t);
    if (MAYBE_TAKEN.has(h.answer)) event.taken = Math.min(event.taken, h.t); // a 2xx, whose body is too long to be read
    if (h.answer === 'gone') event.taken = Math.min(event.taken, h.t); // 410: it is over with all of them
    if (h.answer === 'slow') event.taken = Math.min(event.taken, h.t + 1500); // its answer may have arrived just in time
  }
  const inOrder = [...events.values()].sort((a, b) => a.sequence - b.sequence);
  for (let i = 1; i < inOrder.length; i++) {
    if (inOrder[i].sequence === inOrder[i - 1].sequence) violated(`${key}: two events have sequence ${inOrder[i].sequence}`);
  }
  for (let later = 1; later < inOrder.length; later++) {
    for (let earlier = Math.max(0, later - 20); earlier < later; earlier++) {
      const [a, b] = [inOrder[earlier], inOrder[later]];
      if (a.taken <= b.first || b.first - a.created >= world.meta.hold_ms) continue;
      if (a.first > b.first) violated(`${key}: ${b.id} came ${a.first - b.first} ms before ${a.id}`);
      else violated(`${key}: ${b.id} came ${b.first - a.first} ms after ${a.id}, which was not yet taken`);
    }
  }
}

const OWNERS = { partition: 'sender', session: 'gateway', events: 'webhooker' };

/** Where each process of the kind was killed within that time: when the last one was, for there was nobody to take over before. Else 0. */
function lastOfAllDied(world, kind, from, to) {
  const nameOf = new Map(world.ends.map((end) => [end.pid, end.name]));
  const died = world.faults.filter((f) => f.kind.startsWith('kill') && f.end >= from && f.end <= to)
    .flatMap((f) => (f.pids ?? []).map((pid) => ({ name: nameOf.get(pid), t: f.end })))
    .filter(({ name }) => name?.startsWith(OWNERS[kind]));
  return new Set(died.map(({ name }) => name)).size >= 2 ? Math.max(...died.map(({ t }) => t)) : 0;
}

/** Whether, at some moment of that time, nobody could have renewed a lease of the kind: Postgres away or the whole kind down. */
function isExcused(world, kind, from, to) {
  const daemon = OWNERS[kind];
  return world.faults.some((f) => {
    const until = (f.end ?? f.t) + 3000; // to connect again
    if (f.begin > to || until < from) return false;
    if (f.kind === 'postgres_net' && !['all', daemon].includes(f.who)) return f.who.startsWith(daemon) && world.faults.some((g) => g !== f && g.begin < to && (g.end ?? g.t) + 3000 > from && isOf(g, daemon));
    return f.kind.startsWith('postgres') || isWholeKind(f, daemon) || (f.kind === 'pause' && f.target?.startsWith?.(daemon));
  });
}

const isWholeKind = (fault, daemon) => fault.target === daemon;
const isOf = (fault, daemon) => String(fault.target ?? fault.who ?? '').startsWith(daemon);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = await readFile(process.argv[2], 'utf8');
  const found = check(text.trim().split('\n').map((line) => JSON.parse(line)));
  for (const { check: name, what } of found) console.log(`VIOLATION ${name}: ${what}`);
  console.log(`${CHECKS.length - new Set(found.map((f) => f.check)).size} passed, ${new Set(found.map((f) => f.check)).size} failed`);
  process.exitCode = found.length > 0 ? 1 : 0;
}
