// A small stack and a few contacts, for a scenario that is played step by step.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import pg from '../../integration/node_modules/pg/lib/index.js';
import { newCustomer, operator } from '../../integration/support/customer.mjs';
import { postgresPids } from '../host.mjs';
import { Workload } from '../workload.mjs';

const PERMISSIONS = ['messages:send', 'messages:read', 'contacts:read', 'contacts:create', 'webhooks:manage', 'events:read',
  'sessions:manage'];
const EVENTS = ['message_received', 'message_sent', 'message_delivered', 'message_read', 'message_failed'];

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Stage extends Workload {
  constructor(stack, history, endpoint, steps, watch) {
    super(stack, history, endpoint, 1);
    Object.assign(this, { steps, watch });
  }

  /** One tenant with an endpoint. `session`: its own session, with these settings. */
  async prepare({ session } = {}) {
    const customer = await newCustomer(this.stack, { permissions: PERMISSIONS });
    const hook = await customer.webhook(this.endpoint.url(0), EVENTS);
    this.history.add('webhook', { index: 0, tenant: customer.tenantId, secret: hook.secret, events: EVENTS });
    this.customers.push(customer);
    this.customer = customer;
    if (session) {
      const made = await customer.post('/sessions', { name: 'own', ...session });
      if (made.status !== 201) throw new Error(`POST /sessions: ${made.status} ${JSON.stringify(made.data)}`);
      await this.until('the session to be connected', async () => (await customer.get(`/sessions/${made.data.session_id}`)).data.state === 'connected');
    }
    await this.until('the leases to be shared out', () => this.watch.areLeasesShared());
    this.pullers = [this.pull(customer)];
  }

  async contact(fate = '5555') {
    const serial = this.contacts.length;
    const phone = `+49301${String(serial).padStart(5, '0')}${fate}`;
    const made = await this.customer.contact(phone);
    const contact = { id: made.id, phone, fate: { last: fate }, customer: this.customer, serial };
    this.contacts.push(contact);
    this.history.add('contact', { tenant: this.customer.tenantId, contact: made.id, phone, fate });
    return contact;
  }

  async many(count, fate) {
    const contacts = [];
    for (let i = 0; i < count; i++) contacts.push(await this.contact(fate));
    return contacts;
  }

  /** Wait for a condition; throws when it does not come: then the scenario has not been played. */
  async until(what, condition, timeout_ms = 20_000) {
    const end = Date.now() + timeout_ms;
    while (!(await condition())) {
      if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
      await sleep(20);
    }
  }

  async status(answer) {
    return (await this.customer.get(`/messages/${answer.data.message_id}`)).data?.status;
  }

  async reaches(answer, ...statuses) {
    await this.until(`${answer.data.message_id} to be ${statuses}`, async () => statuses.includes(await this.status(answer)));
  }

  fault(kind, fields) {
    this.history.add('fault', { kind, begin: Date.now(), end: Date.now(), ...fields });
  }

  /** Who reaches the step is hit. Gives a function that waits for it, and that throws when nobody is. */
  async arm(who, step, options = {}) {
    const arm = await this.steps.arm(who, step, options);
    const begin = Date.now();
    return async () => {
      const pids = await this.steps.wait(arm, options);
      if (!pids) throw new Error(`nobody reached ${step}`);
      this.fault('kill_at_step', { target: who, step, pids, begin });
      return pids;
    };
  }

  /** Whoever reaches the step is killed, again and again. The function in the answer ends it (or leaves it so), and tells how many were. */
  async armAlways(who, step, subject) {
    const arm = await this.steps.arm(who, step, { often: 'always', subject });
    const begin = Date.now();
    return async (ends) => {
      const pids = ends ? await this.steps.disarm(arm) : await this.steps.victims(arm);
      this.fault('kill_at_step', { target: who, step, pids, begin });
      return pids.length;
    };
  }

  /** What the condition gives, once it gives something; null when it does not in time. `work` is done over and over meanwhile. */
  async untilMeanwhile(condition, timeout_ms, work) {
    const end = Date.now() + timeout_ms;
    for (;;) {
      const found = await condition();
      if (found) return found;
      if (Date.now() > end) return null;
      await work();
      await sleep(200);
    }
  }

  async setAside(kind) {
    return (await this.watch.query('SELECT id FROM set_aside WHERE kind = $1', [kind]))[0] ?? null;
  }

  async putBack(id) {
    const answer = await operator(this.stack).post(`/set-aside/${id}/retry`);
    if (answer.status !== 202) throw new Error(`POST /set-aside/${id}/retry: ${answer.status} ${JSON.stringify(answer.data)}`);
  }

  async kill(name) {
    const pid = await this.stack.pid(name);
    this.fault('kill', { target: name, pids: [pid] });
    process.kill(pid, 'SIGKILL');
    return pid;
  }

  async killAll(kind) {
    for (const n of [1, 2]) await this.kill(`${kind}-${n}`);
  }

  /** Who holds the lease of this kind now. */
  async owners(kind) {
    const rows = await this.watch.query('SELECT id, owner, epoch::int FROM leases WHERE kind = $1 AND owner IS NOT NULL', [kind]);
    return rows;
  }

  /** A process that was stopped sleeps until every lease of the kind is somebody else's, and goes on then. */
  async oversleep(pid, kind, ids) {
    const before = new Map((await this.owners(kind)).map((row) => [row.id, row.epoch]));
    const wanted = ids ?? [...before.keys()];
    const begin = Date.now();
    await this.until('the leases to be taken over', async () => {
      const now = new Map((await this.owners(kind)).map((row) => [row.id, row.epoch]));
      return wanted.every((id) => now.has(id) && now.get(id) > before.get(id));
    });
    this.fault('pause', { target: kind, pids: [pid], begin });
  }

  resume(pid) {
    process.kill(pid, 'SIGCONT');
  }

  async pauseAll(kind) {
    this.paused = await Promise.all([1, 2].map((n) => this.stack.pid(`${kind}-${n}`)));
    for (const pid of this.paused) process.kill(pid, 'SIGSTOP');
    this.fault('pause', { target: kind, pids: this.paused });
  }

  resumeAll() {
    for (const pid of this.paused) process.kill(pid, 'SIGCONT');
  }

  async partition(answer) {
    return (await this.watch.query('SELECT partition::int FROM messages WHERE id = $1', [answer.data.message_id]))[0].partition;
  }

  async isShown(answer) {
    return (await this.watch.query('SELECT FROM sandbox.ledger WHERE message_id = $1', [answer.data.message_id])).length > 0;
  }

  async isInboundGone() {
    return (await this.watch.query('SELECT FROM sandbox.inbound')).length === 0;
  }

  async dispatched() {
    const sessions = await this.watch.query('SELECT id FROM sessions');
    const lengths = await Promise.all(sessions.map(({ id }) => this.stack.redis('XLEN', `dispatch.${id}`)));
    return lengths.reduce((sum, n) => sum + Number(n), 0);
  }

  async superuser() {
    const url = new URL(this.stack.WA_DATABASE_URL);
    url.username = 'postgres';
    url.password = (await readFile(path.join(this.stack.data, 'secrets/postgres'), 'utf8')).trim();
    const client = new pg.Client({ connectionString: url.toString() });
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  /** Heartbeats wait until the function in the answer is called. */
  async lockLeases() {
    const client = await this.superuser();
    await client.query('BEGIN');
    await client.query('LOCK TABLE leases IN ACCESS EXCLUSIVE MODE');
    return async () => {
      await client.query('COMMIT');
      await client.end();
    };
  }

  /** Nothing is written to messages until the function in the answer is called: it cuts off whoever waits, before it unlocks. */
  async lockMessages() {
    const client = await this.superuser();
    await client.query('BEGIN');
    await client.query('LOCK TABLE messages IN SHARE MODE');
    return async () => {
      await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gateway' AND wait_event_type = 'Lock'`);
      await client.query('COMMIT');
      await client.end();
    };
  }

  async isLockWaitedFor() {
    return (await this.watch.query(`SELECT FROM pg_locks WHERE NOT granted AND relation = 'messages'::regclass`)).length > 0;
  }

  /** Postgres stands still until `never()`, which kills all of it. */
  async stopPostgres() {
    const begin = Date.now();
    const pids = await postgresPids(this.stack);
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    return {
      never: async () => {
        for (const pid of pids) process.kill(pid, 'SIGKILL');
        this.fault('postgres_kill', { pids: pids.slice(0, 1), begin });
      },
    };
  }

  sleep(ms) {
    return sleep(ms);
  }
}
