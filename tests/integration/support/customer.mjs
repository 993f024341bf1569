// A finance company: a tenant, a key, and calls as its backend makes them.
import axios from 'axios';
import { until } from './until.mjs';

let serial = 0;

/** A phone number that no test used before, with the last four digits given (they decide its fate in the sandbox). */
export function newPhone(lastFour = '5555') {
  serial += 1;
  return `+49${String(process.pid % 1000).padStart(3, '0')}${String(serial).padStart(4, '0')}${lastFour}`;
}

export function operator(stack) {
  return axios.create({
    baseURL: `${stack.url}/api/v1`,
    headers: { Authorization: `Bearer ${stack.WA_ADMIN_TOKEN}` },
    validateStatus: () => true,
  });
}

/** Make a tenant and a key and give a client for it. */
export async function newCustomer(stack, { permissions, strict, tenant = {} } = {}) {
  const ops = operator(stack);
  serial += 1;
  const made = await ops.post('/tenants', { name: `Finance ${serial}`, ...tenant });
  if (made.status !== 201) throw new Error(`POST /tenants: ${made.status} ${JSON.stringify(made.data)}`);
  const key = await ops.post(`/tenants/${made.data.tenant_id}/api-keys`, {
    name: 'tests',
    permissions: permissions ?? ['messages:send', 'contacts:read', 'contacts:create'],
    ...(strict === undefined ? {} : { strict }),
  });
  if (key.status !== 201) throw new Error(`POST api-keys: ${key.status} ${JSON.stringify(key.data)}`);
  return new Customer(stack, made.data.tenant_id, key.data);
}

export class Customer {
  constructor(stack, tenantId, key) {
    this.stack = stack;
    this.tenantId = tenantId;
    this.keyId = key.key_id;
    this.apiKey = key.api_key;
    this.http = axios.create({
      baseURL: `${stack.url}/api/v1`,
      headers: { 'X-API-Key': key.api_key },
      validateStatus: () => true,
    });
  }

  async get(path, options) {
    return this.http.get(path, options);
  }

  async post(path, body, headers = {}) {
    return this.http.post(path, body, { headers: { 'Content-Type': 'application/json', ...headers } });
  }

  async contact(phone = newPhone()) {
    const answer = await this.post('/contacts', { first_name: 'Erika', phone_numbers: [{ number: phone }] });
    if (answer.status !== 201 && answer.status !== 200) throw new Error(`contact: ${answer.status} ${JSON.stringify(answer.data)}`);
    return { ...answer.data, phone };
  }

  /** Send a text (or what `extra` makes of it); the answer's data. Throws unless it was accepted. */
  async send(contactId, body, extra = {}, headers = {}) {
    const answer = await this.post('/messages/send', { contact_id: contactId, message_body: body, ...extra }, headers);
    if (answer.status !== 202) throw new Error(`send: ${answer.status} ${JSON.stringify(answer.data)}`);
    return answer.data;
  }

  async message(id) {
    return (await this.get(`/messages/${id}`)).data;
  }

  async reaches(id, status, timeoutMs = 30_000) {
    return until(`message ${id} to be ${status}`, async () => {
      const message = await this.message(id);
      if (message.status !== status) throw new Error(`${message.status} ${message.error ?? ''}`);
      return message;
    }, timeoutMs);
  }

  async outbox(phone) {
    const answer = await this.get('/sandbox/outbox', { params: { phone } });
    if (answer.status !== 200) throw new Error(`outbox: ${answer.status} ${JSON.stringify(answer.data)}`);
    return answer.data;
  }

  async inbound(from, body, extra = {}) {
    return this.post('/sandbox/inbound', { from, body, ...extra });
  }

  async webhook(url, events, extra = {}) {
    const answer = await this.post('/webhooks/register', { url, events, active: true, ...extra });
    if (answer.status !== 201) throw new Error(`register: ${answer.status} ${JSON.stringify(answer.data)}`);
    return answer.data;
  }
}
