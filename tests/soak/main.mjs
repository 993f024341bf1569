// A stack, an hour of steady load, samples, judgement. See ./run --help.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { closeConnections } from '../faults/http.mjs';
import { startStack } from '../integration/support/stack.mjs';
import { Endpoint } from './endpoint.mjs';
import { judge, WARM } from './judge.mjs';
import { Load } from './load.mjs';
import { readSamples, Samples } from './samples.mjs';
import { selftest } from './selftest.mjs';

const HELP = `tests/soak/run [options]
  --minutes M    how long the load lasts (default 60; less than 20 says little about slow leaks)
  --seed N       of the load (default 1)
  --rate N       calls for contacts a second (default 12); chores come on top
  --samples FILE keep the samples there (default: a temporary file, kept when something is not flat)
  --keep         leave the stack's folder (logs, database), stopped
  --judge FILE   judge samples again, without a run
  --selftest     only show that the judge notices what it is there for`;

const SETTINGS = {
  WA_ACK_TIMEOUT: '1s',
  WA_SEND_RETRY_SCHEDULE: '300ms,1s,2s',
  WA_WEBHOOK_RETRY_SCHEDULE: '300ms,1s,2s,5s,10s,10s,10s,10s,10s',
  WA_WEBHOOK_TIMEOUT: '2s',
  WA_WEBHOOK_HOLD: '5s',
  WA_API_REQUEST_TIMEOUT: '5s',
  WA_API_IDLE_TIMEOUT: '10s',
};
const TWO_OF_EACH = ['--apis', '2', '--senders', '2', '--gateways', '2', '--webhookers', '2'];
const SETTLE_MS = 90_000;

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const tell = { ok: (what) => ({ ok: true, what }), bad: (what) => ({ ok: false, what }) };

function judgeAll(series, begin, end) {
  const size = (kind, n) => (['heap', 'rss', 'redis'].includes(kind) ? `${(n / 1024).toFixed(0)} KiB` : n.toFixed(0));
  return series.map((s) => {
    const v = judge(s, begin, end);
    if (v.why) return tell.bad(`${v.name}: ${v.why}`);
    const words = `${v.name}: ${size(v.kind, v.first)} → ${size(v.kind, v.last)}, rises ${size(v.kind, v.rise)} (bound ${size(v.kind, v.bound)}), peak ${size(v.kind, v.peak)}`;
    return v.flat ? tell.ok(words) : tell.bad(words);
  });
}

async function work(stack, samples, load, minutes) {
  const begin = Date.now();
  const end = begin + minutes * 60_000;
  const step_ms = Math.min(5_000, Math.max(1_000, (minutes * 60_000) / 240));
  const talking = load.run();
  for (let next = begin; next < end; next += step_ms) {
    await sleep(Math.max(0, next - Date.now()));
    await samples.take();
  }
  load.stop();
  await talking;
  return { begin, end };
}

/** Everything that was accepted has come to its end once nobody asks for more. */
async function settle(stack) {
  const until = Date.now() + SETTLE_MS;
  const left = `SELECT (SELECT count(*)::int FROM messages WHERE open) AS messages,
    (SELECT count(*)::int FROM deliveries WHERE open) AS deliveries, (SELECT count(*)::int FROM sandbox.inbound) AS inbound`;
  for (;;) {
    const [row] = await stack.sql(left);
    if (Object.values(row).every((n) => n === 0)) return tell.ok('all that was accepted came to its end');
    if (Date.now() > until) return tell.bad(`left after ${SETTLE_MS} ms: ${JSON.stringify(row)}`);
    await sleep(500);
  }
}

async function deaths(stack) {
  const ends = (await readFile(path.join(stack.data, 'log/supervisor.log'), 'utf8')).split('\n').filter((line) => line.includes('at=process_end'));
  return ends.length === 0 ? tell.ok('no process ended') : tell.bad(`processes ended: ${ends.join('; ')}`);
}

async function soak({ minutes, seed, rate, file, keep }) {
  const endpoint = new Endpoint();
  await endpoint.start();
  let stack;
  try {
    stack = await startStack({ args: TWO_OF_EACH, env: SETTINGS });
    const samples = new Samples(stack, file);
    const load = new Load(stack, endpoint, seed, rate);
    await load.prepare();
    const { begin, end } = await work(stack, samples, load, minutes);
    await samples.close();
    const found = [...judgeAll([...samples.series.values()], begin, end), await settle(stack), await deaths(stack)];
    found.push(load.nFaults === 0 ? tell.ok('every call was answered as it should be') : tell.bad(`${load.nFaults} answers not expected:\n    ${load.faults.join('\n    ')}`));
    if (samples.missed > 0) console.log(`${samples.missed} samples could not be taken`);
    console.log(`calls: ${JSON.stringify(load.counts)}\nendpoint: ${JSON.stringify(endpoint.counts)}`);
    console.log(`CPU seconds: ${[...samples.cpu].map(([name, s]) => `${name} ${s.toFixed(1)}`).join(', ')}`);
    return found;
  } finally {
    closeConnections();
    await endpoint.stop();
    if (keep) {
      await stack?.down();
      console.log(`kept: ${stack?.data}`);
    } else {
      await stack?.stop();
    }
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '60' },
      seed: { type: 'string', default: '1' },
      rate: { type: 'string', default: '12' },
      samples: { type: 'string' },
      judge: { type: 'string' },
      keep: { type: 'boolean', default: false },
      selftest: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const complaints = selftest();
  const found = complaints.length === 0 ? [tell.ok('the judge notices leaks')] : complaints.map((c) => tell.bad(`JUDGE ${c}`));
  let file = values.samples;
  if (values.judge) {
    const series = await readSamples(values.judge);
    const times = series.flatMap((s) => s.points.map(([t]) => t));
    found.push(...judgeAll(series, times.reduce((a, b) => Math.min(a, b)), times.reduce((a, b) => Math.max(a, b))));
  } else if (!values.selftest) {
    file ??= path.join(await mkdtemp(path.join(os.tmpdir(), 'wa-soak-')), 'samples.jsonl');
    console.log(`${values.minutes} minutes from seed ${values.seed}, the first ${WARM * 100} % to warm up; samples: ${file}`);
    found.push(...await soak({ minutes: Number(values.minutes), seed: Number(values.seed), rate: Number(values.rate), file, keep: values.keep }));
  }
  for (const { ok, what } of found) console.log(`${ok ? 'ok     ' : 'FAILED '} ${what}`);
  const failed = found.filter((f) => !f.ok).length;
  if (file && !values.samples && failed === 0) await rm(path.dirname(file), { recursive: true });
  console.log(`${found.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
