// One or more trials, by seed or by name. See ./run --help.
import { mkdir, mkdtemp, rmdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CHECKS } from './checker.mjs';
import { proxySelftest } from './proxy_selftest.mjs';
import { FAULTS, PROFILES, makeSchedule } from './schedule.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { selftest } from './selftest.mjs';
import { Summary, report } from './summary.mjs';
import { ROOT } from '../integration/support/stack.mjs';
import { buildMarkedAlike } from './marked.mjs';
import { checkSteps } from './steps_check.mjs';
import { Trial } from './trial.mjs';
import { FATES } from './workload.mjs';

const END_MS = 20_000;

const HELP = `tests/faults/run [options]
tests/faults/run mutants …   takes protections away and demands that the checker notices (mutants --help)
tests/faults/run steps [SCENARIO…]   plays the mutants' scenarios with the tree as it is
tests/faults/run --scenario whatsapp …   real sessions and their phones (--scenario whatsapp --help)
  --seed N          the first seed (default 1); the same seed gives the same faults and the same calls
  --minutes M       go on with the next seeds for so long (default: one seed)
  --seconds S       how long faults are injected for each seed (default 15; with --kills 150)
  --kills N         go on, with dense kills, until so many daemons were killed
  --only KINDS      only these kinds of faults, separated by commas: ${Object.keys(FAULTS).join(', ')}
  --scenario NAMES  named scenarios in place of a random mixture, separated by commas; 'all' for each of them
  --list            what scenarios there are
  --out DIR         keep all histories there (default: only those of trials that fail, in a temporary folder)
  --keep            leave a failing trial's stack folder (logs, database), stopped`;

function optionsOf(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '0' },
      seconds: { type: 'string' },
      kills: { type: 'string' },
      only: { type: 'string' },
      scenario: { type: 'string' },
      list: { type: 'boolean', default: false },
      out: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const numbers = Object.fromEntries(['seed', 'minutes', 'seconds', 'kills'].filter((n) => values[n] !== undefined).map((n) => [n, Number(values[n])]));
  for (const [name, number] of Object.entries(numbers)) if (!(number >= 0)) throw new Error(`--${name} wants a number`);
  const only = values.only?.split(',') ?? null;
  for (const kind of only ?? []) if (!FAULTS[kind]) throw new Error(`there is no fault ${kind}`);
  return { ...values, ...numbers, only, keepAll: values.out !== undefined };
}

/** A random mixture of faults. */
function mixture({ kills, seconds = kills ? 150 : 15, only }) {
  const profile = kills ? PROFILES.dense : PROFILES.mixed;
  const load = kills && { fates: FATES.map((fate) => ({ ...fate, pause_ms: Math.max(1500, fate.pause_ms) })) };
  return { load, play: ({ injector, seed }) => injector.run(makeSchedule(seed, seconds * 1000, only, profile)) };
}

/** What is to be run: [plan, seed], one after another. */
function* trials(options, summary) {
  if (options.scenario) {
    const names = options.scenario === 'all' ? Object.keys(SCENARIOS) : options.scenario.split(',');
    for (const name of names) if (!SCENARIOS[name]) throw new Error(`there is no scenario ${name}; --list tells which there are`);
    for (const name of names) yield [{ name, ...SCENARIOS[name] }, options.seed];
    return;
  }
  const until = Date.now() + options.minutes * 60_000;
  let seed = options.seed;
  do yield [mixture(options), seed++];
  while (Date.now() < until || (options.kills && summary.daemonKills < options.kills));
}

async function main() {
  const options = optionsOf(process.argv.slice(2));
  if (options.help) return console.log(HELP);
  if (options.list) return Object.entries(SCENARIOS).forEach(([name, { about }]) => console.log(`${name.padEnd(20)} ${about}`));
  options.out ??= await mkdtemp(path.join(os.tmpdir(), 'wa-faults-'));
  await mkdir(options.out, { recursive: true });
  options.build = { WA_BUILD_DIR: await buildMarkedAlike(ROOT) };
  options.only ??= Object.keys(FAULTS);
  const steps = await checkSteps(ROOT, process.env.WA_BUILD_DIR ?? path.join(ROOT, 'build'), options.build.WA_BUILD_DIR);
  const score = { passed: 0, failed: 0 };
  for (const [what, complaints] of [['CHECKER', selftest()], ['PROXY', await proxySelftest()], ['STEPS', steps]]) {
    for (const complaint of complaints) console.log(`${what} ${complaint}`);
    score[complaints.length === 0 ? 'passed' : 'failed']++;
  }
  const summary = new Summary();
  for (const [plan, seed] of trials(options, summary)) {
    const broken = await judge(new Trial(plan, seed, options), summary);
    score.failed += broken;
    score.passed += Math.max(0, CHECKS.length - broken);
  }
  if (summary.trials > 1) summary.print();
  if (!options.keepAll) await rmdir(options.out).catch(() => {}); // stays when something is in it
  console.log(`${score.passed} passed, ${score.failed} failed`);
  process.exitCode = score.failed > 0 ? 1 : 0;
}

/** How many checks it broke. */
async function judge(trial, summary) {
  try {
    await trial.run();
  } catch (error) {
    console.log(`${trial.label}: ${error.stack}`);
    return 1;
  }
  report(trial);
  summary.add(trial.history, trial.found);
  return new Set(trial.found.map((v) => v.check)).size;
}

await main().catch((error) => {
  console.log(error.message);
  process.exitCode = 1;
});
// Everything has been told to end. What does not would keep a failed run going for ever.
setTimeout(() => {
  console.log(`still under way: ${process.getActiveResourcesInfo().join(', ')}`);
  process.exit(1);
}, END_MS).unref();
