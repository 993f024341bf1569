// ./run as a newcomer and an operator use it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { freePort, isAlive, ROOT, startStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

const RUN = process.env.WA_TEST_RUN ?? path.join(ROOT, 'run');
let stack;

before(async () => {
  stack = await startStack();
});
after(() => stack?.stop());

const run = (...args) => new Promise((resolve) => {
  execFile(RUN, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }));
});

test('up prints the URLs and writes run.env for its owner only', async () => {
  assert.match(stack.output, new RegExp(stack.url));
  const { mode } = await stat(path.join(stack.data, 'run.env'));
  assert.equal(mode & 0o077, 0);
  for (const name of ['WA_API_URL', 'WA_ADMIN_TOKEN', 'WA_DATABASE_URL', 'WA_REDIS_URL']) assert.ok(stack[name], name);
  assert.equal(stack.url, `http://127.0.0.1:${stack.port}`);
});

test('each pid file holds the running process, and what is killed comes back within seconds', async () => {
  for (const name of await stack.processes()) {
    const pid = await stack.pid(name);
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    assert.match(command, new RegExp(name.replace(/-\d+$/, '')), `${name}: ${command}`);
  }
  const before_ = Date.now();
  await stack.kill('webhooker-1');
  assert.ok(Date.now() - before_ < 5000);
  await stack.healthy();
});

test('a second stack runs beside the first', async () => {
  const other = await startStack();
  try {
    assert.notEqual(other.url, stack.url);
    assert.equal((await other.healthy()).status, 'ok');
    assert.equal((await stack.healthy()).status, 'ok');
  } finally {
    await other.stop();
  }
});

test('a taken port is said in clear words and leaves nothing behind', async () => {
  const port = await freePort();
  const blocker = net.createServer().listen(port, '127.0.0.1');
  const data = await mkdtemp(path.join(os.tmpdir(), 'wa-taken-'));
  try {
    const refused = await run('up', '--detach', '--data', data, '--port', String(port));
    assert.notEqual(refused.code, 0);
    assert.match(refused.stdout + refused.stderr, new RegExp(`port ${port}`, 'i'));
    await assert.rejects(access(path.join(data, 'run', 'supervisor.pid')));
  } finally {
    blocker.close();
    await run('down', '--data', data);
    await rm(data, { recursive: true, force: true });
  }
});

test('up on a running stack says so and changes nothing', async () => {
  const pid = await stack.pid('api-1');
  const again = await run('up', '--detach', '--data', stack.data, '--port', String(stack.port));
  assert.equal(again.code, 0, again.stderr);
  assert.equal(await stack.pid('api-1'), pid);
});

test('unknown words are refused with the usage', async () => {
  for (const args of [['fly'], ['up', '--nonsense'], ['up', '--senders', 'x']]) {
    const refused = await run(...args);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stdout + refused.stderr, /usage|run (up|help)/i);
  }
});

test('down stops everything; up finds the data again', async () => {
  const pids = [];
  for (const name of await stack.processes()) pids.push(await stack.pid(name));
  await stack.sql(`INSERT INTO tenants (name) VALUES ('kept')`);
  await stack.down();
  for (const pid of pids) await until(`${pid} to end`, () => !isAlive(pid));
  assert.equal((await run('down', '--data', stack.data)).code, 0, 'down twice is fine');
  await stack.up();
  assert.equal((await stack.sql(`SELECT count(*)::int AS n FROM tenants WHERE name = 'kept'`))[0].n, 1);
});

test('the supervisor\'s death leaves no process behind', async () => {
  const pids = [];
  for (const name of await stack.processes()) pids.push(await stack.pid(name));
  process.kill(Number((await readFile(path.join(stack.data, 'run', 'supervisor.pid'), 'utf8')).trim()), 'SIGKILL');
  for (const pid of pids) await until(`${pid} to end`, () => !isAlive(pid), 20_000);
});
