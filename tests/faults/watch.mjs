// Looks at the stack as an operator does: health, leases, memory, logs, who died of what.
import { readFile, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import pg from '../integration/node_modules/pg/lib/index.js';
import { call } from './http.mjs';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const LEASE_TTL_MS = 3000;

export class Watch {
  constructor(stack, history) {
    Object.assign(this, { stack, history });
    this.isOver = false;
  }

  start() {
    this.running = Promise.all([this.watchLeases(), this.watchHealth(), this.watchMemory()]);
  }

  async stop() {
    this.isOver = true;
    await this.running;
    await this.pool?.end().catch(() => {});
  }

  async query(text, params = []) {
    if (!this.pool) {
      this.pool = new pg.Pool({ connectionString: this.stack.WA_DATABASE_URL, max: 2, connectionTimeoutMillis: 2000, query_timeout: 3000 });
      this.pool.on('error', () => {});
    }
    return (await this.pool.query(text, params)).rows;
  }

  /** How long, at the worst, nobody has held or renewed some lease of a kind. */
  async watchLeases() {
    while (!this.isOver) {
      await sleep(250);
      const rows = await this.query(
        `SELECT kind, max(extract(epoch FROM clock_timestamp() - expires_at) * 1000 + $1)::int AS stale_ms, count(*) FILTER (WHERE owner IS NULL)::int AS free
         FROM leases GROUP BY kind`, [LEASE_TTL_MS]).catch(() => null);
      if (!rows) this.history.add('leases', { away: true });
      else if (rows.some((r) => r.stale_ms > LEASE_TTL_MS || r.free > 0)) this.history.add('leases', { rows });
    }
  }

  /** Does each process of a kind hold as many as the other? Until then they change hands without any fault. */
  async areLeasesShared() {
    const rows = await this.query(
      `SELECT kind, owner, count(*)::int AS n FROM leases WHERE kind IN ('partition', 'events') GROUP BY kind, owner`);
    return rows.length === 4 && new Set(rows.filter((r) => r.kind === 'partition').map((r) => r.n)).size === 1 &&
      new Set(rows.filter((r) => r.kind === 'events').map((r) => r.n)).size === 1 && rows.every((r) => r.owner !== null);
  }

  async watchHealth() {
    let last = '';
    while (!this.isOver) {
      await sleep(250);
      const said = await this.health();
      if (said !== last) this.history.add('health', { status: said });
      last = said;
    }
  }

  async watchMemory() {
    const begins = new Map(); // pid → when it was first seen
    while (!this.isOver) {
      for (const name of await this.stack.processes().catch(() => [])) {
        if (/^(postgres|redis)/.test(name)) continue;
        const pid = await this.stack.pid(name).catch(() => 0);
        const rss_kb = await memoryOf(pid);
        if (!rss_kb) continue;
        if (!begins.has(pid)) begins.set(pid, Date.now());
        this.history.add('rss', { name, pid, age_ms: Date.now() - begins.get(pid), rss_kb });
      }
      await sleep(1000);
    }
  }

  async health() {
    try {
      return (await call('GET', `${this.stack.url}/api/v1/health`, { timeout_ms: 3000 })).data.status;
    } catch {
      return 'no answer';
    }
  }

  /** What is still under way; empty when all has settled. */
  async unsettled() {
    const [row] = await this.query(`SELECT
      (SELECT count(*)::int FROM messages WHERE open) AS open,
      (SELECT count(*)::int FROM messages m WHERE direction = 0 AND status IN (4, 5) AND right(phone, 4) <> '0004') AS receipts,
      (SELECT count(*)::int FROM sandbox.ledger l WHERE pending AND right(phone, 4) <> '0004') AS pending,
      (SELECT count(*)::int FROM sandbox.inbound) AS inbound,
      (SELECT count(*)::int FROM deliveries WHERE open) AS deliveries`);
    return Object.fromEntries(Object.entries(row).filter(([, n]) => n > 0));
  }

  /** Times are counted from `begin`, when the last fault had ended. */
  async waitSettled(begin, timeout_ms) {
    const times = {};
    let left = null;
    do {
      left = await this.unsettled().catch((error) => ({ postgres: error.message }));
      for (const name of ['open', 'receipts', 'pending', 'inbound', 'deliveries', 'postgres']) {
        if (left[name]) times[name] = Date.now() - begin;
      }
      const health = await this.health();
      if (health !== 'ok') {
        left.health = health;
        times.health = Date.now() - begin;
      }
      if (Object.keys(left).length === 0) break;
      await sleep(100);
    } while (Date.now() - begin < timeout_ms);
    this.history.add('settled', { after_ms: Date.now() - begin, times, left });
    return left;
  }

  async recordLedger() {
    const rows = await this.query(
      'SELECT tenant_id, phone, message_id, wa_message_id, session_id, body, copies, arrival::int, (extract(epoch FROM received_at) * 1000)::float8 AS received_ms FROM sandbox.ledger ORDER BY arrival');
    for (const row of rows) this.history.add('shown', row);
  }

  /** Whether what Postgres has committed is on its disk, for every role. */
  async recordDurability() {
    const rows = await this.query(
      `SELECT name, setting, 'server' AS "for" FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')
       UNION ALL SELECT split_part(c, '=', 1), split_part(c, '=', 2), coalesce(setrole::regrole::text, '') FROM pg_db_role_setting, unnest(setconfig) c
       WHERE c LIKE 'synchronous_commit=%'`);
    this.history.add('durability', { rows });
  }

  /** Ends of processes, memory, log sizes. */
  async recordProcesses() {
    const log = await readFile(path.join(this.stack.data, 'log/supervisor.log'), 'utf8');
    for (const line of log.split('\n')) {
      const match = line.match(/at=process_end name=(\S+) pid=(\d+) lived_ms=(\d+) (?:signal=(\d+)|exit=(\d+))/);
      if (match) this.history.add('end', { name: match[1], pid: Number(match[2]), lived_ms: Number(match[3]), signal: Number(match[4] ?? 0), exit: Number(match[5] ?? 0) });
    }
    for (const name of await this.stack.processes()) {
      const text = await readFile(`/proc/${await this.stack.pid(name)}/status`, 'utf8').catch(() => '');
      const rss = Number(text.match(/VmRSS:\s+(\d+)/)?.[1] ?? 0);
      this.history.add('memory', { name, rss_kb: rss, peak_kb: Number(text.match(/VmHWM:\s+(\d+)/)?.[1] ?? 0) });
    }
    for (const file of await readdir(path.join(this.stack.data, 'log'))) {
      this.history.add('log', { file, bytes: (await stat(path.join(this.stack.data, 'log', file))).size });
    }
  }
}

async function memoryOf(pid) {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(text.match(/VmRSS:\s+(\d+)/)?.[1] ?? 0);
}
