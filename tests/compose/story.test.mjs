// docker-compose.yml in a real engine: from nothing to a delivered message, and what operators and bad luck do to it after that.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, copyFile, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { newCustomer, newPhone } from '../integration/support/customer.mjs';
import { startEndpoint } from '../integration/support/endpoint.mjs';
import { judge, judgeWebhooks, makeContacts, sendAll } from '../integration/support/load.mjs';
import { until } from '../integration/support/until.mjs';
import { newPhoneOn, newSession, pair, phonesAt } from '../integration/support/whatsapp.mjs';
import { startDouble } from '../whatsapp/support/setup.mjs';
import { Site } from './support/site.mjs';

const exec = promisify(execFile);
const WORK = process.env.WA_COMPOSE_WORK;
const V1 = 'docker-compose';
const V2 = path.join(WORK, 'compose-v2');
const DAEMONS = ['api', 'sender', 'gateway', 'webhooker'];
const TARGETS = [...DAEMONS, 'migrate', 'proxy'];
const PARTITIONS = 32;
const DRAIN_MS = 8000; // WA_DRAIN_TIMEOUT

let site = new Site(path.join(WORK, 'site'), V1);
const newer = new Site(path.join(WORK, 'site'), V2);
let endpoint;
const seconds = async (work) => {
  const began = Date.now();
  await work();
  return ((Date.now() - began) / 1000).toFixed(1);
};

after(async () => {
  await endpoint?.close();
  await site.compose('--profile', 'monitoring', 'down', '--volumes', '--remove-orphans').catch(() => {});
});

async function layers(image) {
  return JSON.parse(await site.docker('image', 'inspect', '--format', '{{json .RootFS.Layers}}', image));
}

async function build(folder, version) {
  for (const target of TARGETS) {
    await site.docker('build', '--quiet', '--file', path.join(folder, 'deploy/Dockerfile'), '--target', target, '--tag', `whatsapp-agent/${target}:${version}`, folder);
  }
}

async function readmeBlock(text) {
  const readme = await readFile(path.join(site.folder, 'README.md'), 'utf8');
  const block = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map((m) => m[1]).find((b) => b.includes(text));
  assert.ok(block, `the README has no lines with ${text}`);
  return block;
}

/** A customer with an endpoint that containers can reach: on this machine's side of the network that leads out. */
async function customerWithEndpoint() {
  endpoint ??= await startEndpoint(() => 200, (await site.address('webhooker', 'outside')).Gateway);
  const customer = await newCustomer(site);
  await customer.webhook(endpoint.url, ['message_sent', 'message_delivered', 'message_read']);
  return customer;
}

/** Send `total` messages through `work(progress)`; then nothing may be lost, doubled or out of order, for phones and endpoint alike. */
async function sendThrough(total, work) {
  const customer = await customerWithEndpoint();
  const contacts = await makeContacts(customer, 20);
  let done = 0;
  const progress = async (count) => until(`${count} messages to be accepted`, () => done >= count, 120_000);
  const [accepted] = await Promise.all([sendAll(customer, contacts, total, (n) => { done = n; }), work(progress)]);
  await judge(customer, contacts, accepted);
  await judgeWebhooks(endpoint, contacts, accepted);
}

test('deploy/init-env writes random secrets once, for nobody else to read, and refuses to overwrite them', async () => {
  await site.run('deploy/init-env');
  const names = await readdir(path.join(site.folder, 'secrets'));
  const values = await Promise.all(names.map((n) => readFile(path.join(site.folder, 'secrets', n), 'utf8')));
  assert.equal((await stat(path.join(site.folder, 'secrets'))).mode & 0o777, 0o700);
  assert.ok(names.length >= 18 && values.every((v) => v.length >= 32), names.join());
  await assert.rejects(site.run('deploy/init-env'), /is there already; nothing was changed/);
  assert.deepEqual(await Promise.all(names.map((n) => readFile(path.join(site.folder, 'secrets', n), 'utf8'))), values);
  const tracked = (await readdir(site.folder)).filter((f) => !['secrets', '.env'].includes(f));
  for (const value of values) {
    await assert.rejects(exec('grep', ['-rqF', value.trim(), ...tracked], { cwd: site.folder }), 'a secret stands outside of secrets/');
  }
});

test('the file is good for docker-compose 1.29 and for docker compose 2; every image is pinned', async (t) => {
  for (const one of [site, newer]) {
    t.diagnostic((await one.compose('version', '--short')).trim());
    await one.compose('--profile', 'monitoring', 'config', '--quiet');
  }
  const file = await readFile(path.join(site.folder, 'docker-compose.yml'), 'utf8');
  const images = [...file.matchAll(/^ {4}image: (\S+)$/gm)].map((m) => m[1]);
  assert.ok(images.length >= 11);
  for (const image of images) assert.match(image, /:(v?\d+\.\d+(\.\d+)?|\$\{VERSION:-\d+\.\d+\.\d+\})$/, image);
});

test('the README, typed as it stands: from nothing to a delivered message', async (t) => {
  // The lines of init-env were typed above; what is built and started here begins with no image and no volume of ours.
  const start = (await readmeBlock('docker compose up -d --build')).replace(/^deploy\/init-env$/m, 'true');
  const settings = path.join(site.folder, '.env');
  const text = await readFile(settings, 'utf8');
  await writeFile(settings, text.replace(/^WA_OUTBOUND_ALLOW_CIDRS=.*$/m, 'WA_OUTBOUND_ALLOW_CIDRS=10.0.0.0/8,172.16.0.0/12,192.168.0.0/16'));
  t.diagnostic(`built and started in ${await seconds(() => site.shell(start))} s`);
  await site.attach();
  await site.healthy();
  const out = await site.shell(`${await readmeBlock('secrets/admin_token')}\n`);
  t.diagnostic(out.trim().split('\n').at(-1).slice(0, 160));
  assert.match(out, /"status": ?"queued"/);
  assert.match(out, /"copies": ?1/);
});

test('images: one service and its libraries each, sizes', async (t) => {
  const base = Number(await site.docker('image', 'inspect', '--format', '{{.Size}}', 'debian:trixie-slim'));
  for (const target of TARGETS) {
    const size = Number(await site.docker('image', 'inspect', '--format', '{{.Size}}', `whatsapp-agent/${target}:0.1.0`));
    t.diagnostic(`${target}: ${((size - base) / 1e6).toFixed(1)} MB on top of the base's ${(base / 1e6).toFixed(1)} MB`);
    assert.ok(size - base < (target === 'gateway' ? 160e6 : 80e6), `${target} holds more than what runs`);
  }
  for (const daemon of DAEMONS) {
    const found = await site.docker('run', '--rm', '--entrypoint', 'bash', `whatsapp-agent/${daemon}:0.1.0`, '-c', 'ls /usr/local/bin; ls -d /src /build; command -v gcc meson python3 curl psql npm; true');
    assert.deepEqual(found.trim().split('\n').sort(), [daemon, 'ready'].sort());
  }
});

test('nobody is root, root file systems are read-only, capabilities are gone, memory and logs are limited', async () => {
  const containers = await site.inspect(...await site.ids(null));
  assert.equal(containers.length, 8);
  for (const { Name, Config, HostConfig, Id } of containers) {
    assert.ok(Config.User && !/^(0|root)(:|$)/.test(Config.User), `${Name} runs as «${Config.User}»`);
    assert.equal(HostConfig.ReadonlyRootfs, true, Name);
    assert.deepEqual(HostConfig.CapDrop, ['ALL'], Name);
    assert.ok(!HostConfig.CapAdd?.length && !HostConfig.Privileged, Name);
    assert.deepEqual(HostConfig.SecurityOpt, ['no-new-privileges:true'], Name);
    assert.ok(HostConfig.Memory > 0 && HostConfig.Memory <= 1.5 * 2 ** 30, Name);
    assert.ok(HostConfig.PidsLimit > 0, Name);
    assert.deepEqual([HostConfig.LogConfig.Type, HostConfig.LogConfig.Config['max-size'], HostConfig.LogConfig.Config['max-file']], ['json-file', '10m', '5'], Name);
    const status = await site.docker('exec', Id, 'cat', '/proc/1/status');
    assert.match(status, /^CapEff:\t0+$/m, Name);
    assert.match(status, /^NoNewPrivs:\t1$/m, Name);
    assert.match(status, /^Uid:\t[1-9]/m, Name);
    await assert.rejects(site.docker('exec', Id, 'sh', '-c', 'echo x >/etc/x'), Name);
  }
});

test('only the api is published, Adminer on loopback; Postgres and Redis lead nowhere; secrets are files', async () => {
  const containers = await site.inspect(...await site.ids(null));
  const published = {};
  for (const { Config, HostConfig, Mounts } of containers) {
    const service = Config.Labels['com.docker.compose.service'];
    const ports = Object.values(HostConfig.PortBindings ?? {}).flat().map((p) => `${p.HostIp}:${p.HostPort}`);
    if (ports.length) published[service] = ports;
    for (const mount of Mounts.filter((m) => m.Destination.startsWith('/run/secrets/'))) {
      const value = (await readFile(mount.Source, 'utf8')).trim();
      assert.ok(!JSON.stringify(Config).includes(value), `${service}: ${mount.Destination} stands in its environment or command`);
    }
  }
  assert.deepEqual(published, { proxy: ['127.0.0.1:8000'], adminer: ['127.0.0.1:8080'] });
  for (const service of ['postgres', 'redis', 'sender', 'api']) {
    const [{ NetworkSettings }] = await site.inspect((await site.ids(service))[0]);
    for (const name of Object.keys(NetworkSettings.Networks)) {
      const [network] = JSON.parse(await site.docker('network', 'inspect', name));
      assert.equal(network.Internal, true, `${service} is on ${name}, which leads out`);
    }
  }
});

test('the operator\'s calls want the token here; a private webhook address is refused unless it was allowed', async () => {
  const answer = await fetch(`${site.url}/api/v1/tenants`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"name": "x"}' });
  assert.equal(answer.status, 401);
  const customer = await newCustomer(site);
  const refused = await customer.post('/webhooks/register', { url: 'http://127.0.0.1:9/x', events: ['message_sent'], active: true });
  assert.equal(refused.status, 422);
});

test('the integration guide, step by step, with its own code and the operator\'s token', async () => {
  const remote = { url: site.url, WA_ADMIN_TOKEN: site.WA_ADMIN_TOKEN, here: (await site.address('webhooker', 'outside')).Gateway };
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  const { stdout } = await exec(process.execPath, ['--test', '--test-reporter=spec', '010-guide.test.mjs'], {
    cwd: path.resolve('tests/integration'), env: { ...env, WA_TEST_REMOTE: JSON.stringify(remote) },
  });
  process.stdout.write(stdout.replaceAll(/^/gm, '  | '));
  assert.match(stdout, /ℹ fail 0/);
});

test('a real session: the gateway\'s container runs its worker, pairs with a phone, and texts and files go both ways', async (t) => {
  const here = (await site.address('gateway', 'outside')).Gateway;
  const double = await startDouble('--data', path.join(WORK, 'double'), '--listen', here, '--name', here);
  const file = Buffer.from('%PDF-1.4 a statement');
  const files = http.createServer((request, response) => response.writeHead(200, { 'Content-Type': 'application/pdf' }).end(file)).listen(0, here);
  await once(files, 'listening');
  try {
    await copyFile(double.info.ca_file, path.join(site.folder, 'whatsapp-ca.pem'));
    await writeFile(path.join(site.folder, 'whatsapp.yml'), JSON.stringify({ services: { gateway: {
      environment: { WA_WHATSAPP_WS_URL: double.info.ws_url, WA_WHATSAPP_ROOT_KEY: double.info.root_key, WA_WHATSAPP_CA_FILE: '/run/whatsapp-ca.pem' },
      volumes: ['./whatsapp-ca.pem:/run/whatsapp-ca.pem:ro'],
    } } }));
    await site.compose('-f', 'docker-compose.yml', '-f', 'whatsapp.yml', 'up', '--detach', '--no-deps', 'gateway');
    const [gateway] = await site.ready('gateway', 1);
    site.phones = phonesAt(double.info.admin_url);
    const session = await newSession(site);
    const ours = await newPhoneOn(site, { name: 'Finance' });
    const erika = await newPhoneOn(site, { reads: true });
    t.diagnostic(`paired ${await seconds(() => pair(session, ours))} s after the session was made`);

    const up = (await site.log(gateway, 200)).match(/at=worker_up .*/)[0];
    t.diagnostic(up);
    assert.match(up, /node=v(2[0-9]|[3-9][0-9])\./);
    const [{ State }] = await site.inspect(gateway);
    const worker = (await readFile(`/proc/${State.Pid}/task/${State.Pid}/children`, 'utf8')).trim();
    const status = await readFile(`/proc/${worker}/status`, 'utf8');
    assert.match(status, /^Uid:\t10001\t10001\t/m);
    assert.match(status, /^CapEff:\t0+$/m);
    t.diagnostic(`the worker holds ${(status.match(/^VmRSS:\s+(\d+)/m)[1] / 1024).toFixed(0)} MiB`);

    const { customer } = session;
    const contact = await customer.contact(`+${erika.number}`);
    const text = await customer.send(contact.id, 'From a container');
    await erika.shows('the text', (m) => m.body === 'From a container');
    const sent = await customer.send(contact.id, undefined, { message_type: 'document', media_url: `http://${here}:${files.address().port}/a.pdf`, filename: 'a.pdf' });
    const shown = await erika.shows('the file', (m) => m.type === 'document');
    assert.equal(shown.media.sha256, createHash('sha256').update(file).digest('hex'));
    for (const { message_id: id } of [text, sent]) await customer.reaches(id, 'read');
    await erika.write(ours, { text: 'To a container' });
    await until('it to be received', async () => (await customer.get(`/conversations/${contact.id}/messages`)).data.some((m) => m.message_body === 'To a container'));
    await customer.http.delete(`/sessions/${session.id}`);
  } finally {
    files.close();
    await site.compose('up', '--detach', '--no-deps', 'gateway');
    await site.ready('gateway', 1);
    await double.stop();
  }
});

test('docker compose logs reads well: one logfmt line a fact, and nothing secret', async (t) => {
  const log = await site.compose('logs', '--no-color', ...DAEMONS);
  const lines = log.split('\n').filter((l) => /^\S+ +\| /.test(l)).map((l) => l.replace(/^\S+ +\| /, ''));
  assert.ok(lines.length > 20);
  for (const line of lines) assert.match(line, /^ts=\S+ level=\w+ svc=\w+ inst=\w+-[0-9a-f]{12} at=\w+/);
  assert.doesNotMatch(log, /\+1234567890|sk_live_|whsec_|wat_[0-9a-f]/);
  t.diagnostic(lines.find((l) => l.includes('svc=api')));
});

test('the alert rules fire when they should, and are silent about a stack that is well', async (t) => {
  t.diagnostic((await site.run('promtool', 'check', 'rules', 'deploy/prometheus/rules.yml')).trim().split('\n').at(-1).trim());
  t.diagnostic((await site.run('promtool', 'test', 'rules', 'tests/compose/rules.yml')).trim().split('\n').at(-1).trim());
});

test('Prometheus finds every container, and its rules and the dashboards\' queries run on what it finds', async (t) => {
  await site.compose('--profile', 'monitoring', 'up', '--detach', '--no-deps', 'prometheus');
  const prometheus = `http://${(await until('prometheus', () => site.address('prometheus', 'metrics'))).IPAddress}:9090/api/v1`;
  const ask = async (what) => (await (await fetch(`${prometheus}/${what}`)).json()).data;
  const targets = await until('every service to be up', async () => {
    const { activeTargets } = await ask('targets');
    const up = activeTargets.filter((x) => x.health === 'up').map((x) => x.labels.job);
    if (new Set(up).size < 5) throw new Error(JSON.stringify(activeTargets.map((x) => [x.labels.job, x.lastError])));
    return up;
  }, 60_000);
  t.diagnostic(`up: ${targets.sort().join()}`);
  const alerts = await until('every rule to be evaluated', async () => {
    const rules = (await ask('rules')).groups.flatMap((g) => g.rules);
    return rules.length >= 20 && rules.every((r) => r.health === 'ok') && rules;
  }, 60_000);
  assert.deepEqual(alerts.filter((a) => a.state === 'firing').map((a) => a.name), [], 'alerts about a stack that is well');
  const names = new Set(await ask('label/__name__/values'));
  const files = (await readdir(path.join(site.folder, 'deploy/grafana/dashboards'))).map((f) => path.join(site.folder, 'deploy/grafana/dashboards', f));
  const panels = (await Promise.all(files.map(async (f) => JSON.parse(await readFile(f, 'utf8')).panels))).flat();
  const queries = [...alerts.map((a) => a.query), ...panels.flatMap((p) => p.targets.map((x) => x.expr))];
  for (const query of queries) {
    const answer = await (await fetch(`${prometheus}/query?query=${encodeURIComponent(query)}`)).json();
    assert.equal(answer.status, 'success', `${query}: ${answer.error}`);
    for (const [name] of query.matchAll(/\b(wa|haproxy|process)_\w+/g)) assert.ok(names.has(name), `nobody exposes ${name}, which stands in: ${query}`);
  }
  t.diagnostic(`${alerts.length} rules, ${panels.length} panels, ${queries.length} queries`);
  await site.compose('--profile', 'monitoring', 'rm', '--stop', '--force', 'prometheus');
});

test('Adminer shows the login on 8080', async () => {
  const page = await (await fetch('http://127.0.0.1:8080/')).text();
  assert.match(page, /Adminer/);
  assert.match(page, /name=["']auth\[password\]["']/);
});

test('--scale: four senders, three webhookers, two gateways and three apis take part within seconds', async (t) => {
  const scale = { sender: 4, webhooker: 3, gateway: 2, api: 3 };
  await site.compose('up', '--detach', '--no-recreate', ...Object.entries(scale).map(([s, n]) => `--scale=${s}=${n}`));
  const began = Date.now();
  for (const [service, n] of Object.entries(scale)) await site.ready(service, n);
  for (const [service, kind] of [['sender', 'partition'], ['webhooker', 'events']]) {
    const shares = await until(`each ${service} to have its share`, async () => {
      const rows = await site.sql('SELECT owner, count(*)::int AS n FROM leases WHERE kind = $1 AND expires_at > now() GROUP BY owner', [kind]);
      const counts = rows.map((r) => r.n);
      if (counts.length !== scale[service] || counts.reduce((a, b) => a + b) !== PARTITIONS || Math.max(...counts) - Math.min(...counts) > 4) throw new Error(counts.join());
      return counts;
    }, 30_000);
    t.diagnostic(`${service}s share ${PARTITIONS} partitions: ${shares.join(', ')}`);
  }
  t.diagnostic(`ready and shared out ${((Date.now() - began) / 1000).toFixed(1)} s after compose returned`);
  await sendThrough(600, () => {});
  for (const [service, metric] of [['sender', 'wa_sender_dispatched_total'], ['api', 'wa_api_messages_accepted_total'], ['webhooker', 'wa_webhooker_attempts_total{result="delivered"}']]) {
    const counts = await Promise.all((await site.ids(service)).map(async (id) => (await site.metrics(id)).get(metric)));
    t.diagnostic(`${metric}: ${counts.join(', ')}`);
    assert.ok(counts.every((n) => n > 0), `every ${service} works`);
  }
});

test('docker kill of any container, under load, loses nothing', async (t) => {
  await sendThrough(2000, async (progress) => {
    let at = 100;
    for (const service of ['sender', 'gateway', 'webhooker', 'api', 'redis', 'postgres', 'proxy']) {
      await progress(at);
      const [victim] = await site.ids(service);
      await site.docker('kill', victim);
      t.diagnostic(`killed ${service} ${victim.slice(0, 12)} after ${at} messages`);
      // What `docker kill` ends stays ended by Docker's rules, so the operator starts it again.
      await site.docker('start', victim);
      at += 250;
    }
  });
});

test('a process that dies by itself is started again by Docker', async (t) => {
  for (const service of DAEMONS) {
    const [id] = await site.ids(service);
    const [{ State, RestartCount }] = await site.inspect(id);
    process.kill(State.Pid, 'SIGKILL');
    const took = await seconds(() => until(`${service} to run again`, async () => {
      const [now] = await site.inspect(id);
      return now.RestartCount === RestartCount + 1 && now.State.Health?.Status === 'healthy';
    }, 30_000));
    t.diagnostic(`${service}: ready again after ${took} s`);
  }
  await site.healthy();
});

test('docker compose stop lets everything finish within the drain deadline, under load', async (t) => {
  await sendThrough(800, async (progress) => {
    await progress(200);
    for (const service of DAEMONS) {
      const ids = await site.ids(service);
      await site.compose('stop', service);
      const stopped = await site.inspect(...ids);
      assert.deepEqual(stopped.map((c) => c.State.ExitCode), ids.map(() => 0), `${service} ended by itself`);
      const took = await Promise.all(ids.map(async (id) => {
        const log = await site.log(id, 100);
        const [told, ended] = [/ts=(\S+) .*at=daemon_drain/, /ts=(\S+) .*at=daemon_stop why=drained/].map((line) => Date.parse(log.match(line)?.[1]));
        assert.ok(ended - told < DRAIN_MS, `${service} was told at ${told} and ended at ${ended}`);
        return ended - told;
      }));
      t.diagnostic(`${service}: drained in ${took.join(', ')} ms`);
      await site.docker('start', ...ids);
    }
  });
});

test('building again gives the same layers; a change in the sender changes the sender\'s last layer only', async (t) => {
  const copy = path.join(WORK, 'copy');
  await exec('cp', ['-r', site.folder, copy]);
  await exec('bash', ['-c', `find '${copy}' -exec touch -h {} + && echo >>'${copy}/README.md'`]);
  await build(copy, 'again');
  for (const target of TARGETS) assert.deepEqual(await layers(`whatsapp-agent/${target}:again`), await layers(`whatsapp-agent/${target}:0.1.0`), target);
  t.diagnostic('another checkout, built again: the same layers in all images');
  const source = path.join(copy, 'services/sender/sender.c');
  await writeFile(source, (await readFile(source, 'utf8')).replace('the right pace', 'a right pace'));
  await build(copy, 'changed');
  for (const target of TARGETS) {
    const [was, is] = [await layers(`whatsapp-agent/${target}:0.1.0`), await layers(`whatsapp-agent/${target}:changed`)];
    const differ = was.filter((layer, i) => layer !== is[i]).length;
    assert.equal(differ, target === 'sender' ? 1 : 0, target);
  }
  t.diagnostic('a change in the sender, all compiled again: one layer of one image differs');
});

test('the version before, its database migrated once however many jobs start', async (t) => {
  await site.compose('down', '--volumes');
  await build(path.join(WORK, 'before'), 'before');
  await appendFile(path.join(site.folder, '.env'), 'VERSION=before\n');
  await site.compose('up', '--detach', '--no-build', 'postgres', 'redis');
  await site.ready('postgres', 1);
  const outs = await Promise.all([1, 2, 3, 4].map(() => site.compose('run', '--rm', '-T', '--no-deps', 'migrate')));
  const applied = outs.join('').split('\n').filter((l) => l.startsWith('applied '));
  assert.ok(applied.length >= 1);
  assert.equal(new Set(applied).size, applied.length, outs.join('---\n'));
  assert.equal((await site.sql('SELECT count(*)::int AS n FROM schema_migrations'))[0].n, applied.length);
  t.diagnostic(`four jobs at once applied ${applied.length} migrations, each once`);
  await site.compose('up', '--detach', '--no-build', '--scale=api=2');
  await site.healthy();
});

test('upgrade from the version before, rolling and under load: nothing lost', async (t) => {
  await endpoint?.close();
  endpoint = undefined;
  const [{ n: before }] = await site.sql('SELECT max(version)::int AS n FROM schema_migrations');
  const settings = path.join(site.folder, '.env');
  await writeFile(settings, (await readFile(settings, 'utf8')).replace(/^VERSION=before\n/m, ''));
  await sendThrough(1500, async (progress) => {
    await progress(200);
    t.diagnostic(`took ${await seconds(async () => t.diagnostic((await site.run('deploy/upgrade')).trim().replaceAll('\n', '; ')))} s`);
  });
  const [{ n: now }] = await site.sql('SELECT max(version)::int AS n FROM schema_migrations');
  t.diagnostic(`schema ${before} before, ${now} now`);
  assert.ok(now > before);
  const images = new Set((await site.inspect(...await site.ids(null))).map((c) => c.Config.Image));
  for (const daemon of DAEMONS) assert.ok(images.has(`whatsapp-agent/${daemon}:0.1.0`), [...images].join());
  assert.ok(![...images].some((i) => i.endsWith(':before')));
  assert.equal((await site.ids('api')).length, 2, 'as many as before');
});

test('backup; everything lost; restore into an empty stack: what was open is sent, and sending goes on', async (t) => {
  const customer = await newCustomer(site);
  const contact = await customer.contact(newPhone());
  const done = await customer.send(contact.id, 'before the backup');
  await customer.reaches(done.message_id, 'read');
  await site.compose('stop', 'gateway');
  const waiting = await customer.send(contact.id, 'open when the backup was made');
  const file = path.join(WORK, 'backup/wa.dump');
  t.diagnostic((await site.run('deploy/backup', file)).trim());
  await assert.rejects(site.run('deploy/backup', file), /is there already/);
  await assert.rejects(site.run('deploy/restore', file), /is there already; docker compose down/);
  await site.compose('down', '--volumes', '--remove-orphans');
  assert.equal((await site.docker('volume', 'ls', '--quiet')).trim(), '');
  site = newer; // the other compose, on the same files
  t.diagnostic(`restored and started by ${(await site.compose('version')).trim()} in ${await seconds(() => site.run('deploy/restore', file))} s`);
  await site.attach();
  await site.healthy();
  customer.stack = site;
  await customer.reaches(waiting.message_id, 'read');
  const later = await customer.send(contact.id, 'after the restore');
  await customer.reaches(later.message_id, 'read');
  const shown = await customer.outbox(contact.phone);
  assert.deepEqual(shown.map((m) => [m.message_body, m.copies]), [['before the backup', 1], ['open when the backup was made', 1], ['after the restore', 1]]);
  assert.equal((await site.sql('SHOW jit'))[0].jit, 'off');
});

test('docker compose 2: scaling and killing as with 1.29', async () => {
  await site.compose('up', '--detach', '--no-recreate', '--scale=sender=2', '--scale=api=2');
  await site.ready('sender', 2);
  endpoint = undefined;
  await sendThrough(400, async (progress) => {
    await progress(100);
    const [victim] = await site.ids('sender');
    await site.docker('kill', victim);
    await progress(300);
  });
});

test('with deploy/tls.yml the proxy speaks TLS, and takes the same calls', async () => {
  await exec('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', `${WORK}/tls.key`, '-out', `${WORK}/tls.crt`]);
  await exec('bash', ['-c', `cat '${WORK}/tls.crt' '${WORK}/tls.key' >'${site.folder}/secrets/tls.pem' && chmod 444 '${site.folder}/secrets/tls.pem'`]);
  site.env.TLS_LISTEN = '127.0.0.1:8443';
  await site.compose('-f', 'docker-compose.yml', '-f', 'deploy/tls.yml', 'up', '--detach', '--no-deps', 'proxy');
  await site.ready('proxy', 1);
  const curl = (url, ...more) => exec('curl', ['--silent', '--show-error', '--fail', '--cacert', `${WORK}/tls.crt`, ...more, url]);
  assert.match((await curl('https://localhost:8443/api/v1/health')).stdout, /"status":"ok"/);
  await assert.rejects(curl('https://localhost:8443/api/v1/health', '--tls-max', '1.1'), /curl: \((35|4)\)/);
});

test('docker compose down takes everything away', async () => {
  await site.compose('down', '--volumes', '--remove-orphans');
  assert.deepEqual(await site.ids(null, true), []);
  assert.doesNotMatch(await site.docker('network', 'ls'), /wa_/);
});

test('Postgres and Redis elsewhere (deploy/stores.yml): a fail-over by Sentinel, under load, loses nothing', async (t) => {
  await site.compose('down', '--volumes', '--remove-orphans');
  endpoint = undefined;
  const secret = (name) => path.join(site.folder, 'secrets', name);
  const password = await readFile(secret('redis_password'), 'utf8');
  await site.docker('network', 'create', 'elsewhere'); // for this machine's address on it, which leads to what listens here
  const here = (await site.docker('network', 'inspect', 'elsewhere', '--format', '{{(index .IPAM.Config 0).Gateway}}')).trim();
  const image = async (name) => (await readFile(path.join(site.folder, 'docker-compose.yml'), 'utf8')).match(new RegExp(`image: (${name}:\\S+)`))[1];
  const start = (name, ...args) => site.docker('run', '--detach', '--name', name, '--network', 'host', ...args);
  const redis = (port, ...args) => site.docker('exec', '-e', `REDISCLI_AUTH=${password}`, 'elsewhere-sentinel', 'redis-cli', '-h', here, '-p', String(port), ...args);
  const sentinel = `port 26379\nsentinel monitor agent ${here} 16379 1\nsentinel auth-pass agent ${password}\nsentinel down-after-milliseconds agent 1000\nsentinel failover-timeout agent 5000\n`;
  try {
    await start('elsewhere-postgres', '--user', 'postgres', '-e', 'PGDATA=/var/lib/postgresql/data/x', '-e', 'POSTGRES_PASSWORD_FILE=/p', '-e', 'POSTGRES_INITDB_ARGS=--auth-host=scram-sha-256',
      '-v', `${secret('postgres_password')}:/p:ro`, await image('postgres'), 'postgres', '-c', 'port=15432', '-c', 'unix_socket_directories=/tmp', '-c', 'max_connections=200', '-c', 'listen_addresses=*');
    const store = ['--user', 'redis', await image('redis'), 'redis-server', '--bind', '0.0.0.0', '--requirepass', password, '--masterauth', password, '--maxmemory-policy', 'noeviction'];
    await start('elsewhere-redis-1', ...store, '--port', '16379', '--replica-announce-ip', here);
    await start('elsewhere-redis-2', ...store, '--port', '16380', '--replica-announce-ip', here, '--replicaof', here, '16379');
    await start('elsewhere-sentinel', '--user', 'redis', await image('redis'), 'bash', '-c', `printf '${sentinel}' >/tmp/s.conf && exec redis-server /tmp/s.conf --sentinel`);
    await until('the replica to be known', async () => /num-slaves\n1\n/.test(await site.docker('exec', 'elsewhere-sentinel', 'redis-cli', '-p', '26379', 'sentinel', 'master', 'agent')));
    Object.assign(site.env, { COMPOSE_FILE: 'docker-compose.yml:deploy/stores.yml', POSTGRES_ADDRESS: `${here}:15432`, REDIS_ADDRESS_1: `${here}:16379`, REDIS_ADDRESS_2: `${here}:16380` });
    await site.compose('up', '--detach', '--no-build');
    await site.healthy();
    await sendThrough(1000, async (progress) => {
      await progress(200);
      await site.docker('kill', 'elsewhere-redis-1');
      const took = await seconds(() => until('the replica to be master', async () => /role:master/.test(await redis(16380, 'info', 'replication'))));
      t.diagnostic(`the master was killed after 200 messages; Sentinel made the replica master ${took} s later`);
    });
    await site.healthy();
    assert.ok(Number(await redis(16380, 'dbsize')) > 0, 'the daemons write to the new master');
  } finally {
    await site.compose('down', '--volumes', '--remove-orphans');
    for (const name of ['COMPOSE_FILE', 'POSTGRES_ADDRESS', 'REDIS_ADDRESS_1', 'REDIS_ADDRESS_2']) delete site.env[name];
    await site.docker('rm', '--force', '--volumes', 'elsewhere-postgres', 'elsewhere-redis-1', 'elsewhere-redis-2', 'elsewhere-sentinel');
    await site.docker('network', 'rm', 'elsewhere');
  }
});
