// /openapi.json is complete and true: every operation is called, every answer fits what it says.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { newCustomer, newPhone, operator } from './support/customer.mjs';
import { startEndpoint } from './support/endpoint.mjs';
import { sharedStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

const ALL = ['messages:send', 'messages:read', 'contacts:read', 'contacts:create', 'webhooks:manage', 'sessions:manage', 'events:read'];

let stack;
let spec;
let ajv;
let customer;
let endpoint;
const called = new Set();

before(async () => {
  stack = await sharedStack();
  spec = await (await fetch(`${stack.url}/openapi.json`)).json();
  ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema(spec, 'api');
  customer = await newCustomer(stack, { permissions: ALL });
  endpoint = await startEndpoint();
});
after(async () => {
  await endpoint?.close();
  await stack?.release();
});

const pointer = (...parts) => 'api#/' + parts.map((p) => encodeURIComponent(String(p).replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');

/** Follow a $ref of the document once. */
function resolve(node) {
  if (!node?.$ref) return node;
  return node.$ref.slice(2).split('/').reduce((at, part) => at[part.replaceAll('~1', '/').replaceAll('~0', '~')], spec);
}

function locateBody(path, method, status) {
  const operation = spec.paths[path][method];
  const raw = operation.responses[status] ?? operation.responses.default;
  assert.ok(raw, `${method} ${path}: answer ${status} is not documented`);
  const base = operation.responses[status] ? pointer('paths', path, method, 'responses', status) : pointer('paths', path, method, 'responses', 'default');
  return { response: resolve(raw), base: raw.$ref ? `api${raw.$ref}` : base };
}

/** Call an operation and hold its answer against the document. */
async function call(client, method, path, { params = {}, query, body, headers, expect }) {
  const operation = spec.paths[path]?.[method];
  assert.ok(operation, `${method} ${path} is not in the document`);
  called.add(`${method} ${path}`);
  const url = path.replace(/^\/api\/v1/, '').replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(params[name]));
  const answer = await client.request({
    method, url, params: query, data: body, headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
  });
  assert.equal(answer.status, expect, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.data)}`);
  const { response, base } = locateBody(path, method, String(answer.status));
  const type = (answer.headers['content-type'] ?? '').split(';')[0];
  if (response.content && type) {
    assert.ok(response.content[type], `${method} ${path} ${answer.status}: ${type} is not documented`);
    if (/json/.test(type)) {
      const validate = ajv.getSchema(`${base}/content/${encodeURIComponent(type.replace('/', '~1'))}/schema`);
      assert.ok(validate, `${method} ${path} ${answer.status} has no schema`);
      assert.ok(validate(answer.data), `${method} ${path} ${answer.status}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(answer.data).slice(0, 400)}`);
    }
  }
  if (body !== undefined && expect < 300) {
    const requestSchema = operation.requestBody?.content?.['application/json']?.schema ?? resolve(operation.requestBody)?.content?.['application/json']?.schema;
    assert.ok(requestSchema, `${method} ${path} documents no body`);
  }
  return answer;
}

const v1 = (path) => `/api/v1${path}`;
const asCustomer = (method, path, options) => call(customer.http, method, v1(path), options);
const asOperator = (method, path, options) => call(operator(stack), method, v1(path), options);

test('it is an OpenAPI 3.1 document', () => {
  assert.match(spec.openapi, /^3\.1\./);
  assert.ok(spec.info.title && spec.info.version);
  const ids = Object.values(spec.paths).flatMap((p) => Object.values(p)).map((o) => o.operationId).filter(Boolean);
  assert.equal(new Set(ids).size, ids.length, 'operation ids are unique');
});

test('tenants and keys', async () => {
  const made = await asOperator('post', '/tenants', { body: { name: 'O', description: 'd' }, expect: 201 });
  const params = { tenant_id: made.data.tenant_id, id: made.data.tenant_id };
  await asOperator('get', '/tenants', { query: { limit: 5 }, expect: 200 });
  await asOperator('get', path('/tenants/{}', 'get'), { params, expect: 200 });
  await asOperator('patch', path('/tenants/{}', 'patch'), { params, body: { description: 'e' }, expect: 200 });
  const keys = path('/tenants/{}/api-keys', 'post');
  const key = await asOperator('post', keys, { params, body: { name: 'k', permissions: ALL }, expect: 201 });
  await asOperator('post', keys, { params, body: { name: 'k', permissions: ['fly'] }, expect: 422 });
  await asOperator('get', keys, { params, expect: 200 });
  const keyParams = { ...params, key_id: key.data.key_id };
  const rotated = await asOperator('post', path('/tenants/{}/api-keys/{}/rotate', 'post'), { params: keyParams, body: { overlap_s: 60 }, expect: 201 });
  for (const k of [key, rotated]) {
    const answer = await fetch(`${stack.url}/api/v1/contacts`, { headers: { 'X-API-Key': k.data.api_key } });
    assert.equal(answer.status, 200, 'both keys work during the overlap');
  }
  await asOperator('delete', path('/tenants/{}/api-keys/{}', 'delete'), { params: keyParams, expect: 204 });
});

/** The document's own spelling of a path, whatever its parameters are called. */
function path(pattern, method) {
  const shape = v1(pattern).replace(/\{[^}]*\}/g, '{}');
  const found = Object.keys(spec.paths).find((p) => p.replace(/\{[^}]*\}/g, '{}') === shape && spec.paths[p][method]);
  assert.ok(found, `${method} ${pattern} is not in the document`);
  return found.replace(/^\/api\/v1/, '');
}

/** The parameters of that path, by place. */
function fill(pattern, ...values) {
  const names = [...pattern.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
  return Object.fromEntries(names.map((name, i) => [name, values[i]]));
}

async function one(method, pattern, ids, options) {
  const spelled = path(pattern, method);
  return asCustomer(method, spelled, { params: fill(spelled, ...ids), ...options });
}

test('contacts, messages, conversations', async () => {
  const made = await asCustomer('post', '/contacts', { body: { first_name: 'A', phone_numbers: [{ number: newPhone() }] }, expect: 201 });
  const id = made.data.id;
  const phone = made.data.phone_numbers[0].number;
  await asCustomer('post', '/contacts', { body: { phone_numbers: [{ number: phone }] }, expect: 200 });
  await asCustomer('post', '/contacts', { body: { nonsense: 1 }, expect: 422 });
  await asCustomer('get', '/contacts', { query: { phone }, expect: 200 });
  await one('get', '/contacts/{}', [id], { expect: 200 });
  await one('get', '/contacts/{}', [2000000000], { expect: 404 });
  await one('patch', '/contacts/{}', [id], { body: { last_name: 'B' }, expect: 200 });
  const sent = await asCustomer('post', '/messages/send', { body: { contact_id: id, message_body: 'x', external_ref: 'r' }, expect: 202 });
  await asCustomer('post', '/messages/send', { body: { contact_id: id }, expect: 422 });
  await asCustomer('post', '/messages/send', { body: { contact_id: id, message_body: 'x', external_ref: 'r', once: true }, expect: 200 });
  await one('get', '/messages/{}', [sent.data.message_id], { expect: 200 });
  await asCustomer('get', '/messages', { query: { external_ref: 'r' }, expect: 200 });
  const planned = await asCustomer('post', '/messages/send', {
    body: { contact_id: id, message_body: 'y', send_at: new Date(Date.now() + 60_000).toISOString() }, expect: 202,
  });
  await one('post', '/messages/{}/cancel', [planned.data.message_id], { body: {}, expect: 200 });
  await one('post', '/messages/{}/cancel', [planned.data.message_id], { body: {}, expect: 409 });
  await customer.reaches(sent.data.message_id, 'read');
  await one('get', '/conversations/{}/messages', [id], { expect: 200 });
  await asCustomer('get', '/sandbox/outbox', { query: { phone }, expect: 200 });
  await asCustomer('post', '/sandbox/inbound', { body: { from: phone, body: 'hi' }, expect: 202 });
  await one('delete', '/contacts/{}', [id], { expect: 204 });
});

test('webhooks and events', async () => {
  const hook = await asCustomer('post', '/webhooks/register', { body: { url: endpoint.url, events: ['message_read'], active: true }, expect: 201 });
  const id = hook.data.webhook_id;
  await asCustomer('get', '/webhooks', { expect: 200 });
  await one('get', '/webhooks/{}', [id], { expect: 200 });
  await one('patch', '/webhooks/{}', [id], { body: { events: ['message_read', 'message_failed'] }, expect: 200 });
  await one('post', '/webhooks/{}/test', [id], { body: {}, expect: 202 });
  await endpoint.event('test');
  await until('the delivery in the log', async () => (await customer.get(`/webhooks/${id}/deliveries`)).data.length > 0);
  await one('get', '/webhooks/{}/deliveries', [id], { expect: 200 });
  await one('post', '/webhooks/{}/rotate-secret', [id], { body: { overlap_s: 60 }, expect: 201 });
  await one('post', '/webhooks/{}/replay', [id], { body: { status: 'delivered' }, expect: 202 });
  await one('post', '/webhooks/{}/replay', [id], { body: {}, expect: 422 });
  await asCustomer('get', '/events', { expect: 200 });
  await one('delete', '/webhooks/{}', [id], { expect: 204 });
});

test('sessions', async () => {
  const made = await asCustomer('post', '/sessions', { body: { engine: 'sandbox', name: 's' }, expect: 201 });
  const id = made.data.session_id;
  await asCustomer('get', '/sessions', { expect: 200 });
  await until('it to connect', async () => (await customer.get(`/sessions/${id}`)).data.state === 'connected');
  await one('get', '/sessions/{}', [id], { expect: 200 });
  await one('get', '/sessions/{}/qr', [id], { expect: 409 });
  await one('post', '/sessions/{}/pairing-code', [id], { body: { phone_number: '+4915112345678' }, expect: 409 });
  await one('delete', '/sessions/{}', [id], { expect: 204 });
});

test('media, set-aside, health', async () => {
  await one('get', '/media/{}', ['0'.repeat(64)], { expect: 404 });
  await one('get', '/media/{}', ['0'.repeat(64)], { query: { tenant: 1, expires: 1, signature: '0'.repeat(64) }, expect: 403 });
  await asOperator('get', '/set-aside', { expect: 200 });
  const spelled = path('/set-aside/{}/retry', 'post');
  await asOperator('post', spelled, { params: fill(spelled, 'sa_00000000000000000000000000'), body: {}, expect: 404 });
  await asCustomer('get', '/health', { expect: 200 });
});

test('no operation of the document was left out', () => {
  const all = Object.entries(spec.paths).flatMap(([p, item]) => Object.keys(item)
    .filter((m) => ['get', 'post', 'put', 'patch', 'delete'].includes(m)).map((m) => `${m} ${p}`));
  const rest = all.filter((operation) => !called.has(operation) && !/\/(openapi\.json|docs)/.test(operation));
  assert.deepEqual(rest, []);
});

test('/docs shows it without any outside host', async () => {
  const answer = await fetch(`${stack.url}/docs`);
  const html = await answer.text();
  assert.match(answer.headers.get('content-security-policy') ?? '', /default-src/);
  const hosts = [...html.matchAll(/(?:src|href)=["']?(https?:)?\/\/([^"'\s>]+)/g)];
  assert.deepEqual(hosts, []);
});
