// Real sessions against the WhatsApp double: a stack that has one, its phones, and pairing as a person does it.
import axios from 'axios';
import { newCustomer, newPhone } from './customer.mjs';
import { startStack } from './stack.mjs';
import { until } from './until.mjs';

export const PERMISSIONS = ['messages:send', 'contacts:read', 'contacts:create', 'sessions:manage', 'events:read'];

/** A stack with `./run up --whatsapp-double`; `phones` is the double's admin API. */
export async function startWhatsApp({ env = {}, args = [] } = {}) {
  const stack = await startStack({
    args: ['--whatsapp-double', ...args],
    env: {
      WA_SESSION_RATE_PER_MIN: '0',
      WA_RECIPIENT_INTERVAL: '0s',
      WA_ACK_TIMEOUT: '5s',
      WA_SEND_RETRY_SCHEDULE: '500ms,1s,2s,2s,5s,5s,5s,5s,5s,5s',
      ...env,
    },
  });
  stack.phones = phonesAt(stack.WHATSAPP_ADMIN_URL);
  return stack;
}

/** The double's admin API. */
export function phonesAt(url) {
  return axios.create({ baseURL: url, validateStatus: () => true });
}

export class Phone {
  constructor(stack, number) {
    this.stack = stack;
    this.number = number; // without +
  }

  async call(method, path, data) {
    const answer = await this.stack.phones.request({ method, url: `/phones/${this.number}${path}`, data });
    if (answer.status >= 300) throw new Error(`double ${method} ${path}: ${answer.status} ${JSON.stringify(answer.data)}`);
    return answer.data;
  }

  /** Write to another phone's account: `{text}` or what tests/whatsapp/README.md lists. */
  async write(to, message) {
    return this.call('POST', '/write', { to: to.number, ...message });
  }

  async inbox() {
    return this.call('GET', '/inbox');
  }

  async shows(what, match, timeoutMs = 30_000) {
    return until(`phone to show ${what}`, async () => (await this.inbox()).find(match), timeoutMs);
  }
}

export async function newPhoneOn(stack, settings = {}) {
  const number = newPhone().slice(1);
  const made = await stack.phones.post('/phones', { number, name: 'Erika', ...settings });
  if (made.status !== 200) throw new Error(`double: ${made.status} ${JSON.stringify(made.data)}`);
  return new Phone(stack, number);
}

/** A session of engine baileys, not yet paired, of a new customer or of that one. */
export async function newSession(stack, owner) {
  const customer = owner ?? (await newCustomer(stack, { permissions: PERMISSIONS }));
  const made = await customer.post('/sessions', { engine: 'baileys', name: 'our number' });
  if (made.status !== 201) throw new Error(`POST /sessions: ${made.status} ${JSON.stringify(made.data)}`);
  return { customer, id: made.data.session_id };
}

export async function sessionIs(session, state, timeoutMs = 30_000) {
  return until(`session to be ${state}`, async () => {
    const { data } = await session.customer.get(`/sessions/${session.id}`);
    if (data.state !== state) throw new Error(`${data.state}: ${data.reason}`);
    return data;
  }, timeoutMs);
}

export async function qrOf(session, accept = 'text/plain') {
  return session.customer.get(`/sessions/${session.id}/qr`, { headers: { Accept: accept }, responseType: 'arraybuffer' });
}

/** Pair it with a phone that scans its QR code. */
export async function pair(session, phone) {
  const code = await until('a code to scan', async () => {
    const answer = await qrOf(session);
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.data}`);
    return answer.data.toString();
  });
  await phone.call('POST', '/scan', { qr: code });
  return sessionIs(session, 'connected');
}

export async function conversation(customer, contactId) {
  const all = [];
  let path = `/conversations/${contactId}/messages?limit=100`;
  while (path) {
    const { data, headers } = await customer.get(path);
    all.unshift(...data);
    path = headers.link?.match(/<[^>]*\/api\/v1([^>]*)>/)?.[1];
  }
  return all;
}
