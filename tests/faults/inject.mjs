// Carries out a schedule against a stack. Every process that was stopped runs again at the end.
import { readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import pg from '../integration/node_modules/pg/lib/index.js';
import { postgresPids } from './host.mjs';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const FULL_MEMORY = String(512 * 1024 * 1024); // as ./run sets it
// Entries that no daemon can take, in Lua: no payload, no msgpack, bytes that are no UTF-8, another version, cut off, much too long.
const POISON = [
  `'x', 'y'`,
  `'m', ''`,
  `'m', 'hello'`,
  `'m', '\\255\\254\\253'`,
  `'m', '\\152\\127\\161\\255\\161\\254\\1\\1\\1\\1\\1'`,
  `'m', '\\152\\1\\163ab'`,
  `'m', string.rep('z', 100000)`,
];
const POISON_SCRIPT = POISON.map((fields) => `redis.call('XADD', KEYS[1], '*', ${fields})`).join('\n');

export class Injector {
  /** `net`: the proxies of the stack. `steps`: of a stack whose daemons have marked steps. Either may be missing when no fault needs it. */
  constructor(stack, history, endpoint, { net = null, steps = null } = {}) {
    Object.assign(this, { stack, history, endpoint, net, steps });
    this.serial = 0;
  }

  /** Resolves when every fault has come and gone. */
  async run(schedule) {
    const begin = Date.now();
    const running = [];
    for (const fault of schedule) {
      await sleep(Math.max(0, begin + fault.at_ms - Date.now()));
      running.push(this.fault(fault));
    }
    await Promise.all(running);
  }

  async fault(fault) {
    const entry = { ...fault, begin: Date.now() };
    try {
      await this[`do_${fault.kind}`](fault, entry);
    } catch (error) {
      entry.error = error.message; // the victim of another fault at this moment
    }
    this.history.add('fault', { ...entry, end: Date.now() });
  }

  async signal(name, signal, entry) {
    const pid = await this.stack.pid(name);
    (entry.pids ??= []).push(pid);
    process.kill(pid, signal);
    return pid;
  }

  async do_kill({ target }, entry) {
    await this.signal(target, 'SIGKILL', entry);
  }

  async do_kill_at_step({ who, step, hit, patience_ms }, entry) {
    await this.atStep(who, step, { hit, timeout_ms: patience_ms }, entry);
  }

  async do_pause_at_step({ who, step, hit, patience_ms, for_ms }, entry) {
    entry.target = who;
    await this.atStep(who, step, { hit, timeout_ms: patience_ms, does: 'stop' }, entry);
    await sleep(entry.pids.length > 0 ? for_ms : 0);
    for (const pid of entry.pids) this.send(pid, 'SIGCONT');
  }

  /** Nobody may have come there: then entry.pids is empty. */
  async atStep(who, step, options, entry) {
    const arm = await this.steps.arm(who, step, options);
    await this.steps.wait(arm, options);
    entry.pids = await this.steps.disarm(arm);
  }

  async do_kill_kind({ target }, entry) {
    await Promise.allSettled([1, 2].map((n) => this.signal(`${target}-${n}`, 'SIGKILL', entry)));
  }

  async do_pause({ target, for_ms }, entry) {
    await this.pause([await this.stack.pid(target)], for_ms, entry);
  }

  async pause(pids, for_ms, entry) {
    entry.pids = pids;
    for (const pid of pids) this.send(pid, 'SIGSTOP');
    await sleep(for_ms);
    for (const pid of pids) this.send(pid, 'SIGCONT');
  }

  send(pid, signal) {
    try {
      process.kill(pid, signal);
    } catch {
      // it is gone
    }
  }

  async do_redis_flush() {
    await this.stack.redis('FLUSHALL');
  }

  async do_redis_kill(fault, entry) {
    await this.signal('redis-1', 'SIGKILL', entry);
  }

  async do_redis_pause({ for_ms }, entry) {
    await this.pause([await this.stack.pid('redis-1')], for_ms, entry);
  }

  /** Killed, and all that it had written is gone. */
  async do_redis_empty(fault, entry) {
    const folder = path.join(this.stack.data, 'redis');
    const pid = await this.stack.pid('redis-1');
    entry.pids = [pid];
    process.kill(pid, 'SIGSTOP'); // else the supervisor is quicker than we
    await rename(path.join(folder, 'appendonlydir'), path.join(folder, `gone-${++this.serial}`));
    process.kill(pid, 'SIGKILL');
  }

  /** No room: what adds is refused. */
  async do_redis_full({ for_ms }) {
    const [, before] = await this.stack.redis('CONFIG', 'GET', 'maxmemory');
    await this.stack.redis('CONFIG', 'SET', 'maxmemory', '1');
    await sleep(for_ms);
    const set = () => this.stack.redis('CONFIG', 'SET', 'maxmemory', before === '1' ? FULL_MEMORY : before);
    await set().catch(() => {}); // one that was killed meanwhile has its own again
  }

  async do_poison(fault, entry) {
    const known = await this.stack.redis('KEYS', '*.*');
    const streams = new Set([...known.filter((key) => /^(outbound|outcome|dispatch|events)\.\d+$/.test(key)), 'outbound.3', 'outcome.3', 'events.3', 'dispatch.1']);
    entry.streams = streams.size;
    for (const stream of streams) await this.stack.redis('EVAL', POISON_SCRIPT, 1, stream);
  }

  async do_redis_net(fault, entry) {
    await this.spoil('redis', fault, entry);
  }

  async do_postgres_net(fault, entry) {
    await this.spoil('postgres', fault, entry);
  }

  async do_endpoint_net(fault, entry) {
    await this.spoil('endpoint', fault, entry);
  }

  async spoil(server, { who, toxic, share, for_ms }, entry) {
    const proxies = this.net.select(server, who);
    if (toxic.kind === 'cut' || toxic.kind === 'reset') entry.hit = proxies.reduce((n, proxy) => n + proxy[toxic.kind](share), 0);
    else await Promise.all(proxies.map((proxy) => proxy.during({ ...toxic }, sleep(for_ms))));
  }

  async do_commit_lost({ who, count, for_ms }, entry) {
    const lost = await Promise.all(this.net.select('postgres', who).map((proxy) => proxy.loseCommits(count, for_ms)));
    entry.lost = lost.reduce((a, b) => a + b, 0);
  }

  async do_postgres_lock({ table, for_ms }) {
    await this.inTransaction(for_ms, `LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
  }

  /** It has a number of its own, so nothing younger is certain to be over, and nothing that it might see is cleaned up. */
  async do_postgres_idle({ for_ms }) {
    await this.inTransaction(for_ms, 'SELECT pg_current_xact_id()');
  }

  async inTransaction(for_ms, statement) {
    const client = new pg.Client({ connectionString: await superuserUrl(this.stack, 'wa'), connectionTimeoutMillis: 2000 });
    client.on('error', () => {});
    await client.connect();
    try {
      await client.query('BEGIN; SET LOCAL lock_timeout = 3000; SET LOCAL idle_in_transaction_session_timeout = 0');
      await client.query(statement);
      await sleep(for_ms);
      await client.query('COMMIT');
    } finally {
      await client.end().catch(() => {});
    }
  }

  async do_postgres_stop(fault, entry) {
    await this.signal('postgres-1', 'SIGINT', entry);
  }

  async do_postgres_kill(fault, entry) {
    await this.signal('postgres-1', 'SIGKILL', entry);
  }

  /** All of its processes at once, as when the machine is switched off: none of them ends what it was about to do. */
  async do_postgres_power(fault, entry) {
    const pids = await postgresPids(this.stack);
    for (const pid of pids) this.send(pid, 'SIGSTOP'); // they die as they stand
    for (const pid of pids) this.send(pid, 'SIGKILL');
    entry.pids = pids.slice(0, 1);
    entry.killed = pids.length;
  }

  async do_postgres_pause({ for_ms }, entry) {
    const pids = await postgresPids(this.stack);
    await this.pause(pids, for_ms, entry);
    entry.pids = pids.slice(0, 1);
  }

  async do_postgres_cut({ share }, entry) {
    const client = new pg.Client({ connectionString: await superuserUrl(this.stack), connectionTimeoutMillis: 2000 });
    client.on('error', () => {});
    await client.connect();
    const { rows } = await client.query(
      `SELECT count(pg_terminate_backend(pid))::int AS n FROM pg_stat_activity
       WHERE usename IN ('api', 'sender', 'gateway', 'webhooker') AND random() < $1`, [share]);
    entry.cut = rows[0].n;
    await client.end();
  }

  /** For so long, or until a promise ends. */
  async do_endpoint({ target, mode, for_ms, until }, entry) {
    delete entry.until;
    await this.endpoint.misbehave(target, mode, until ?? sleep(for_ms));
  }
}

async function superuserUrl(stack, database = 'postgres') {
  const url = new URL(stack.WA_DATABASE_URL);
  url.username = 'postgres';
  url.password = (await readFile(path.join(stack.data, 'secrets/postgres'), 'utf8')).trim();
  url.pathname = `/${database}`;
  return url.toString();
}
