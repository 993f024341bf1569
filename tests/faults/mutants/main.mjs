// Each mutant against the scenario that unmasks it; and every scenario against the tree as it is. See --help.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { ROOT, startStack } from '../../integration/support/stack.mjs';
import { check } from '../checker.mjs';
import { FaultyEndpoint } from '../endpoint.mjs';
import { History } from '../history.mjs';
import { closeConnections } from '../http.mjs';
import { buildMarked, buildMarkedAlike } from '../marked.mjs';
import { Steps } from '../steps.mjs';
import { Watch } from '../watch.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { Stage } from './stage.mjs';

const exec = promisify(execFile);

const HELP = `tests/faults/mutants/run [options] [NAME...]
  NAME           only these mutants (the names of the patches, or parts of them)
  --check        only see that every patch applies
  --scenarios    play the scenarios of these names (or all) with the tree as it is, without any mutant
  --list         which there are
  --times N      play each mutant's scenario so often (default 1)
  --no-baseline  leave out the runs of the tree as it is
  --keep         leave the histories and the stacks' folders`;

const SETTINGS = {
  WA_ACK_TIMEOUT: '1s',
  WA_SEND_RETRY_SCHEDULE: '300ms,500ms,1s,1s,2s,2s,2s,2s',
  WA_WEBHOOK_RETRY_SCHEDULE: '300ms,500ms,1s,1s,2s,2s,2s,2s',
  WA_WEBHOOK_TIMEOUT: '2s',
  WA_WEBHOOK_HOLD: '120s',
};
const META = { seed: 1, hold_ms: 120_000, most_copies: 9 };
const STACK = ['--apis', '2', '--senders', '2', '--gateways', '2', '--webhookers', '2'];
const SETTLE_MS = 25_000;

async function readMutants(names) {
  const files = (await readdir('.')).filter((f) => f.endsWith('.patch')).sort();
  const mutants = [];
  for (const file of files) {
    const name = file.slice(0, -'.patch'.length);
    if (names.length > 0 && !names.some((n) => name.includes(n))) continue;
    const text = await readFile(file, 'utf8');
    const field = (key) => text.match(new RegExp(`^${key}: (.+)$`, 'm'))?.[1];
    const mutant = { name, file: path.resolve(file), protection: field('Protection'), scenario: field('Scenario'), violates: field('Violates') };
    if (!mutant.protection || !mutant.violates || !SCENARIOS[mutant.scenario]) throw new Error(`${file}: its header does not tell all`);
    mutants.push(mutant);
  }
  if (mutants.length === 0) throw new Error('there is no such mutant');
  return mutants;
}

// A copy of the tree as it lies there, without what was built in it.
async function copyTree(folder) {
  await mkdir(folder);
  const left_out = ['./build', './build-*', './var', './.git', 'node_modules'].map((name) => `--exclude='${name}'`).join(' ');
  await exec('sh', ['-ec', `tar -C '${ROOT}' ${left_out} -cf - . | tar -C '${folder}' -xf -`]);
}

function apply(tree, mutant, ...options) {
  return exec('git', ['apply', ...options, mutant.file], { cwd: tree });
}

/** The violations that the checker found; throws when the scenario could not be played to its end. */
async function play(name, build, file, keep) {
  const scenario = SCENARIOS[name];
  const history = new History(file);
  history.add('meta', { ...META, ...scenario.meta });
  const endpoint = new FaultyEndpoint(history, META.seed, 1);
  const steps = await Steps.make();
  await endpoint.start();
  let stack;
  try {
    stack = await startStack({ args: STACK, env: { ...SETTINGS, ...scenario.settings, ...steps.settings, WA_BUILD_DIR: build } });
    await perform(scenario, stack, history, endpoint, steps);
    return check(history.entries);
  } finally {
    closeConnections();
    await endpoint.stop();
    if (keep) {
      await stack?.down();
      console.log(`  kept: ${stack?.data} ${file}`);
    } else {
      await stack?.stop();
    }
    await steps.remove();
    await history.close();
  }
}

async function perform(scenario, stack, history, endpoint, steps) {
  const watch = new Watch(stack, history);
  const stage = new Stage(stack, history, endpoint, steps, watch);
  try {
    await stage.prepare(scenario.prepare);
    watch.start();
    await scenario.play(stage);
    await watch.waitSettled(history.add('calm', {}).t, SETTLE_MS);
    await stage.stopPulling();
    await stage.readMessages();
    await watch.recordLedger();
    await watch.recordProcesses();
  } finally {
    stage.abandon();
    await watch.stop();
  }
}

class Bench {
  constructor(scratch, options) {
    this.build = path.join(scratch, 'build');
    this.tree = path.join(scratch, 'tree');
    Object.assign(this, { scratch, options, passed: 0, failed: 0, serial: 0 });
  }

  note(good, text) {
    this[good ? 'passed' : 'failed']++;
    console.log(`${good ? 'ok      ' : 'NOT OK  '}${text}`);
  }

  async violations(scenario) {
    const begin = Date.now();
    const file = path.join(this.scratch, `history-${++this.serial}.jsonl`);
    try {
      const found = await play(scenario, this.build, file, this.options.keep);
      return { found, seconds: Math.round((Date.now() - begin) / 1000) };
    } catch (error) {
      return { found: [], error, seconds: Math.round((Date.now() - begin) / 1000) };
    }
  }

  async baseline(scenario) {
    const { found, error, seconds } = await this.violations(scenario);
    this.note(found.length === 0 && !error, `${scenario}: the tree as it is (${seconds} s)`);
    if (error) console.log(`  ${error.stack}`);
    for (const { check: name, what } of found.slice(0, 5)) console.log(`  VIOLATION ${name}: ${what}`);
  }

  async mutant(mutant) {
    await apply(this.tree, mutant);
    try {
      await buildMarked(this.tree, this.build);
      for (let i = 0; i < this.options.times; i++) await this.unmask(mutant);
    } finally {
      await apply(this.tree, mutant, '--reverse');
    }
  }

  async unmask(mutant) {
    const { found, error, seconds } = await this.violations(mutant.scenario);
    const hits = found.filter((v) => v.check.includes(mutant.violates));
    this.note(hits.length > 0, `${mutant.name}: ${hits.length > 0 ? `unmasked: ${hits[0].what}` : 'SURVIVED'} (${mutant.scenario}, ${seconds} s)`);
    if (hits.length > 0) return;
    if (error) console.log(`  ${error.stack}`);
    for (const { check: name, what } of found.slice(0, 5)) console.log(`  instead: ${name}: ${what}`);
  }
}

async function checkAll(mutants) {
  let failed = 0;
  for (const mutant of mutants) {
    await apply(ROOT, mutant, '--check').catch((error) => {
      failed++;
      console.log(`NOT OK  ${mutant.name} does not apply any more:\n${error.stderr}`);
    });
  }
  return { passed: mutants.length - failed, failed };
}

// Every scenario, without mutants, on the marked build of the tree itself.
async function runScenarios(names, options) {
  const scratch = await mkdtemp(path.join(os.tmpdir(), 'wa-scenarios-'));
  const bench = new Bench(scratch, options);
  try {
    bench.build = await buildMarkedAlike(ROOT);
    for (const scenario of names.length > 0 ? names : Object.keys(SCENARIOS)) {
      if (!SCENARIOS[scenario]) throw new Error(`there is no scenario ${scenario}`);
      await bench.baseline(scenario);
    }
  } finally {
    if (!options.keep) await rm(scratch, { recursive: true, force: true });
  }
  return bench;
}

async function runAll(mutants, options) {
  const scratch = await mkdtemp(path.join(os.tmpdir(), 'wa-mutants-'));
  const bench = new Bench(scratch, options);
  try {
    await copyTree(bench.tree);
    await buildMarked(bench.tree, bench.build);
    const scenarios = [...new Set(mutants.map((m) => m.scenario))];
    if (!options.noBaseline) for (const scenario of scenarios) await bench.baseline(scenario);
    for (const mutant of mutants) {
      await bench.mutant(mutant).catch((error) => bench.note(false, `${mutant.name}: ${error.message} ${error.stderr ?? ''}`));
    }
  } finally {
    if (!options.keep) await rm(scratch, { recursive: true, force: true });
  }
  return bench;
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      check: { type: 'boolean', default: false },
      scenarios: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      times: { type: 'string', default: '1' },
      'no-baseline': { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const options = { times: Number(values.times), noBaseline: values['no-baseline'], keep: values.keep };
  if (values.scenarios) return tell(await runScenarios(positionals, options));
  const mutants = await readMutants(positionals);
  if (values.list) return mutants.forEach((m) => console.log(`${m.name}: ${m.protection} (${m.scenario})`));
  tell(values.check ? await checkAll(mutants) : await runAll(mutants, options));
}

function tell({ passed, failed }) {
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
