// One trial: a stack behind proxies, load, faults, quiet, judgement.
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Stack, freePort } from '../integration/support/stack.mjs';
import { check } from './checker.mjs';
import { FaultyEndpoint } from './endpoint.mjs';
import { History } from './history.mjs';
import { closeConnections } from './http.mjs';
import { Injector } from './inject.mjs';
import { Net } from './net.mjs';
import { Random } from './random.mjs';
import { holdOf } from './schedule.mjs';
import { Steps } from './steps.mjs';
import { Watch } from './watch.mjs';
import { Workload } from './workload.mjs';

const ENDPOINTS = 3;
const SETTLE_MS = 90_000;
const KINDS = ['api', 'sender', 'gateway', 'webhooker'];
const SETTINGS = {
  WA_ACK_TIMEOUT: '1s',
  WA_SEND_RETRY_SCHEDULE: '300ms,500ms,1s,1s,2s,2s,2s,2s,2s,2s,2s,2s',
  WA_WEBHOOK_RETRY_SCHEDULE: '300ms,500ms,1s,1s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s,2s',
  WA_WEBHOOK_TIMEOUT: '2s',
};
const MOST_COPIES = 13; // attempts that the schedule allows

/**
 * `plan` tells what is special: {name, count: {sender: 1, …}, settings, meta, load: options of the workload, wiring: lines, prepare(trial) before
 * the stack starts, ready(trial) before there is load, play(trial) injects the faults, cleanUp(trial)}. Gives {found, history, file}.
 */
export class Trial {
  constructor(plan, seed, options) {
    Object.assign(this, { plan, seed, options });
    this.label = plan.name ? `${plan.name} ${seed}` : `seed ${seed}`;
    this.file = path.join(options.out, `history-${plan.name ? `${plan.name}-` : ''}${seed}.jsonl`);
    this.random = Random.named(seed, `trial ${plan.name ?? ''}`);
    this.count = { api: 2, sender: 2, gateway: 2, webhooker: 2, ...plan.count };
    this.instances = KINDS.flatMap((kind) => Array.from({ length: this.count[kind] }, (_, i) => `${kind}-${i + 1}`));
  }

  async run() {
    const { plan, seed } = this;
    const hold_s = plan.hold_s ?? holdOf(seed);
    this.history = new History(this.file);
    this.history.add('meta', { seed, plan: plan.name, hold_ms: hold_s * 1000, most_copies: MOST_COPIES, ...plan.meta });
    this.endpoint = new FaultyEndpoint(this.history, seed, plan.endpoints ?? ENDPOINTS);
    await this.endpoint.start();
    try {
      await this.startStack(hold_s);
      await this.storm();
      this.found = check(this.history.entries);
    } finally {
      await this.end();
    }
    return this;
  }

  async startStack(hold_s) {
    const { plan } = this;
    this.data = await mkdtemp(path.join(os.tmpdir(), 'wa-faults-'));
    this.steps = await Steps.make();
    this.net = new Net(this.data, this.instances, this.seed);
    await this.net.start(this.endpoint);
    await plan.prepare?.(this);
    const wiring = await this.net.writeWiring(plan.wiring?.(this));
    const args = KINDS.flatMap((kind) => [`--${kind}s`, String(this.count[kind])]);
    const settings = { WA_TEST_OWNER: String(process.pid), ...this.steps.settings, ...this.options.build, ...SETTINGS, WA_WEBHOOK_HOLD: `${hold_s}s`, ...plan.settings };
    this.stack = new Stack(this.data, await freePort(), settings, [...args, '--wiring', wiring]);
    await this.stack.up();
  }

  async storm() {
    const { plan, stack, history, endpoint } = this;
    this.workload = new Workload(stack, history, endpoint, this.seed, plan.load ?? {});
    await this.workload.prepare();
    await plan.ready?.(this);
    this.watch = new Watch(stack, history);
    this.watch.start();
    this.injector = new Injector(stack, history, endpoint, this);
    this.talking = this.workload.run();
    this.talking.catch(() => {}); // seen where it is waited for
    await plan.play(this);
    const calm = history.add('calm', {}).t;
    this.workload.stop(30_000);
    await this.talking;
    await this.watch.waitSettled(calm, SETTLE_MS);
    await this.workload.stopPulling();
    await this.workload.readMessages();
    await this.watch.recordLedger();
    await this.watch.recordDurability();
    await this.watch.recordProcesses();
  }

  /** What talks to the stack and looks at it ends with it, also when the trial could not be played to its end. */
  async fallSilent() {
    this.workload?.abandon();
    await this.talking?.catch(() => {});
    await this.watch?.stop();
  }

  async end() {
    await this.fallSilent();
    closeConnections();
    await this.plan.cleanUp?.(this);
    const hasFailed = !this.found || this.found.length > 0;
    await this.stack?.down().catch((error) => console.log(`  ${error.message}`));
    await this.net?.stop();
    await this.steps?.remove();
    await this.endpoint.stop();
    await this.history.close();
    if (!hasFailed && !this.options.keepAll) await rm(this.file);
    if (hasFailed && this.options.keep) console.log(`  kept: ${this.data}`);
    else if (this.data) await rm(this.data, { recursive: true, force: true });
  }
}
