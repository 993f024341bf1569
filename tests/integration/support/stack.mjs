// A whole stack of its own, started by ./run up in a data folder and on a port of its own.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { redisCommand } from './redis.mjs';
import { until } from './until.mjs';

const exec = promisify(execFile);
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const RUN = process.env.WA_TEST_RUN ?? path.join(ROOT, 'run');

export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Start a stack. `env` adds WA_… settings, `args` adds to `./run up --detach`. Stop it with stop(). */
export async function startStack({ env = {}, args = [] } = {}) {
  const data = await mkdtemp(path.join(os.tmpdir(), 'wa-it-'));
  const stack = new Stack(data, await freePort(), env, args);
  await stack.up();
  return stack;
}

// Settings of the stack that most files share: everything that waits, waits briefly.
export const SHARED_SETTINGS = {
  WA_SEND_RETRY_SCHEDULE: '200ms,400ms,600ms',
  WA_ACK_TIMEOUT: '1s',
  WA_WEBHOOK_RETRY_SCHEDULE: '300ms,600ms,1s,1s,2s,2s,5s,5s,5s,5s',
  WA_WEBHOOK_TIMEOUT: '2s',
  WA_WEBHOOK_HOLD: '3s',
  WA_API_REQUEST_TIMEOUT: '2s',
};

/** The stack that run-all.mjs started, or one of this file's own. `release` stops it in the second case. */
export async function sharedStack() {
  const data = process.env.WA_TEST_DATA;
  if (!data) {
    const own = await startStack({ env: SHARED_SETTINGS });
    own.release = () => own.stop();
    return own;
  }
  const stack = new Stack(data, 0, {}, []);
  await stack.attach();
  stack.release = () => stack.closeSql();
  return stack;
}

/** What the guide is walked through: a stack of its own, or the one elsewhere that WA_TEST_REMOTE describes (JSON). */
export async function guideStack() {
  if (!process.env.WA_TEST_REMOTE) return Object.assign(await startStack(), { here: '127.0.0.1' });
  return { isRemote: true, stop: () => {}, ...JSON.parse(process.env.WA_TEST_REMOTE) };
}

export class Stack {
  constructor(data, port, env, args) {
    this.data = data;
    this.port = port;
    this.env = env;
    this.args = args;
  }

  async up() {
    const args = ['up', '--detach', '--data', this.data, '--port', String(this.port), ...this.args];
    try {
      const { stdout } = await exec(RUN, args, { env: { ...process.env, ...this.env }, maxBuffer: 1 << 26 });
      this.output = stdout;
    } catch (error) {
      await this.down();
      throw new Error(`./run ${args.join(' ')} failed:\n${error.stdout}\n${error.stderr}`);
    }
    await this.attach();
  }

  async attach() {
    Object.assign(this, parseRunEnv(await readFile(path.join(this.data, 'run.env'), 'utf8')));
    this.url = this.WA_API_URL;
  }

  async down() {
    await this.closeSql();
    await exec(RUN, ['down', '--data', this.data], { maxBuffer: 1 << 26 });
  }

  async stop() {
    await this.down();
    await rm(this.data, { recursive: true, force: true });
  }

  async pid(name) {
    const text = await readFile(path.join(this.data, 'run', `${name}.pid`), 'utf8');
    return Number(text.trim());
  }

  async processes() {
    const files = await readdir(path.join(this.data, 'run'));
    return files.filter((f) => /^(api|sender|gateway|webhooker|postgres|redis)-\d+\.pid$/.test(f)).map((f) => f.slice(0, -4));
  }

  async log(name) {
    return readFile(path.join(this.data, 'log', `${name}.log`), 'utf8');
  }

  /** Kill a process and wait until the supervisor has put another in its place. Gives the new pid. */
  async kill(name, signal = 'SIGKILL') {
    const before = await this.pid(name);
    process.kill(before, signal);
    return until(`${name} to be started again`, async () => {
      const now = await this.pid(name).catch(() => 0);
      return now && now !== before && isAlive(now) && now;
    });
  }

  async sql(text, params = []) {
    if (!this.sqlPool) {
      this.sqlPool = new pg.Pool({ connectionString: this.WA_DATABASE_URL, max: 2 });
      this.sqlPool.on('error', () => {}); // a connection lost while idle: the pool makes another
    }
    return (await this.sqlPool.query(text, params)).rows;
  }

  async closeSql() {
    const pool = this.sqlPool;
    this.sqlPool = undefined;
    await pool?.end();
  }

  async redis(...command) {
    return redisCommand(this.WA_REDIS_URL, command);
  }

  async healthy(timeoutMs = 30_000) {
    return until('health to be ok', async () => {
      const answer = await fetch(`${this.url}/api/v1/health`);
      const body = await answer.json();
      if (body.status !== 'ok') throw new Error(JSON.stringify(body));
      return body;
    }, timeoutMs);
  }
}

export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function parseRunEnv(text) {
  const found = {};
  for (const line of text.split('\n')) {
    const match = line.match(/^(?:export )?([A-Z_]+)=(?:'(.*)'|"(.*)"|(.*))$/);
    if (match) found[match[1]] = match[2] ?? match[3] ?? match[4];
  }
  return found;
}
