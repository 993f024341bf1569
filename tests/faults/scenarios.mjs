// Faults with names: what each is there to show stands beside it. The random mixture (schedule.mjs) meets many of them by chance.
import path from 'node:path';
import { freePort } from '../integration/support/stack.mjs';
import { until } from '../integration/support/until.mjs';
import { ENDPOINT_SCENARIOS } from './scenarios_endpoints.mjs';
import { GUARD_SCENARIOS } from './scenarios_guard.mjs';
import { ExtraProcess, buildSlowFsync, clockLines, fillDisk, findFaketime, mountSmallDisk, movableClock, unmount } from './host.mjs';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Faults one after another for so long: `make(random, n)` gives the n-th, `gap_ms` the least and the longest pause before the next. */
export async function oneByOne({ injector, random }, length_ms, gap_ms, make) {
  const faults = [];
  for (let at = 500, n = 0; at < length_ms; at += random.whole(...gap_ms), n++) faults.push({ at_ms: at, ...make(random, n) });
  await injector.run(faults);
}

const DAEMONS = ['api-1', 'api-2', 'sender-1', 'sender-2', 'gateway-1', 'gateway-2', 'webhooker-1', 'webhooker-2'];
const black_hole = (who, direction, for_ms) => ({ kind: 'postgres_net', who, toxic: { kind: 'black_hole', direction }, for_ms });

export const SCENARIOS = {
  api_kills: {
    about: 'kill -9 of an api every 0.2 to 2 s under load',
    play: (trial) => oneByOne(trial, 20_000, [200, 2000], (random) => ({ kind: 'kill', target: random.pick(['api-1', 'api-2']) })),
  },

  commit_lost: {
    about: 'Postgres commits, and the connection is reset before the answer: for all daemons',
    meta: { expects_lost_commits: true },
    play: (trial) => oneByOne(trial, 20_000, [300, 900], (random, n) => ({ kind: 'commit_lost', who: DAEMONS[n % DAEMONS.length], count: random.whole(1, 3), for_ms: 1200 })),
  },

  one_key: {
    about: '50 calls of one key side by side while apis die, then the key with another body',
    async play(trial) {
      const { workload, random } = trial;
      const kills = oneByOne(trial, 15_000, [400, 1500], () => ({ kind: 'kill', target: random.pick(['api-1', 'api-2']) }));
      for (const contact of workload.contacts.slice(0, 12)) {
        const same = { key: `fifty-${contact.serial}`, body: workload.newBody() };
        await Promise.all(Array.from({ length: 50 }, () => workload.send(contact, 'send', {}, same)));
        await workload.send(contact, 'other_body', {}, { key: same.key });
      }
      await kills;
    },
  },

  redis_slow_fsync: {
    about: 'Redis is killed while fsync takes 1.5 s, with appendfsync everysec and always',
    async prepare(trial) {
      trial.fsync = await buildSlowFsync(trial.data);
    },
    wiring: ({ fsync }) => [`redis-1 env LD_PRELOAD=${fsync.library}`, `redis-1 env SLOW_FSYNC_FILE=${fsync.file}`],
    async play(trial) {
      await trial.fsync.setMs(1500);
      await oneByOne(trial, 14_000, [3000, 5000], () => ({ kind: 'redis_kill' }));
      await trial.stack.redis('CONFIG', 'SET', 'appendfsync', 'always').catch(() => {});
      await oneByOne(trial, 10_000, [3000, 5000], () => ({ kind: 'redis_kill' }));
      await trial.fsync.setMs(0);
    },
  },

  redis_empty: {
    about: 'FLUSHALL, and starts with an empty append-only file, in turn',
    play: (trial) => oneByOne(trial, 20_000, [600, 2500], (random, n) => ({ kind: n % 2 === 0 ? 'redis_flush' : 'redis_empty' })),
  },

  redis_full: {
    about: 'Redis at its memory limit: what adds is refused',
    play: (trial) => oneByOne(trial, 20_000, [3000, 5000], (random) => ({ kind: 'redis_full', for_ms: random.whole(1000, 4000) })),
  },

  overslept: {
    about: 'senders, gateways and webhookers are stopped for longer than their leases and go on',
    play: (trial) => oneByOne(trial, 25_000, [1500, 3500], (random) => ({ kind: 'pause', target: random.pick(DAEMONS.slice(2)), for_ms: random.whole(3200, 6000) })),
  },

  dozed: {
    about: 'the same for about as long as a lease lasts: it runs out by its owner\'s clock, and Postgres may renew it before it is anybody else\'s',
    play: (trial) => oneByOne(trial, 30_000, [3200, 4200], (random, n) => ({ kind: 'pause', target: DAEMONS[2 + (n * 5 + 4) % 6], for_ms: random.whole(2300, 3100) })),
  },

  lost_ack: {
    about: "WhatsApp takes the message and its acknowledgement is lost; gateways die meanwhile",
    load: { fates: [{ last: '0005', contacts: 12, pause_ms: 2500, waits: true }, { last: '0002', contacts: 4, pause_ms: 2500, waits: true }, { last: '5555', contacts: 8, pause_ms: 600 }] },
    play: (trial) => oneByOne(trial, 20_000, [700, 2000], (random) => ({ kind: 'kill', target: random.pick(['gateway-1', 'gateway-2', 'sender-1', 'sender-2']) })),
  },

  two_gateways: {
    about: 'a gateway cannot reach Postgres and believes it owns its sessions still, while the other takes them',
    play: (trial) => oneByOne(trial, 30_000, [6000, 9000], (random, n) =>
      n % 3 === 2 ? { kind: 'pause', target: `gateway-${1 + (n % 2)}`, for_ms: 5000 } : black_hole(`gateway-${1 + (n % 2)}`, random.pick(['up', 'down', 'both']), random.whole(4500, 7000))),
  },

  more_and_fewer: {
    about: 'senders 1, then 4, then 2, with kills',
    count: { sender: 1 },
    async play(trial) {
      const { stack } = trial;
      const kills = oneByOne(trial, 24_000, [800, 2000], (random) => ({ kind: 'kill', target: random.pick(['sender-1', 'gateway-1', 'gateway-2']) }));
      await sleep(4000);
      const more = [2, 3, 4].map((n) => new ExtraProcess(stack, `sender-${n}`, 'sender-1'));
      for (const sender of more) await sender.start(await freePort());
      trial.more = more;
      await until('four senders to share the partitions', async () => {
        const [{ n }] = await trial.watch.query(`SELECT count(DISTINCT owner)::int AS n FROM leases WHERE kind = 'partition' AND expires_at > now()`);
        return n >= 4;
      }, 15_000);
      await sleep(5000);
      for (const sender of more.slice(1)) {
        const { code, signal } = await sender.end();
        trial.history.add('extra_end', { name: sender.name, code, signal });
      }
      await kills;
    },
    async cleanUp({ more = [] }) {
      for (const sender of more) await sender.end().catch(() => {});
    },
  },

  poison: {
    about: 'entries that make no sense in every stream, again and again',
    meta: { memory_may_grow: true, settle_limit_ms: 40_000 },
    async play(trial) {
      await oneByOne(trial, 15_000, [3000, 4000], () => ({ kind: 'poison' }));
      await recordSetAside(trial);
    },
  },

  clocks: {
    about: 'of each daemon one lives an hour later and one an hour earlier; Redis dies meanwhile',
    meta: { clock_skew_s: 3600, recipient_limit: { interval_ms: 400, burst: 1 } },
    load: {
      fates: [{ last: '5555', contacts: 30, pause_ms: 2400 }, { last: '0002', contacts: 3, pause_ms: 5000 }],
      operations: { send: 60, send_twice: 6, burst: 6, cancel: 4, scheduled: 6, inbound: 8 },
    },
    async prepare(trial) {
      trial.faketime = await findFaketime();
    },
    wiring: ({ faketime, instances }) => instances.flatMap((name) => clockLines(faketime, name, name.endsWith('-1') ? 3600 : -3600)),
    async ready({ workload }) {
      for (const customer of workload.customers) await customer.session({ recipient_interval_ms: 400, recipient_burst: 1 });
    },
    play: (trial) => oneByOne(trial, 25_000, [1500, 3500], (random, n) => (n % 3 === 0 ? { kind: 'redis_kill' } : { kind: 'kill', target: random.pick(DAEMONS) })),
  },

  clock_jumps: {
    about: 'the clock of the whole machine is put on by an hour and back again, by ten minutes back and on again; daemons die at each jump',
    meta: { clock_skew_s: 3600 },
    load: {
      fates: [{ last: '5555', contacts: 30, pause_ms: 1200 }],
      operations: { send: 60, send_twice: 6, send_again: 6, burst: 6, cancel: 4, inbound: 8 },
    },
    async prepare(trial) {
      trial.clock = await movableClock([...trial.instances, 'postgres-1', 'redis-1'], trial.data);
    },
    wiring: ({ clock }) => clock.lines,
    async play(trial) {
      for (const seconds of [3600, 0, -600, 0, 3600, 0]) await jump(trial, seconds);
    },
    cleanUp: async ({ clock }) => clock?.close(),
  },

  postgres_restarts: {
    about: 'Postgres is stopped, killed, and all its processes killed at once, in turn',
    play: (trial) => oneByOne(trial, 25_000, [3000, 6000], (random, n) => ({ kind: ['postgres_stop', 'postgres_kill', 'postgres_power'][n % 3] })),
  },

  postgres_partition: {
    about: 'nobody reaches Postgres for 60 s, and nobody is told so',
    async play(trial) {
      await sleep(4000);
      await trial.injector.fault(black_hole('all', 'both', 60_000));
      await sleep(2000);
    },
  },

  postgres_locks: {
    about: 'tables are locked for seconds, while a transaction stays open that does nothing',
    async play(trial) {
      const idle = trial.injector.fault({ kind: 'postgres_idle', for_ms: 24_000 });
      const tables = ['messages', 'deliveries', 'events', 'leases', 'idempotency_keys'];
      await oneByOne(trial, 22_000, [2500, 4500], (random, n) => ({ kind: 'postgres_lock', table: tables[n % tables.length], for_ms: random.whole(1500, 3000) }));
      await idle;
    },
  },

  disk_full_postgres: diskFull('postgres', { size_mb: 420, user: 'postgres' }),
  disk_full_redis: diskFull('redis', { size_mb: 16 }),
  disk_full_logs: diskFull('log', { size_mb: 8 }),

  overload: {
    about: 'three times what the sessions may send, while the endpoints are down',
    settings: { WA_TENANT_BACKLOG: '60' },
    meta: { overload: true, memory_may_grow: true, settle_limit_ms: 60_000 },
    load: {
      fates: [{ last: '5555', contacts: 45, pause_ms: 300 }],
      operations: { send: 60, send_keyless: 10, burst: 20, send_twice: 10 },
    },
    async ready({ workload }) {
      for (const customer of workload.customers) await customer.session({ rate_per_min: 900 });
    },
    async play(trial) {
      const down = [0, 1, 2].map((target) => trial.injector.fault({ kind: 'endpoint', target, mode: 'down', for_ms: 12_000 }));
      await sleep(20_000);
      await Promise.all(down);
    },
  },

  ...ENDPOINT_SCENARIOS,
  ...GUARD_SCENARIOS,
};

/** No room on the disk of Postgres (its tables and its log of changes), of Redis, or of the logs; then there is again. */
function diskFull(what, { size_mb, user }) {
  return {
    about: `no room on the disk of ${what === 'log' ? 'the logs' : what}, twice`,
    meta: { may_end: what === 'log' ? [] : [`${what}-1`], settle_limit_ms: 30_000 },
    prepare: async ({ data }) => mountSmallDisk(path.join(data, what), size_mb, user),
    async play({ data, history }) {
      for (let i = 0; i < 2; i++) {
        await sleep(3000);
        const begin = Date.now();
        const bytes = await fillDisk(path.join(data, what), sleep(7000));
        history.add('fault', { kind: `${what}_disk_full`, begin, end: Date.now(), bytes });
      }
      await sleep(3000);
    },
    cleanUp: async ({ data }) => unmount(path.join(data, what)),
  };
}

/** Whoever dies at that moment had its leases by the other clock. */
async function jump({ clock, injector, history, random }, seconds) {
  const begin = Date.now();
  await clock.put(seconds);
  await Promise.all(['sender', 'gateway', 'webhooker'].map((kind) => injector.fault({ kind: 'kill', target: `${kind}-${random.whole(1, 2)}` })));
  history.add('fault', { kind: 'postgres_clock', seconds, begin, end: Date.now() });
  await sleep(6000);
}

const SORTS_OF_POISON = 7;

async function recordSetAside({ watch, history }) {
  const rounds = history.entries.filter((e) => e.e === 'fault' && e.kind === 'poison' && !e.error);
  const expected = rounds.reduce((n, round) => n + round.streams * SORTS_OF_POISON, 0);
  const count = async () => (await watch.query('SELECT count(*)::int AS n FROM set_aside'))[0].n;
  await until('all poison to be set aside', async () => await count() >= expected, 40_000).catch(() => {});
  const rows = await watch.query('SELECT kind, reason, count(*)::int AS n FROM set_aside GROUP BY kind, reason');
  history.add('set_aside', { stream: 'all', expected, found: await count(), reasons: rows.map((r) => r.reason), rows });
}
