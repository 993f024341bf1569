// Daemons as operators expect them: arguments, settings, logs, metrics, health, signals.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { newCustomer, newPhone } from './support/customer.mjs';
import { ROOT, startStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

const SERVICES = ['api', 'sender', 'gateway', 'webhooker'];
const BUILD = process.env.WA_BUILD_DIR ?? path.join(ROOT, 'build');
let stack;

before(async () => {
  stack = await startStack({ env: { WA_LOG_LEVEL: 'debug' } });
});
after(() => stack?.stop());

const binary = (service) => path.resolve(ROOT, BUILD, 'services', service, service);

function runDaemon(service, args, env = {}) {
  return new Promise((resolve) => {
    execFile(binary(service), args, { env: { PATH: process.env.PATH, ...env }, timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stdout, stderr });
    });
  });
}

const ENV = {
  WA_DATABASE_URL: 'postgresql://nobody@127.0.0.1:9/none', WA_REDIS_URL: 'redis://127.0.0.1:9/0', WA_MASTER_KEY: 'ab'.repeat(32),
};

for (const service of SERVICES) {
  test(`${service}: --help, --print-settings, --check`, async () => {
    const help = await runDaemon(service, ['--help']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /WA_DATABASE_URL/);
    assert.match(help.stdout, /--check/);
    const printed = await runDaemon(service, ['--print-settings'], ENV);
    assert.equal(printed.code, 0, printed.stderr);
    assert.match(printed.stdout, /^WA_LOG_LEVEL=info$/m);
    assert.ok(!printed.stdout.includes(ENV.WA_MASTER_KEY), 'secrets are not printed');
    const check = await runDaemon(service, ['--check'], ENV);
    assert.equal(check.code, 0, check.stderr);
  });

  test(`${service}: an unknown or bad setting is refused by name`, async () => {
    for (const [name, value] of [['WA_LOG_LEVLE', 'info'], ['WA_LOG_LEVEL', 'loud'], ['WA_PRIVATE_PORT', '70000'], ['WA_DRAIN_TIMEOUT', 'soon'], ['WA_MASTER_KEY', 'short']]) {
      const refused = await runDaemon(service, ['--check'], { ...ENV, [name]: value });
      assert.notEqual(refused.code, 0, `${name}=${value}`);
      assert.match(refused.stderr, new RegExp(name));
    }
    const { WA_DATABASE_URL, ...without } = ENV;
    const missing = await runDaemon(service, ['--check'], without);
    assert.notEqual(missing.code, 0);
    assert.match(missing.stderr, /WA_DATABASE_URL/);
  });

  test(`${service}: settings from a file`, async () => {
    const file = path.join(stack.data, `${service}.conf`);
    await writeFile(file, '# comment\nWA_LOG_LEVEL=warn\n');
    const printed = await runDaemon(service, ['--config', file, '--print-settings'], ENV);
    assert.match(printed.stdout, /^WA_LOG_LEVEL=warn$/m);
    await writeFile(file, 'WA_NONSENSE=1\n');
    assert.match((await runDaemon(service, ['--config', file, '--check'], ENV)).stderr, /WA_NONSENSE/);
  });
}

test('without Postgres and Redis a daemon waits and says so, and SIGTERM ends it', async () => {
  for (const service of SERVICES) {
    const child = spawn(binary(service), [], { env: { PATH: process.env.PATH, ...ENV, WA_API_PORT: '0' }, stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.on('data', (chunk) => (log += chunk));
    await until(`${service} to say that postgres is away`, () => /postgres/.test(log));
    assert.equal(child.exitCode, null, 'it stays');
    child.kill('SIGTERM');
    const code = await new Promise((resolve) => child.once('exit', (exitCode, signal) => resolve(signal ?? exitCode)));
    assert.equal(code, 0, log.slice(-500));
  }
});

async function privateUrl(name) {
  const port = (await readFile(path.join(stack.data, 'run', `${name}.port`), 'utf8')).trim();
  return `http://127.0.0.1:${port}`;
}

test('every daemon has /live, /ready and /metrics on its private port', async () => {
  for (const service of SERVICES) {
    const url = await privateUrl(`${service}-1`);
    assert.equal((await fetch(`${url}/live`)).status, 200);
    await until(`${service} to be ready`, async () => (await fetch(`${url}/ready`)).status === 200);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, new RegExp(`^wa_${service}_`, 'm'));
    assert.match(metrics, /^process_resident_memory_bytes \d/m);
    for (const line of metrics.split('\n')) {
      assert.match(line, /^$|^# (HELP|TYPE) |^[a-z_:][a-z0-9_:]*(\{.*\})? [-+0-9.eEInfNa]+$/i, line);
    }
  }
});

test('logs tell facts with their ids, never bodies, keys or full numbers', async () => {
  const customer = await newCustomer(stack);
  const phone = newPhone();
  const contact = await customer.contact(phone);
  const secret = 'the-amount-is-4711';
  const sent = await customer.send(contact.id, secret);
  await customer.reaches(sent.message_id, 'read');
  await customer.inbound(phone, `${secret} too`);
  await until('the incoming message', async () => (await customer.get(`/conversations/${contact.id}/messages`)).data.length === 2);
  let all = '';
  for (const file of await readdir(path.join(stack.data, 'log'))) {
    if (/^(api|sender|gateway|webhooker)-/.test(file)) all += await readFile(path.join(stack.data, 'log', file), 'utf8');
  }
  for (const forbidden of [secret, phone, phone.slice(1), customer.apiKey, stack.WA_ADMIN_TOKEN]) {
    assert.ok(!all.includes(forbidden), `a log holds ${forbidden.slice(0, 8)}…`);
  }
  for (const line of all.trim().split('\n')) assert.match(line, /^ts=\S+ level=(debug|info|warn|error) svc=\S+ inst=\S+ at=\S+/, line);
});

test('health names each part, and a lost part is seen and found again', async () => {
  const health = await stack.healthy();
  for (const part of ['postgres', 'redis', 'sender', 'gateway', 'webhooker']) {
    assert.ok(JSON.stringify(health).includes(`"${part}"`), part);
  }
  const gateway = await stack.pid('gateway-1');
  process.kill(gateway, 'SIGSTOP');
  try {
    await until('health not to be ok', async () => {
      const answer = await fetch(`${stack.url}/api/v1/health`);
      const body = await answer.json();
      return body.status !== 'ok' && body;
    });
  } finally {
    process.kill(gateway, 'SIGCONT');
  }
  await stack.healthy();
});

test('SIGTERM drains: nothing in flight is lost', async () => {
  const customer = await newCustomer(stack);
  const contact = await customer.contact();
  const ids = [];
  for (let i = 0; i < 30; i++) {
    ids.push((await customer.send(contact.id, `d${i}`)).message_id);
    if (i === 10) await stack.kill('gateway-1', 'SIGTERM');
    if (i === 20) await stack.kill('sender-1', 'SIGTERM');
  }
  await customer.reaches(ids.at(-1), 'read', 60_000);
  assert.deepEqual((await customer.outbox(contact.phone)).map((m) => m.message_id), ids);
});
