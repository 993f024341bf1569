// Messages both ways on a real session, against the WhatsApp double, while gateways, workers, Postgres and Redis are killed by seed.
// Judged by what the phones show, by the api and by what an endpoint heard. The last line is «N passed, N failed».
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { startEndpoint } from '../integration/support/endpoint.mjs';
import { assertQuietLogs } from '../integration/support/logs.mjs';
import { until } from '../integration/support/until.mjs';
import { newPhoneOn, newSession, pair, startWhatsApp } from '../integration/support/whatsapp.mjs';
import { Chat, gatewayOf, ownerOf, workerOf } from '../integration/support/whatsapp_traffic.mjs';
import { Random } from './random.mjs';

const HELP = `tests/faults/run --scenario whatsapp [options]
  --messages N   so many each way (default 2000)
  --contacts N   of so many phones (default 20)
  --seed N       who is killed when, and who writes when (default 1)
  --gap MS,MS    the least and the longest pause between two kills (default 3000,9000)
  --rate N       so many messages a second each way (default 10)
  --keep         leave the stack's folder (logs, database), stopped, when something failed`;

const VICTIMS = ['gateway', 'worker', 'postgres', 'redis'];
const SETTLE_MS = 180_000;
const RECOVERY_MS = 60_000; // whatever else dies meanwhile
const EVENTS = ['message_received', 'message_sent', 'message_delivered', 'message_failed', 'session_connected', 'session_disconnected'];

function optionsOf(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      messages: { type: 'string', default: '2000' },
      contacts: { type: 'string', default: '20' },
      seed: { type: 'string', default: '1' },
      gap: { type: 'string', default: '3000,9000' },
      rate: { type: 'string', default: '10' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const numbers = Object.fromEntries(['messages', 'contacts', 'seed', 'rate'].map((name) => [name, Number(values[name])]));
  const gap = values.gap.split(',').map(Number);
  if (![...Object.values(numbers), ...gap].every((n) => n > 0) || gap.length !== 2) throw new Error('an option wants a number');
  return { ...values, ...numbers, gap };
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Storm {
  constructor(options) {
    this.options = options;
    this.kills = Object.fromEntries(VICTIMS.map((victim) => [victim, 0]));
    this.recoveries = []; // promises of the ms until the session was connected again, after a kill that cut it
  }

  async prepare() {
    this.stack = await startWhatsApp({ args: ['--gateways', '2'] });
    this.endpoint = await startEndpoint();
    this.session = await newSession(this.stack);
    await this.session.customer.webhook(this.endpoint.url, EVENTS);
    this.ours = await newPhoneOn(this.stack, { name: 'Finance' });
    await pair(this.session, this.ours);
    this.chats = [];
    for (let i = 0; i < this.options.contacts; i++) this.chats.push(await Chat.begin(this.stack, this.session, this.ours));
  }

  async end() {
    await this.endpoint?.close();
    if (!this.stack) return;
    if (this.options.keep && this.failed) {
      await this.stack.down();
      console.log(`kept: ${this.stack.data}`);
    } else {
      await this.stack.stop();
    }
  }

  /** Traffic and kills, until the last message was given to its side. */
  async play() {
    const began = Date.now();
    this.isOver = false;
    const kills = this.#killOneByOne();
    const { messages, contacts } = this.options;
    const share = (i) => Math.floor(messages / contacts) + (i < messages % contacts ? 1 : 0);
    const talks = this.chats.flatMap((chat, i) => [
      this.#talk(`out ${i}`, share(i), () => chat.send()),
      this.#talk(`in ${i}`, share(i), () => chat.write()),
    ]);
    await Promise.all(talks).finally(() => {
      this.isOver = true;
    });
    await kills;
    this.playedMs = Date.now() - began;
  }

  async #talk(name, n, say) {
    const random = Random.named(this.options.seed, name);
    const mean = (1000 * this.options.contacts) / this.options.rate;
    for (let i = 0; i < n; i++) {
      await sleep(random.whole(0, 2 * mean));
      await say();
    }
  }

  // Rounds of all four in an order of chance. The first one is played to its end, however short the run is.
  async #killOneByOne() {
    const random = Random.named(this.options.seed, 'kills');
    let round = [];
    for (let n = 0; n < VICTIMS.length || !this.isOver; n++) {
      if (round.length === 0) round = [...VICTIMS];
      const [victim] = round.splice(random.whole(0, round.length - 1), 1);
      await this.#kill(victim);
      await sleep(random.whole(...this.options.gap));
    }
  }

  // The gateway and the worker are those that have the session. What dies within another's recovery is a part of the test.
  async #kill(victim) {
    const { stack, session } = this;
    const find = {
      gateway: async () => stack.pid(gatewayOf(await ownerOf(stack, session))),
      worker: async () => workerOf(stack, gatewayOf(await ownerOf(stack, session))),
      postgres: () => stack.pid('postgres-1'),
      redis: () => stack.pid('redis-1'),
    }[victim];
    await until(`a ${victim} to kill`, async () => process.kill(await find(), 'SIGKILL'), 60_000);
    this.kills[victim] += 1;
    if (victim === 'gateway' || victim === 'worker') this.recoveries.push(this.#recovery(new Date()));
  }

  async #recovery(killedAt) {
    const { stack, session } = this;
    const found = await until('the session to be connected again', async () => {
      const rows = await stack.sql("SELECT since FROM sessions WHERE id = $1 AND state = 'connected' AND since > $2", [session.id, killedAt]);
      return rows[0];
    }, RECOVERY_MS).catch(() => null);
    return found ? found.since - killedAt : Infinity;
  }

  async settle() {
    const began = Date.now();
    this.outages = (await Promise.all(this.recoveries)).sort((a, b) => a - b);
    for (const chat of this.chats) {
      await chat.arrived(SETTLE_MS);
      await chat.settled(SETTLE_MS);
    }
    this.settledMs = Date.now() - began;
    const told = () => new Set(this.endpoint.events('message_delivered').map((e) => e.data.message_id)).size;
    const heard = () => new Set(this.endpoint.events('message_received').map((e) => e.data.message_id)).size;
    const { messages } = this.options;
    await until('the endpoint to hear of all', () => told() >= messages && heard() >= messages, SETTLE_MS);
  }

  /** Each is a name and what throws when it does not hold. */
  checks() {
    return [
      ['each shows once and in order, on the phone and in the api', async () => {
        const inboxes = await Promise.all(this.chats.map((chat) => chat.judge()));
        this.copies = inboxes.flat().filter((m) => m.copies > 1).length;
      }],
      ['the endpoint heard of each once and in order', async () => {
        const events = this.endpoint.events();
        for (const chat of this.chats) chat.judgeEvents(events);
      }],
      ['each of the four was killed', async () => {
        for (const victim of VICTIMS) assert.ok(this.kills[victim] > 0, `${victim} was never killed`);
      }],
      ['the session came back every time', async () => assert.ok(this.outages.at(-1) < Infinity, `not within ${RECOVERY_MS} ms`)],
      ['no body, no key and no number is in a log', async () => {
        await assertQuietLogs(this.stack, [...this.chats.map(({ phone }) => phone.number), this.ours.number, 'invoice no', 'answer no']);
      }],
    ];
  }

  report() {
    const { messages, contacts, seed } = this.options;
    const kills = VICTIMS.map((victim) => `${this.kills[victim]} ${victim}`).join(', ');
    const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
    console.log(`seed ${seed}: ${messages} messages each way with ${contacts} phones in ${seconds(this.playedMs)}; killed: ${kills}`);
    console.log(`  connected again after a gateway's or worker's death: median ${seconds(this.outages[this.outages.length >> 1])}, worst ${seconds(this.outages.at(-1))}`);
    console.log(`  all settled ${seconds(this.settledMs)} after the last message; ${this.copies} came to a phone more than once (and showed once)`);
  }
}

async function main() {
  const options = optionsOf(process.argv.slice(2));
  if (options.help) return console.log(HELP);
  const storm = new Storm(options);
  let passed = 0;
  let failed = 0;
  try {
    await storm.prepare();
    await storm.play();
    await storm.settle();
    for (const [what, check] of storm.checks()) {
      try {
        await check();
        passed++;
      } catch (error) {
        console.log(`FAILED ${what}: ${error.message}`);
        failed++;
      }
    }
    storm.report();
  } catch (error) {
    console.log(error.stack);
    failed++;
  }
  storm.failed = failed > 0;
  await storm.end();
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
