// What could grow, looked at every few seconds: the daemons' memory and descriptors, Redis, streams, tables.
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { finished } from 'node:stream/promises';

const DAEMONS = /^(api|sender|gateway|webhooker)-\d+$/;
const METRICS = { rss: 'process_resident_memory_bytes', heap: 'process_heap_bytes', fds: 'process_open_fds', cpu: 'process_cpu_seconds_total' };

// What a healthy stack keeps short, as SQL and as Redis has it.
const ROWS = `SELECT
  (SELECT count(*)::int FROM messages WHERE open) AS messages_open,
  (SELECT count(*)::int FROM deliveries WHERE open) AS deliveries_open,
  (SELECT count(*)::int FROM sandbox.inbound) AS sandbox_inbound,
  (SELECT count(*)::int FROM sandbox.ledger WHERE pending) AS sandbox_pending,
  (SELECT count(*)::int FROM set_aside) AS set_aside`;

// The entries of all streams of a kind.
const LENGTHS = `local sums = {outbound = 0, dispatch = 0, outcome = 0, events = 0}
for _, key in ipairs(redis.call('KEYS', '*.*')) do
  local kind = key:match('^(%a+)%.')
  if sums[kind] then sums[kind] = sums[kind] + redis.call('XLEN', key) end
end
local pairs_of = {}
for kind, sum in pairs(sums) do pairs_of[#pairs_of + 1] = {kind, sum} end
return pairs_of`;

export class Samples {
  constructor(stack, file) {
    this.stack = stack;
    this.series = new Map();
    this.cpu = new Map();
    this.out = createWriteStream(file);
    this.missed = 0;
  }

  add(t, kind, name, value) {
    if (!this.series.has(name)) this.series.set(name, { name, kind, points: [] });
    this.series.get(name).points.push([t, value]);
  }

  async take() {
    const t = Date.now();
    const taken = await Promise.allSettled([this.takeDaemons(t), this.takeRedis(t), this.takeRows(t)]);
    this.missed += taken.filter((x) => x.status === 'rejected').length;
    const line = Object.fromEntries([...this.series].filter(([, s]) => s.points.at(-1)[0] === t).map(([name, s]) => [name, s.points.at(-1)[1]]));
    this.out.write(`${JSON.stringify({ t, ...line })}\n`);
  }

  async takeDaemons(t) {
    const names = (await this.stack.processes()).filter((name) => DAEMONS.test(name));
    await Promise.all(names.map(async (name) => {
      const port = (await readFile(path.join(this.stack.data, 'run', `${name}.port`), 'utf8')).trim();
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(2000) })).text();
      const value = (metric) => Number(text.match(new RegExp(`^${metric} (\\S+)`, 'm'))[1]);
      for (const kind of ['rss', 'heap', 'fds']) this.add(t, kind, `${name} ${kind}`, value(METRICS[kind]));
      this.cpu.set(name, value(METRICS.cpu));
    }));
  }

  async takeRedis(t) {
    const info = await this.stack.redis('INFO', 'memory');
    this.add(t, 'redis', 'redis used_memory', Number(info.match(/used_memory:(\d+)/)[1]));
    const pairs = await this.stack.redis('EVAL', LENGTHS, '0');
    for (const [name, length] of pairs) this.add(t, 'entries', `stream ${name}`, length);
    this.add(t, 'entries', 'redis keys', await this.stack.redis('DBSIZE'));
  }

  async takeRows(t) {
    const [row] = await this.stack.sql(ROWS);
    for (const [name, n] of Object.entries(row)) this.add(t, 'rows', `table ${name}`, n);
  }

  async close() {
    this.out.end();
    await finished(this.out);
  }
}

/** The series of a file that take() wrote. */
export async function readSamples(file) {
  const series = new Map();
  for (const line of (await readFile(file, 'utf8')).split('\n').filter(Boolean)) {
    const { t, ...values } = JSON.parse(line);
    for (const [name, value] of Object.entries(values)) {
      if (!series.has(name)) series.set(name, { name, kind: kindOf(name), points: [] });
      series.get(name).points.push([t, value]);
    }
  }
  return [...series.values()];
}

function kindOf(name) {
  const last = name.split(' ').at(-1);
  if (['rss', 'heap', 'fds'].includes(last)) return last;
  if (name.startsWith('table ')) return 'rows';
  return name === 'redis used_memory' ? 'redis' : 'entries';
}
