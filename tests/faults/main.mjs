// One or more seeds: a stack, load, faults, quiet, judgement. See ./run --help.
import { mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, startStack } from '../integration/support/stack.mjs';
import { check, CHECKS } from './checker.mjs';
import { FaultyEndpoint } from './endpoint.mjs';
import { History } from './history.mjs';
import { closeConnections } from './http.mjs';
import { Injector } from './inject.mjs';
import { buildMarked } from './marked.mjs';
import { FAULTS, holdOf, makeSchedule } from './schedule.mjs';
import { selftest } from './selftest.mjs';
import { Steps } from './steps.mjs';
import { checkSteps } from './steps_check.mjs';
import { Watch } from './watch.mjs';
import { Workload } from './workload.mjs';

const HELP = `tests/faults/run [options]
tests/faults/run mutants …   takes protections away and demands that the checker notices (mutants --help)
tests/faults/run steps [SCENARIO…]   plays the mutants' scenarios with the tree as it is
  --seed N       the first seed (default 1); the same seed gives the same faults and the same calls
  --minutes M    go on with the next seeds for so long (default: one seed)
  --seconds S    how long faults are injected for each seed (default 15)
  --only KINDS   only these kinds of faults, separated by commas: ${Object.keys(FAULTS).join(', ')}
  --out DIR      keep all histories there (default: only those of seeds that fail, in a temporary folder)
  --keep         leave a failing seed's stack folder (logs, database), stopped`;

const ENDPOINTS = 3;
const SETTLE_MS = 90_000;
const SETTINGS = {
  WA_ACK_TIMEOUT: '1s',
  WA_SEND_RETRY_SCHEDULE: '300ms,500ms,1s,1s,2s,2s,2s,2s,2s,2s,2s,2s',
  WA_WEBHOOK_RETRY_SCHEDULE: '300ms,500ms,1s,1s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s',
  WA_WEBHOOK_TIMEOUT: '2s',
};
const MOST_COPIES = 13; // attempts that the schedule allows

async function runSeed(seed, options) {
  const file = path.join(options.out, `history-${seed}.jsonl`);
  const history = new History(file);
  history.add('meta', { seed, hold_ms: holdOf(seed) * 1000, most_copies: MOST_COPIES });
  const endpoint = new FaultyEndpoint(history, seed, ENDPOINTS);
  await endpoint.start();
  const steps = await Steps.make();
  let stack;
  let failed = true;
  try {
    stack = await startStack({ args: ['--apis', '2', '--senders', '2', '--gateways', '2', '--webhookers', '2'], env: { ...SETTINGS, ...steps.settings, ...options.build, WA_WEBHOOK_HOLD: `${holdOf(seed)}s` } });
    await storm(stack, history, endpoint, steps, seed, options);
    const found = check(history.entries);
    report(seed, history, found, file);
    failed = found.length > 0;
    return found;
  } finally {
    closeConnections();
    await endpoint.stop();
    await history.close();
    await steps.remove();
    if (!failed && !options.keepAll) await rm(file);
    if (failed && options.keep) {
      await stack?.down();
      console.log(`  kept: ${stack?.data}`);
    } else {
      await stack?.stop();
    }
  }
}

async function storm(stack, history, endpoint, steps, seed, { length_ms, only }) {
  const workload = new Workload(stack, history, endpoint, seed);
  await workload.prepare();
  const watch = new Watch(stack, history);
  watch.start();
  const injector = new Injector(stack, history, endpoint, steps);
  const talking = workload.run();
  await injector.run(makeSchedule(seed, length_ms, only));
  const calm = history.add('calm', {}).t;
  workload.stop(30_000);
  await talking;
  await watch.waitSettled(calm, SETTLE_MS);
  await workload.stopPulling();
  await workload.readMessages();
  await watch.recordLedger();
  await watch.recordProcesses();
  await watch.stop();
}

function report(seed, history, found, file) {
  const of = (kind) => history.entries.filter((x) => x.e === kind);
  const faults = {};
  for (const { kind } of of('fault')) faults[kind] = (faults[kind] ?? 0) + 1;
  const settled = of('settled')[0];
  const accepted = of('req').filter((r) => r.status === 202).length;
  console.log(`seed ${seed}: ${accepted} accepted of ${of('req').length} calls, ${of('hook').length} webhook posts; ` +
    `faults ${JSON.stringify(faults)}; settled after ${settled?.after_ms} ms ${JSON.stringify(settled?.times)}`);
  const memory = of('memory').map((m) => `${m.name} ${Math.round(m.peak_kb / 1024)}`).join(', ');
  console.log(`  peak MB: ${memory}; logs kB: ${of('log').map((l) => `${l.file.replace('.log', '')} ${Math.round(l.bytes / 1024)}`).join(', ')}`);
  for (const { check: name, what } of found.slice(0, 20)) console.log(`  VIOLATION ${name}: ${what}`);
  if (found.length > 20) console.log(`  and ${found.length - 20} more`);
  if (found.length > 0) console.log(`  replay: tests/faults/run --seed ${seed} --keep --out DIR; history: ${file}`);
}

/** With the sanitizers the daemons are what ./run built, and have no marked steps. */
async function markedBuild() {
  if (process.env.WA_BUILD_DIR?.endsWith('-asan')) return null;
  return { WA_BUILD_DIR: await buildMarked(ROOT) };
}

async function main() {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '0' },
      seconds: { type: 'string', default: '15' },
      only: { type: 'string' },
      out: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const out = values.out ?? await mkdtemp(path.join(os.tmpdir(), 'wa-faults-'));
  await mkdir(out, { recursive: true });
  const options = { out, keep: values.keep, keepAll: values.out !== undefined, length_ms: Number(values.seconds) * 1000, only: values.only?.split(',') ?? null };
  options.build = await markedBuild();
  options.only ??= Object.keys(FAULTS).filter((kind) => options.build || !kind.endsWith('_at_step'));
  const until = Date.now() + Number(values.minutes) * 60_000;
  const complaints = selftest();
  if (options.build) complaints.push(...await checkSteps(ROOT, process.env.WA_BUILD_DIR ?? path.join(ROOT, 'build'), options.build.WA_BUILD_DIR));
  for (const complaint of complaints) console.log(`CHECKER ${complaint}`);
  let passed = complaints.length === 0 ? 1 : 0;
  let failed = complaints.length === 0 ? 0 : 1;
  for (let seed = Number(values.seed); ; seed++) {
    const broken = new Set((await runSeed(seed, options).catch(fatal(seed))).map((v) => v.check));
    failed += broken.size;
    passed += Math.max(0, CHECKS.length - broken.size);
    if (Date.now() >= until) break;
  }
  if (!options.keepAll) await rmdir(out).catch(() => {}); // stays when something is in it
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

const fatal = (seed) => (error) => {
  console.log(`seed ${seed}: ${error.stack}`);
  return [{ check: 'run', what: error.message }];
};

await main();
