// Customers: several tenants, each with contacts that they write to from a seeded plan, repeating what failed under its key.
import { newCustomer } from '../integration/support/customer.mjs';
import { until } from '../integration/support/until.mjs';
import { call } from './http.mjs';
import { Random } from './random.mjs';

const TENANTS = 3;
const PERMISSIONS = ['messages:send', 'messages:read', 'contacts:read', 'contacts:create', 'webhooks:manage', 'events:read', 'sessions:manage'];
const EVENTS = ['message_received', 'message_sent', 'message_delivered', 'message_read', 'message_failed'];
// How many contacts share a fate, and the longest pause between two calls for one. What takes long gets little, and nothing more (waits)
// before the last is over: else what is left at the end would only tell how much was asked for.
export const FATES = [
  { last: '5555', contacts: 26, pause_ms: 600 },
  { last: '0002', contacts: 5, pause_ms: 4000, waits: true },
  { last: '0005', contacts: 5, pause_ms: 6000, waits: true },
  { last: '0001', contacts: 2, pause_ms: 1500 },
  { last: '0004', contacts: 2, pause_ms: 1000 },
];
const OPERATIONS = {
  send: 54,
  send_twice: 6, // the same key side by side
  send_again: 5, // the same key once more, later
  other_body: 2, // a key that was used, with another body
  send_keyless: 3,
  burst: 5, // different messages side by side
  once: 4,
  scheduled: 5,
  short_lived: 4,
  cancel: 6,
  inbound: 8,
};

const OPEN = new Set(['scheduled', 'queued', 'sending']);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Workload {
  /** `load` replaces {fates, operations}. */
  constructor(stack, history, endpoint, seed, { fates = FATES, operations = OPERATIONS } = {}) {
    Object.assign(this, { stack, history, endpoint, seed, fates, operations });
    this.customers = [];
    this.contacts = [];
    this.serial = 0;
    this.isOver = false;
    this.giveUpAt = Infinity;
  }

  async prepare() {
    this.hooks = [];
    for (let i = 0; i < TENANTS; i++) {
      const customer = await newCustomer(this.stack, { permissions: PERMISSIONS });
      customer.session = (limits) => this.makeSession(customer, limits);
      this.customers.push(customer);
      await this.addWebhook(i, customer);
    }
    let serial = 0;
    for (const fate of this.fates) {
      for (let i = 0; i < fate.contacts; i++) await this.makeContact(fate, serial++);
    }
  }

  async addWebhook(index, customer) {
    const hook = { index, events: EVENTS, ...await customer.webhook(this.endpoint.url(index), EVENTS) };
    this.hooks.push(hook);
    this.history.add('webhook', { index, tenant: customer.tenantId, secret: hook.secret, events: EVENTS });
    return hook;
  }

  /** A session of the customer's own, with limits of its own, connected. */
  async makeSession(customer, limits) {
    const made = await customer.post('/sessions', { engine: 'sandbox', ...limits });
    if (made.status !== 201) throw new Error(`POST /sessions: ${made.status} ${JSON.stringify(made.data)}`);
    await until('the session to be connected', async () => (await customer.get(`/sessions/${made.data.session_id}`)).data.state === 'connected');
  }

  async makeContact(fate, serial) {
    const customer = this.customers[serial % TENANTS];
    const phone = `+4930${String(this.seed % 1000).padStart(3, '0')}${String(serial).padStart(3, '0')}${fate.last}`;
    const contact = await customer.contact(phone);
    this.contacts.push({ id: contact.id, phone, fate, customer, serial });
    this.history.add('contact', { tenant: customer.tenantId, contact: contact.id, phone, fate: fate.last });
  }

  /** Until stop(), and until what was begun by then is answered, or was asked for in vain for so long. */
  async run() {
    this.pullers = this.customers.map((customer) => this.pull(customer));
    await Promise.all(this.contacts.map((contact) => this.talk(contact)));
  }

  stop(patience_ms) {
    this.isOver = true;
    this.giveUpAt = Date.now() + patience_ms;
  }

  /** Nothing more is asked for; run() ends with the calls that are under way. */
  abandon() {
    this.isOver = this.isPullingOver = this.isPulled = true;
    this.giveUpAt = 0;
  }

  async talk(contact) {
    const random = Random.named(this.seed, `contact ${contact.serial}`);
    await sleep(random.whole(0, contact.fate.pause_ms));
    while (!this.isOver) {
      await this[`op_${random.weighted(this.operations)}`](contact, random);
      if (contact.fate.waits) await this.waitFinal(contact);
      await sleep(random.whole(0, contact.fate.pause_ms));
    }
  }

  /** Until nothing of the contact is open, or the run is over. */
  async waitFinal(contact) {
    while (!this.isOver && contact.last) {
      const answer = await this.get(contact.customer, `/api/v1/messages/${contact.last}`).catch(() => null);
      if (answer?.status === 200 && !OPEN.has(answer.data.status)) contact.last = null;
      else await sleep(300);
    }
  }

  /** One call, repeated until there is an answer that is no «try again». Every try goes into the history. */
  async ask(customer, kind, path, body, { key, tries = Infinity, ...facts } = {}) {
    const op = `${kind}-${++this.serial}`;
    for (let attempt = 1; ; attempt++) {
      const answer = await this.tryOnce(customer, path, body, key);
      this.history.add('req', { op, kind, tenant: customer.tenantId, key, attempt, ...facts, ...answer });
      if (isDefinite(answer) || attempt >= tries || Date.now() > this.giveUpAt) return answer;
      await sleep(Math.min(50 * attempt, 500));
    }
  }

  async tryOnce(customer, path, body, key) {
    const begin = Date.now();
    const headers = { 'X-API-Key': customer.apiKey, ...(key ? { 'Idempotency-Key': key } : {}) };
    try {
      const answer = await call('POST', `${this.stack.url}/api/v1${path}`, { headers, body });
      return { begin, status: answer.status, data: answer.data, retry_after: answer.headers['retry-after'] };
    } catch (error) {
      return { begin, status: 0, error: error.code ?? error.message };
    }
  }

  async send(contact, kind, extra = {}, { key = `k-${this.seed}-${++this.serial}`, body = this.newBody(), tries } = {}) {
    const answer = await this.ask(contact.customer, kind, '/messages/send', { contact_id: contact.id, message_body: body, ...extra },
      { key: key ?? undefined, tries, contact: contact.id, body });
    if (answer.status === 202) contact.last = answer.data.message_id;
    return answer;
  }

  newBody() {
    return `text ${this.seed}.${++this.serial}`;
  }

  async op_send(contact) {
    await this.send(contact, 'send');
  }

  async op_send_twice(contact) {
    const same = { key: `k-${this.seed}-${++this.serial}`, body: this.newBody() };
    await Promise.all([this.send(contact, 'send', {}, same), this.send(contact, 'send', {}, same)]);
  }

  async op_send_again(contact, random) {
    const same = { key: `k-${this.seed}-${++this.serial}`, body: this.newBody() };
    await this.send(contact, 'send', {}, same);
    await sleep(random.whole(0, 3000));
    await this.send(contact, 'again', {}, same);
  }

  async op_other_body(contact) {
    const key = `k-${this.seed}-${++this.serial}`;
    const answer = await this.send(contact, 'send', {}, { key });
    if (answer.status === 202) await this.send(contact, 'other_body', {}, { key });
  }

  async op_send_keyless(contact) {
    await this.send(contact, 'keyless', {}, { key: null, tries: 1 });
  }

  async op_burst(contact) {
    await Promise.all([1, 2, 3].map(() => this.send(contact, 'send')));
  }

  async op_once(contact) {
    const body = this.newBody();
    const once = { external_ref: `ref-${this.seed}-${++this.serial}`, once: true };
    await Promise.all([1, 2].map(() => this.send(contact, 'once', once, { body })));
  }

  async op_scheduled(contact, random) {
    const send_at = new Date(Date.now() + random.whole(1000, 5000)).toISOString();
    const answer = await this.send(contact, 'scheduled', { send_at });
    if (random.chance(0.3) && answer.status === 202) await this.cancel(contact, answer.data.message_id);
  }

  async op_short_lived(contact, random) {
    await this.send(contact, 'short_lived', { valid_until: new Date(Date.now() + random.whole(500, 4000)).toISOString() });
  }

  async op_cancel(contact) {
    const answers = await Promise.all([1, 2].map(() => this.send(contact, 'cancellable')));
    const last = answers.at(-1);
    if (last.status === 202) await this.cancel(contact, last.data.message_id);
  }

  async cancel(contact, message_id) {
    await this.ask(contact.customer, 'cancel', `/messages/${message_id}/cancel`, {}, { contact: contact.id, message: message_id });
  }

  async op_inbound(contact) {
    const body = this.newBody();
    await this.ask(contact.customer, 'inbound', '/sandbox/inbound', { from: contact.phone, body },
      { key: `k-${this.seed}-${++this.serial}`, contact: contact.id, body });
  }

  /** Read GET /events to its end again and again, as a customer without an endpoint. Ends with stopPulling(). */
  async pull(customer) {
    let next = '/api/v1/events?limit=100';
    while (!this.isPulled) {
      const page = await this.get(customer, next).catch(() => null);
      if (page?.status !== 200) {
        await sleep(200);
        continue;
      }
      for (const event of page.data) this.history.add('pulled', { tenant: customer.tenantId, id: event.id });
      const more = linkOf(page);
      if (more) next = more;
      if (page.data.length < 100) {
        if (this.isPullingOver) break;
        await sleep(300);
      }
    }
  }

  async stopPulling() {
    this.isPullingOver = true;
    const timer = setTimeout(() => { this.isPulled = true; }, 20_000);
    await Promise.all(this.pullers);
    clearTimeout(timer);
  }

  get(customer, path) {
    return call('GET', new URL(path, this.stack.url).toString(), { headers: { 'X-API-Key': customer.apiKey } });
  }

  /** What the api says about every message in the end. */
  async readMessages() {
    for (const customer of this.customers) {
      let next = '/api/v1/messages?limit=100';
      while (next) {
        const page = await this.get(customer, next);
        if (page.status !== 200) throw new Error(`GET ${next}: ${page.status} ${JSON.stringify(page.data)}`);
        for (const message of page.data) this.history.add('message', { tenant: customer.tenantId, message });
        next = linkOf(page);
      }
    }
  }
}

function isDefinite({ status, data }) {
  if (status === 0 || status === 408 || status === 429 || status >= 500) return false;
  return !(status === 409 && data?.type?.endsWith('#idempotency_in_flight'));
}

function linkOf(page) {
  const link = page.headers.link?.match(/<([^>]*)>; *rel="?next"?/);
  return link ? link[1] : null;
}
