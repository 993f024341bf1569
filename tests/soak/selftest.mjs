// Shows that the judge finds what it is there to find, and lets pass what is no leak. Gives complaints.
import { Random } from '../faults/random.mjs';
import { BOUNDS, judge } from './judge.mjs';

const LENGTH_MS = 3_600_000;
const STEP_MS = 5_000;
const MIB = 1024 * 1024;

function series(kind, value) {
  const random = new Random(`selftest ${kind} ${value}`);
  const points = [];
  for (let t = 0; t <= LENGTH_MS; t += STEP_MS) points.push([t, value(t / LENGTH_MS, random)]);
  return { name: 'selftest', kind, points };
}

const noise = (random, size) => (random.next() - 0.5) * 2 * size;

// [what, kind, value of the part of the run that is over, is it flat]
const CASES = [
  ['a constant', 'heap', () => 4 * MIB, true],
  ['noise around a level', 'rss', (x, r) => 15 * MIB + noise(r, 2 * MIB), true],
  ['a cache that fills during the warm-up', 'heap', (x) => 4 * MIB + Math.min(x / 0.2, 1) * 3 * MIB, true],
  ['bursts that come and go', 'heap', (x, r) => 4 * MIB + (r.chance(0.2) ? 20 * MIB : 0), true],
  ['one step in the last tenth', 'heap', (x) => (x > 0.92 ? 5 : 4) * MIB, true],
  ['what shrinks', 'rows', (x) => 5000 * (1 - x), true],
  ['eight bytes of each of 90,000 messages', 'heap', (x, r) => 4 * MIB + 8 * 90_000 * x + noise(r, MIB / 2), false],
  ['a kilobyte of each of 700 rare things', 'heap', (x, r) => 4 * MIB + 1024 * Math.floor(700 * x) + noise(r, MIB / 8), false],
  ['steps, a quarter of an hour each', 'rss', (x) => 15 * MIB + Math.floor(x * 4) * 1.5 * MIB, false],
  ['a leak under bursts', 'heap', (x, r) => 4 * MIB + 2 * MIB * x + (r.chance(0.3) ? 20 * MIB : 0), false],
  ['a descriptor every five minutes', 'fds', (x) => 30 + Math.floor(x * 12), false],
  ['rows that nobody takes', 'rows', (x, r) => 300 * x + noise(r, 100), false],
  ['entries that nobody takes', 'entries', (x) => 100 * x, false],
];

export function selftest() {
  const complaints = [];
  for (const [what, kind, value, flat] of CASES) {
    const verdict = judge(series(kind, value), 0, LENGTH_MS);
    if (verdict.flat !== flat) complaints.push(`${what} (${kind}) was judged ${verdict.flat ? 'flat' : 'not flat'}: ${JSON.stringify(verdict)}`);
  }
  const holes = series('heap', () => MIB);
  holes.points = holes.points.filter(([t]) => t < 0.7 * LENGTH_MS || t > 0.8 * LENGTH_MS);
  if (judge(holes, 0, LENGTH_MS).flat) complaints.push('a series with a hole was judged flat');
  if (Object.keys(BOUNDS).some((kind) => judge({ name: 'none', kind, points: [] }, 0, 1).flat)) complaints.push('an empty series was judged flat');
  return complaints;
}
