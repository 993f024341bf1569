// A scenario about addresses that must not be called: endpoints, media and what they point to, with a witness of every connection.
import http from 'node:http';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { newCustomer } from '../integration/support/customer.mjs';
import { until } from '../integration/support/until.mjs';
import { buildShim } from './host.mjs';

const ALLOWED = '127.0.0.1'; // and nothing else on this machine or near it
const WATCHED = ['webhooker', 'gateway'];

// Literals, in the forms that resolvers take them. Each is refused where it is given.
const LITERALS = [
  '127.0.0.2', '127.2', '0x7f.2', '0x7f000002', '2130706434', '0177.0.0.2', '017700000002', '127.0.0.2.', '0', '0.0.0.0', 'localhost', 'localhost.',
  'api.localhost', '10.0.0.1', '172.16.0.1', '192.168.1.1', '100.64.0.1', '169.254.169.254', '0xa9fea9fe', '2852039166', '0251.0376.0251.0376',
  '192.0.0.192', '198.18.0.1', '224.0.0.1', '255.255.255.255', '[::1]', '[::]', '[::ffff:127.0.0.2]', '[::ffff:a9fe:a9fe]', '[::127.0.0.2]', '[::ffff:0:127.0.0.2]',
  '[64:ff9b::a9fe:a9fe]', '[64:ff9b:1::1]', '[2002:7f00:2::1]', '[2001:0:7f00:2::1]', '[fe80::1]', '[fd00:ec2::254]', '[fec0::1]', '[ff02::1]',
  `user@${ALLOWED}`, `${ALLOWED}@127.0.0.2`,
];
// Names are good until they are resolved. What a name stands for may be another each time: the groups go around.
const NAMES = {
  'loopback.test': '127.0.0.2', 'private.test': '10.0.0.1', 'metadata.test': '169.254.169.254', 'six.test': '::1', 'mapped.test': '::ffff:127.0.0.2',
  'nat64.test': '64:ff9b::127.0.0.2', 'link.test': 'fe80::1', 'unique.test': 'fd00:ec2::254', 'nobody.test': '0.0.0.0', 'shared.test': '100.64.0.1',
  'several.test': '10.0.0.1,169.254.169.254,::1', 'mixed.test': `127.0.0.2,${ALLOWED},169.254.169.254`, 'rebound.test': `${ALLOWED} 127.0.0.2 169.254.169.254`,
};
const SAFE = new Set(['mixed.test', 'rebound.test']); // that have an address which may be called

/** Points wherever it is asked to by its query; takes everything else. Where it must not be reached it says so in `calls`. */
class Signpost {
  constructor() {
    this.calls = 0;
  }

  async start(host, port = 0) {
    this.server = http.createServer((req, res) => {
      this.calls++;
      const to = new URL(req.url, 'http://x').searchParams.get('to');
      req.resume();
      if (to) res.writeHead(302, { Location: to }).end();
      else res.writeHead(200, { 'Content-Type': 'image/png' }).end('PNG');
    });
    await new Promise((resolve, reject) => this.server.once('error', reject).listen(port, host, resolve));
    this.port = this.server.address().port;
    return this;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

async function refuseLiterals({ history }, customer, contact, port) {
  for (const host of LITERALS) {
    for (const scheme of ['https', 'http']) {
      const url = `${scheme}://${host}:${port}/`;
      const register = await customer.post('/webhooks/register', { url, events: ['message_sent'], active: true });
      const media = await customer.post('/messages/send', { contact_id: contact.id, message_type: 'image', media_url: url });
      for (const { status } of [register, media]) history.add('guarded', { url, how: 'refused at the door', held: status === 422, saw: status });
    }
  }
}

/** Its deliveries have been tried, and what they say. */
async function lastError(customer, url, webhook_id) {
  return until(`${url} to be tried`, async () => (await customer.get(`/webhooks/${webhook_id}/deliveries`)).data.find((d) => d.error)?.error, 20_000);
}

async function judgeWebhooks({ history }, customer, hooks) {
  for (const { url, webhook_id, isSafe } of hooks) {
    const error = await lastError(customer, url, webhook_id);
    if (!isSafe) history.add('guarded', { url, how: 'not called', held: error.startsWith('guard:'), saw: error });
    const { data } = await customer.get(`/webhooks/${webhook_id}`);
    if (!isSafe) history.add('guarded', { url, how: 'not held against the endpoint', held: !data.failing_since && !data.disabled_at, saw: data.failing_since });
  }
}

async function judgeMedia({ history }, customer, contact, urls) {
  const sent = [];
  for (const url of urls) sent.push({ url, message: await customer.send(contact.id, undefined, { message_type: 'image', media_url: url, message_body: undefined }) });
  for (const { url, message } of sent) {
    const { error } = await customer.reaches(message.message_id, 'failed', 20_000);
    history.add('guarded', { url, how: 'media not fetched', held: /guard|may be called/.test(error), saw: error });
  }
}

/** What the witness saw: the addresses that the daemons connected to, and how often. */
async function recordWitness({ history, witness }) {
  const seen = new Map();
  for (const line of (await readFile(witness.log, 'utf8')).trim().split('\n')) {
    const [what, address] = line.split(' ');
    seen.set(`${what} ${address}`, (seen.get(`${what} ${address}`) ?? 0) + 1);
  }
  for (const [key, times] of seen) history.add('witness', { what: key.split(' ')[0], address: key.split(' ')[1], allowed: [ALLOWED], times });
}

export const GUARD_SCENARIOS = {
  forbidden_endpoint: {
    about: 'endpoints and media at addresses that must not be called: in odd forms, behind names, names that change, redirects, a proxy in the environment',
    settings: { WA_MODE: 'production', WA_OUTBOUND_ALLOW_CIDRS: `${ALLOWED}/32` },
    async prepare(trial) {
      trial.forbidden = await new Signpost().start('127.0.0.2');
      trial.here = await new Signpost().start(ALLOWED);
      trial.witness = { library: await buildShim(trial.data, 'net_witness'), log: path.join(trial.data, 'witness.log'), hosts: path.join(trial.data, 'witness.hosts') };
      await writeFile(trial.witness.log, '');
      await writeFile(trial.witness.hosts, Object.entries(NAMES).map(([name, groups]) => `${name} ${groups}\n`).join(''));
    },
    wiring: ({ instances, witness, forbidden }) => instances.filter((name) => WATCHED.includes(name.split('-')[0])).flatMap((name) => [
      `LD_PRELOAD=${witness.library}`, `NET_WITNESS_LOG=${witness.log}`, `NET_WITNESS_HOSTS=${witness.hosts}`,
      ...['http_proxy', 'https_proxy', 'ALL_PROXY'].map((variable) => `${variable}=http://127.0.0.2:${forbidden.port}`),
    ].map((line) => `${name} env ${line}`)),
    async play(trial) {
      const { stack, injector, forbidden, here } = trial;
      const customer = await newCustomer(stack, { permissions: ['messages:send', 'messages:read', 'contacts:create', 'webhooks:manage'] });
      const contact = await customer.contact('+493099915555');
      await refuseLiterals(trial, customer, contact, forbidden.port);
      const to = encodeURIComponent(`http://127.0.0.2:${forbidden.port}/`);
      const hooks = [];
      for (const name of Object.keys(NAMES)) hooks.push({ url: `https://${name}:${forbidden.port}/`, isSafe: SAFE.has(name) });
      for (const hook of hooks) hook.webhook_id = (await customer.webhook(hook.url, ['message_failed'])).webhook_id;
      const pointing = await customer.webhook(`http://${ALLOWED}:${here.port}/?to=${to}`, ['message_failed']);
      // Each message that fails is an event for all of them.
      await judgeMedia(trial, customer, contact, [`https://loopback.test:${forbidden.port}/`, 'https://metadata.test/',
        `http://${ALLOWED}:${here.port}/?to=${to}`, `http://${ALLOWED}:${here.port}/?to=${encodeURIComponent(`https://mapped.test:${forbidden.port}/`)}`]);
      await judgeWebhooks(trial, customer, hooks);
      const error = await lastError(customer, 'the redirect', pointing.webhook_id);
      trial.history.add('guarded', { url: 'redirect', how: 'not followed', held: error === 'answered 302', saw: error });
      for (let n = 0; n < 6; n++) { // a new process resolves anew
        await injector.fault({ kind: 'kill', target: `webhooker-${1 + (n % 2)}` });
        await new Promise((resolve) => setTimeout(resolve, 1500));
      }
      trial.history.add('guarded', { url: 'all', how: 'nobody came', held: forbidden.calls === 0 && here.calls > 0, saw: `${forbidden.calls}, ${here.calls} at the other` });
      for (const { webhook_id } of [...hooks, pointing]) await customer.http.delete(`/webhooks/${webhook_id}`);
      await recordWitness(trial);
    },
    async cleanUp({ forbidden, here }) {
      await forbidden?.stop();
      await here?.stop();
    },
  },
};
