// Carries out a schedule against a stack. Every process that was stopped runs again at the end.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from '../integration/node_modules/pg/lib/index.js';

const exec = promisify(execFile);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Injector {
  /** `steps`: of a stack whose daemons have marked steps. */
  constructor(stack, history, endpoint, steps) {
    Object.assign(this, { stack, history, endpoint, steps });
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

  async do_postgres_stop(fault, entry) {
    await this.signal('postgres-1', 'SIGINT', entry);
  }

  async do_postgres_kill(fault, entry) {
    await this.signal('postgres-1', 'SIGKILL', entry);
  }

  async do_postgres_pause({ for_ms }, entry) {
    const postmaster = await this.stack.pid('postgres-1');
    const { stdout } = await exec('ps', ['-o', 'pid=', '--ppid', String(postmaster)]);
    const children = stdout.split('\n').map(Number).filter(Boolean);
    await this.pause([postmaster, ...children], for_ms, entry);
    entry.pids = [postmaster];
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

  async do_endpoint({ target, mode, for_ms }) {
    await this.endpoint.misbehave(target, mode, sleep(for_ms));
  }
}

async function superuserUrl(stack) {
  const url = new URL(stack.WA_DATABASE_URL);
  url.username = 'postgres';
  url.password = (await readFile(path.join(stack.data, 'secrets/postgres'), 'utf8')).trim();
  url.pathname = '/postgres';
  return url.toString();
}
