// Steady, seeded load: everything that customers and operators call, from messages by the dozen to sessions that come and go.
// Every answer is compared with what that call may be answered; what was not expected is kept.
import net from 'node:net';
import { call } from '../faults/http.mjs';
import { Random } from '../faults/random.mjs';
import { newCustomer, operator } from '../integration/support/customer.mjs';

const PERMISSIONS = ['messages:send', 'messages:read', 'contacts:read', 'contacts:create', 'webhooks:manage', 'events:read', 'sessions:manage'];
const EVENTS = ['message_received', 'message_sent', 'message_delivered', 'message_read', 'message_failed'];
const TENANTS = 4; // tenant 0 has only a good endpoint, 1 to 3 have a bad one beside it
const FATES = ['5555', '5556', '5557', '5558', '5559', '5560', '0001', '0002', '0003', '0004', '0005']; // a contact each and tenant
const MOST_FAULTS = 50;

// What a contact is done to, by weight.
const TALK = { text: 40, keyed: 12, again: 6, once: 4, scheduled: 6, short_lived: 3, cancel: 6, inbound: 12, inbound_media: 2, media: 4, by_number: 5 };
// Beside that, each in a loop of its own: what, and the mean pause between two of them.
const CHORES = { lists: 1_500, mistakes: 2_000, keys: 12_000, session: 10_000, webhook: 12_000, replay: 15_000, person: 6_000, half_a_request: 4_000, tenant: 30_000, enable: 10_000 };

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export class Load {
  /** `rate`: calls for contacts a second, about. */
  constructor(stack, endpoint, seed, rate) {
    Object.assign(this, { stack, endpoint, seed, rate });
    this.counts = {};
    this.faults = [];
    this.nFaults = 0;
    this.serial = 0;
    this.isOver = false;
  }

  async prepare() {
    this.operator = { 'Authorization': `Bearer ${this.stack.WA_ADMIN_TOKEN}` };
    this.customers = [];
    this.contacts = [];
    for (let i = 0; i < TENANTS; i++) {
      const customer = await newCustomer(this.stack, { permissions: PERMISSIONS });
      customer.headers = { 'X-API-Key': customer.apiKey };
      customer.hooks = [await customer.webhook(this.endpoint.url(0), EVENTS)];
      if (i > 0) customer.hooks.push(await customer.webhook(this.endpoint.url(i), EVENTS));
      this.customers.push(customer);
      for (const [n, last] of FATES.entries()) {
        this.contacts.push({ customer, ...(await customer.contact(`+4930${this.seed % 1000}${i}${String(n).padStart(2, '0')}${last}`)) });
      }
    }
  }

  /** Until stop(). */
  async run() {
    const pause_ms = (1000 * this.contacts.length) / this.rate;
    const loops = this.contacts.map((contact, i) => this.loop(`contact ${i}`, pause_ms, (random) => this[`talk_${random.weighted(TALK)}`](contact, random)));
    for (const [chore, chore_ms] of Object.entries(CHORES)) loops.push(this.loop(chore, chore_ms, (random) => this[`chore_${chore}`](random.pick(this.customers), random)));
    await Promise.all(loops);
  }

  stop() {
    this.isOver = true;
  }

  async loop(name, mean_ms, step) {
    const random = Random.named(this.seed, name);
    await sleep(random.next() * mean_ms);
    while (!this.isOver) {
      const begin = Date.now();
      await step(random).catch((error) => this.fault(name, error.stack));
      const pause = 2 * random.next() * mean_ms - (Date.now() - begin);
      if (pause > 0 && !this.isOver) await sleep(Math.min(pause, 60_000));
    }
  }

  fault(what, how) {
    this.nFaults++;
    if (this.faults.length < MOST_FAULTS) this.faults.push(`${what}: ${how}`);
  }

  /** One call whose status has to be one of `expected`. */
  async ask(name, expected, method, path, { headers, body } = {}) {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    try {
      const answer = await call(method, `${this.stack.url}${path.startsWith('/openapi') ? '' : '/api/v1'}${path}`, { headers, body, timeout_ms: 15_000 });
      if (!expected.includes(answer.status)) this.fault(name, `${method} ${path} ${answer.status} ${JSON.stringify(answer.data)?.slice(0, 300)}`);
      return answer;
    } catch (error) {
      this.fault(name, `${method} ${path} ${error.message}`);
      return { status: 0, data: {}, headers: {} };
    }
  }

  send(name, contact, extra = {}, { key, expected = [202] } = {}) {
    const body = { contact_id: contact.id, message_body: this.text(), ...extra };
    const headers = { ...contact.customer.headers, ...(key ? { 'Idempotency-Key': key } : {}) };
    return this.ask(name, expected, 'POST', '/messages/send', { headers, body });
  }

  text() {
    return `soak ${this.seed}.${++this.serial} ${'äöü '.repeat(this.serial % 40)}`;
  }

  newKey() {
    return `soak-${this.seed}-${++this.serial}`;
  }

  // --- what contacts see ---

  async talk_text(contact, random) {
    await this.send('send', contact, random.chance(0.3) ? { external_ref: this.newKey(), metadata: { loan: this.serial, note: 'x'.repeat(random.whole(0, 200)) } } : {});
  }

  async talk_keyed(contact) {
    await this.send('send keyed', contact, {}, { key: this.newKey() });
  }

  async talk_again(contact) {
    const key = this.newKey();
    const message_body = this.text();
    await Promise.all([1, 2, 3].map(() => this.send('send repeated', contact, { message_body }, { key, expected: [202, 409] })));
    await this.send('send repeated', contact, { message_body: 'something else' }, { key, expected: [422] });
  }

  async talk_once(contact) {
    const once = { external_ref: this.newKey(), once: true };
    await Promise.all([1, 2].map(() => this.send('send once', contact, once, { expected: [202, 200] })));
  }

  async talk_scheduled(contact, random) {
    const answer = await this.send('send scheduled', contact, { send_at: new Date(Date.now() + random.whole(1000, 20_000)).toISOString() });
    if (random.chance(0.4)) await this.cancel(contact, answer.data.message_id, [200]);
  }

  async talk_short_lived(contact, random) {
    await this.send('send short-lived', contact, { valid_until: new Date(Date.now() + random.whole(500, 4000)).toISOString() });
  }

  async talk_cancel(contact) {
    const answers = await Promise.all([1, 2].map(() => this.send('send', contact)));
    await this.cancel(contact, answers[1].data.message_id, [200, 409]);
  }

  cancel(contact, id, expected) {
    return this.ask('cancel', expected, 'POST', `/messages/${id}/cancel`, { headers: contact.customer.headers, body: {} });
  }

  async talk_media(contact, random) {
    const media_url = random.chance(0.8) ? `${this.endpoint.base}/media.png` : 'http://127.0.0.1:9/nobody.png';
    await this.send('send media', contact, { message_type: 'image', message_body: undefined, media_url, caption: 'a picture' });
  }

  async talk_by_number(contact) {
    await this.send('send by number', contact, { contact_id: undefined, phone_number: contact.phone });
  }

  inbound(contact, extra) {
    return this.ask('inbound', [200, 201, 202], 'POST', '/sandbox/inbound', { headers: { ...contact.customer.headers, 'Idempotency-Key': this.newKey() }, body: { from: contact.phone, ...extra } });
  }

  async talk_inbound(contact) {
    await this.inbound(contact, { body: this.text() });
  }

  async talk_inbound_media(contact) {
    await this.inbound(contact, { media_url: `${this.endpoint.base}/media.png` });
  }

  // --- chores ---

  async chore_lists(customer, random) {
    const contact = random.pick(this.contacts.filter((c) => c.customer === customer));
    const path = random.pick([
      '/messages?limit=20', '/messages?status=failed', `/messages?contact_id=${contact.id}`, `/conversations/${contact.id}/messages`, '/contacts',
      `/contacts?phone=${encodeURIComponent(contact.phone)}`, '/events?limit=50', '/webhooks', `/webhooks/${customer.hooks.at(-1).webhook_id}/deliveries`,
      '/sessions', `/sandbox/outbox?phone=${encodeURIComponent(contact.phone)}`, '/health', '/openapi.json',
    ]);
    const first = await this.ask('list', [200], 'GET', path, { headers: customer.headers });
    const next = first.headers.link?.match(/<([^>]*)>; *rel="?next"?/)?.[1];
    if (next) await this.ask('list', [200], 'GET', new URL(next, this.stack.url).toString().replace(/^.*\/api\/v1/, ''), { headers: customer.headers });
  }

  async chore_mistakes(customer, random) {
    const [expected, method, path, headers, body] = random.pick([
      [[401], 'GET', '/messages', { 'X-API-Key': `sk_test_${'a'.repeat(40)}` }],
      [[404], 'GET', '/messages/msg_0000000000000000', customer.headers],
      [[404], 'GET', '/nowhere', customer.headers],
      [[422], 'POST', '/messages/send', customer.headers, { contact_id: 'x', mesage_body: 1 }],
      [[404], 'POST', '/messages/send', customer.headers, { contact_id: 2147483647, message_body: 'nobody' }],
      [[422], 'GET', '/messages?limit=1000&cursor=nonsense', customer.headers],
      [[403], 'GET', '/tenants', customer.headers],
      [[422], 'POST', '/webhooks/register', customer.headers, { url: 'ftp://nowhere', events: ['none'] }],
    ]);
    await this.ask('mistake', expected.concat(expected[0] === 404 ? [422] : [], expected[0] === 403 ? [401] : []), method, path, { headers, body });
  }

  async chore_keys(customer) {
    const keys = `/tenants/${customer.tenantId}/api-keys`;
    const made = await this.ask('make key', [201], 'POST', keys, { headers: this.operator, body: { name: 'soak', permissions: ['messages:read'] } });
    const turned = await this.ask('rotate key', [200, 201], 'POST', `${keys}/${made.data.key_id}/rotate`, { headers: this.operator, body: { overlap_s: 1 } });
    for (const { data } of [made, turned]) await this.ask('list', [200], 'GET', '/messages?limit=1', { headers: { 'X-API-Key': data.api_key } });
    for (const { data } of [made, turned]) await this.ask('revoke key', [200, 204, 404], 'DELETE', `${keys}/${data.key_id}`, { headers: this.operator });
  }

  async chore_session(customer) {
    const { headers } = customer;
    const made = await this.ask('make session', [201], 'POST', '/sessions', { headers, body: { engine: 'sandbox', name: 'soak' } });
    const contact = this.contacts.find((c) => c.customer === customer);
    const sent = await this.send('send', contact, { session_id: made.data.session_id });
    for (let i = 0; i < 40 && !this.isOver; i++) {
      const now = await this.ask('get message', [200], 'GET', `/messages/${sent.data.message_id}`, { headers });
      if (now.data.status === 'read') break;
      await sleep(250);
    }
    await this.ask('get session', [200], 'GET', `/sessions/${made.data.session_id}`, { headers });
    await this.ask('delete session', [200, 202, 204], 'DELETE', `/sessions/${made.data.session_id}`, { headers });
  }

  async chore_webhook(customer) {
    const { headers } = customer;
    const made = await this.ask('register webhook', [201], 'POST', '/webhooks/register', { headers, body: { url: this.endpoint.url(0), events: EVENTS, active: true } });
    const hook = `/webhooks/${made.data.webhook_id}`;
    await this.ask('test webhook', [200, 202], 'POST', `${hook}/test`, { headers, body: {} });
    await this.ask('rotate secret', [200, 201], 'POST', `${hook}/rotate-secret`, { headers, body: {} });
    await sleep(3000);
    await this.ask('change webhook', [200], 'PATCH', hook, { headers, body: { active: false } });
    await this.ask('delete webhook', [200, 204], 'DELETE', hook, { headers });
  }

  async chore_replay(customer) {
    const since = new Date(Date.now() - 20_000).toISOString();
    await this.ask('replay', [200, 202], 'POST', `/webhooks/${customer.hooks[0].webhook_id}/replay`, { headers: customer.headers, body: { from: since, events: ['message_read'] } });
  }

  /** Somebody new, who is written to, writes back and is erased. */
  async chore_person(customer) {
    const phone = `+4931${String(this.seed % 1000)}${String(++this.serial % 1e7).padStart(7, '0')}`;
    const made = await this.ask('make contact', [201], 'POST', '/contacts', { headers: customer.headers, body: { first_name: 'Somebody', phone_numbers: [{ number: phone }] } });
    await this.send('send', { id: made.data.id, customer });
    await this.inbound({ phone, customer }, { body: this.text() });
    await sleep(3000);
    await this.ask('erase contact', [200, 202, 204], 'DELETE', `/contacts/${made.data.id}`, { headers: customer.headers });
  }

  async chore_half_a_request() {
    const socket = net.connect(Number(new URL(this.stack.url).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write('POST /api/v1/messages/send HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"contact_id": 1, ');
    await sleep(500);
    socket.destroy();
  }

  async chore_tenant() {
    const answer = await operator(this.stack).post('/tenants', { name: `soak ${++this.serial}` });
    if (answer.status !== 201) this.fault('tenant', answer.status);
    await this.ask('change tenant', [200], 'PATCH', `/tenants/${answer.data.tenant_id}`, { headers: this.operator, body: { description: 'changed' } });
  }

  /** An endpoint that answered 410 was disabled; its owner enables it again. */
  async chore_enable(customer) {
    const hook = `/webhooks/${customer.hooks.at(-1).webhook_id}`;
    const { data } = await this.ask('get webhook', [200], 'GET', hook, { headers: customer.headers });
    if (data.active === false) await this.ask('enable webhook', [200], 'PATCH', hook, { headers: customer.headers, body: { active: true } });
  }
}
