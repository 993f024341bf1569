// Which fault comes when: a pure function of the seed.
import { Random } from './random.mjs';
import { STEPS } from './steps.mjs';

const DAEMONS = ['api-1', 'api-2', 'sender-1', 'sender-2', 'gateway-1', 'gateway-2', 'webhooker-1', 'webhooker-2'];
const KINDS = ['api', 'sender', 'gateway', 'webhooker'];

// How often each, in proportion. docs/testing.md tells what they do.
export const FAULTS = {
  kill: 40,
  kill_at_step: 24, // whoever comes to a marked step for the n-th time
  pause_at_step: 8, // the same, SIGSTOP for longer than a lease
  kill_kind: 6, // both of a kind at once
  pause: 14, // SIGSTOP for longer than a lease, then SIGCONT
  redis_flush: 5,
  redis_empty: 2, // killed, and started without its files
  redis_kill: 5,
  redis_pause: 3,
  redis_full: 3,
  redis_net: 6, // the proxy, between daemons and Redis
  poison: 3, // entries that make no sense, in all streams
  postgres_stop: 3, // SIGINT: fast shutdown
  postgres_kill: 3,
  postgres_pause: 3,
  postgres_cut: 5, // pg_terminate_backend of some
  postgres_lock: 2,
  postgres_idle: 2, // a long transaction that does nothing
  postgres_net: 8,
  commit_lost: 8, // committed, and the connection reset before the answer
  endpoint: 12,
  endpoint_net: 5,
};

export const PROFILES = {
  mixed: { first_ms: 1000, gap_ms: [200, 1800], weights: FAULTS },
  // For many kills in little time: the other faults come as often as in the mixed profile, kills three times so.
  dense: { first_ms: 1000, gap_ms: [150, 750], weights: { ...FAULTS, kill: 170, kill_at_step: 60, kill_kind: 22 } },
};

/** A list of {at_ms, kind, target?, for_ms?, ...}, in order of time. `only` narrows the kinds. */
export function makeSchedule(seed, length_ms, only = null, profile = PROFILES.mixed) {
  const random = Random.named(seed, 'schedule');
  const weights = only ? Object.fromEntries(Object.entries(profile.weights).filter(([kind]) => only.includes(kind))) : profile.weights;
  const faults = [];
  for (let at = profile.first_ms; at < length_ms; at += random.whole(...profile.gap_ms)) {
    faults.push({ at_ms: at, ...makeFault(random, random.weighted(weights)) });
  }
  return faults;
}

/** How long a refused event holds its contact's later ones: mostly longer than a run, so that nothing excuses a wrong order. */
export function holdOf(seed) {
  return Random.named(seed, 'hold').chance(0.3) ? 6 : 120;
}

const MODES = ['down', 'slow', 'error', 'reset', 'drip', 'endless', 'big_headers', 'flood', 'cut_body', 'redirect', 'silent', 'busy'];

function makeFault(random, kind) {
  switch (kind) {
    case 'kill':
      return { kind, target: random.pick(DAEMONS) };
    case 'kill_kind':
      return { kind, target: random.pick(KINDS) };
    case 'kill_at_step':
      return { kind, ...pickStep(random), patience_ms: 4000 };
    case 'pause_at_step':
      return { kind, ...pickStep(random), patience_ms: 4000, for_ms: random.whole(3200, 6000) };
    case 'pause':
      return { kind, target: random.pick(DAEMONS), for_ms: random.whole(3200, 6000) };
    case 'redis_pause':
    case 'redis_full':
    case 'postgres_pause':
    case 'postgres_idle':
      return { kind, for_ms: random.whole(500, 4000) };
    case 'postgres_lock':
      return { kind, for_ms: random.whole(500, 3000), table: random.pick(['messages', 'deliveries', 'events', 'leases', 'idempotency_keys']) };
    case 'postgres_cut':
      return { kind, share: random.pick([0.1, 0.3, 1]) };
    case 'commit_lost':
      return { kind, who: random.pick(DAEMONS), count: random.whole(1, 3), for_ms: 1500 };
    case 'postgres_net':
    case 'redis_net':
      return { kind, who: random.pick([...DAEMONS, ...KINDS, 'all']), ...makeToxic(random) };
    case 'endpoint_net':
      return { kind, who: `endpoint-${random.whole(0, 2)}`, ...makeToxic(random) };
    case 'endpoint':
      return { kind, target: random.whole(0, 2), mode: random.pick(MODES), for_ms: random.whole(500, 4000) };
    default:
      return { kind };
  }
}

/** Mostly the first time, so that rare steps are reached; sometimes deep in a burst. */
function pickStep(random) {
  const who = random.pick(KINDS);
  return { who, step: random.pick(STEPS[who]), hit: random.chance(0.5) ? 1 : random.whole(2, 40) };
}

function makeToxic(random) {
  const common = { direction: random.pick(['up', 'down', 'both']), for_ms: random.whole(500, 4500) };
  switch (random.pick(['delay', 'slice', 'throttle', 'black_hole', 'black_hole', 'cut', 'reset'])) {
    case 'delay': return { toxic: { kind: 'delay', delay_ms: random.whole(1, 300), jitter_ms: random.whole(0, 300), direction: common.direction }, for_ms: common.for_ms };
    case 'slice': return { toxic: { kind: 'slice', bytes: random.whole(1, 200), gap_ms: random.whole(0, 2), direction: common.direction }, for_ms: common.for_ms };
    case 'throttle': return { toxic: { kind: 'throttle', bytes_per_s: random.whole(5_000, 200_000), direction: common.direction }, for_ms: common.for_ms };
    case 'black_hole': return { toxic: { kind: 'black_hole', direction: common.direction }, for_ms: common.for_ms };
    case 'cut': return { toxic: { kind: 'cut' }, share: random.pick([0.3, 1]) };
    default: return { toxic: { kind: 'reset' }, share: random.pick([0.3, 1]) };
  }
}
