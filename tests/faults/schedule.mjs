// Which fault comes when: a pure function of the seed.
import { Random } from './random.mjs';
import { STEPS } from './steps.mjs';

const DAEMONS = ['api-1', 'api-2', 'sender-1', 'sender-2', 'gateway-1', 'gateway-2', 'webhooker-1', 'webhooker-2'];
const KINDS = ['api', 'sender', 'gateway', 'webhooker'];

export const FAULTS = {
  kill: 40,
  kill_at_step: 24, // whoever comes to a marked step for the n-th time
  pause_at_step: 8, // the same, SIGSTOP for longer than a lease
  kill_kind: 6, // both of a kind at once
  pause: 16, // SIGSTOP for longer than a lease, then SIGCONT
  redis_flush: 6,
  redis_kill: 6,
  redis_pause: 3,
  postgres_stop: 4, // SIGINT: fast shutdown
  postgres_kill: 3,
  postgres_pause: 3,
  postgres_cut: 8, // pg_terminate_backend of some
  endpoint: 10,
};

/** A list of {at_ms, kind, target?, for_ms?, ...}, in order of time. `only` narrows the kinds. */
export function makeSchedule(seed, length_ms, only = null) {
  const random = Random.named(seed, 'schedule');
  const weights = only ? Object.fromEntries(Object.entries(FAULTS).filter(([kind]) => only.includes(kind))) : FAULTS;
  const faults = [];
  for (let at = 1000; at < length_ms; at += random.whole(200, 1800)) {
    faults.push({ at_ms: at, ...makeFault(random, random.weighted(weights)) });
  }
  return faults;
}

/** How long a refused event holds its contact's later ones: mostly longer than a run, so that nothing excuses a wrong order. */
export function holdOf(seed) {
  return Random.named(seed, 'hold').chance(0.3) ? 6 : 120;
}

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
    case 'postgres_pause':
      return { kind, for_ms: random.whole(500, 4000) };
    case 'postgres_cut':
      return { kind, share: random.pick([0.1, 0.3, 1]) };
    case 'endpoint':
      return { kind, target: random.whole(0, 2), mode: random.pick(['down', 'slow', 'error', 'reset']), for_ms: random.whole(500, 4000) };
    default:
      return { kind };
  }
}

/** Mostly the first time, so that rare steps are reached; sometimes deep in a burst. */
function pickStep(random) {
  const who = random.pick(KINDS);
  return { who, step: random.pick(STEPS[who]), hit: random.chance(0.5) ? 1 : random.whole(2, 40) };
}
