// Whatever comes in: a clear 4xx that names the field or a closed connection, and other clients unaffected.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { newCustomer, newPhone } from './support/customer.mjs';
import { sharedStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

let stack;
let customer;
let contact;

before(async () => {
  stack = await sharedStack();
  customer = await newCustomer(stack);
  contact = await customer.contact();
});
after(() => stack?.release());

function isProblem(answer, status, field) {
  assert.equal(answer.status, status, JSON.stringify(answer.data));
  assert.match(answer.headers['content-type'], /^application\/problem\+json/);
  for (const member of ['type', 'title', 'status', 'detail', 'request_id']) {
    assert.ok(answer.data[member] !== undefined, `problem lacks ${member}`);
  }
  assert.equal(answer.data.status, status);
  assert.equal(answer.headers['x-request-id'], answer.data.request_id);
  if (field) {
    const fields = (answer.data.errors ?? []).map((e) => e.field);
    assert.ok(fields.includes(field), `errors name ${fields}, not ${field}`);
    assert.ok(answer.data.errors.every((e) => typeof e.message === 'string' && e.message.length > 0));
  }
}

/** Post raw bytes as JSON. */
async function raw(body, path = '/messages/send', headers = {}) {
  return customer.http.post(path, body, {
    headers: { 'Content-Type': 'application/json', ...headers },
    transformRequest: [(data) => data],
    maxBodyLength: Infinity,
  });
}

test('malformed JSON is 400', async () => {
  for (const body of ['{', '{"a":}', '[1,2', 'nul', '', '{"contact_id": 1} trailing', '{"a":1,"a":2}']) {
    isProblem(await raw(body), 400);
  }
});

test('a body that is no object is refused', async () => {
  for (const body of ['[]', '"text"', '17', 'null', 'true']) {
    const answer = await raw(body);
    assert.ok([400, 422].includes(answer.status), `${body}: ${answer.status}`);
  }
});

test('a filter without a value is refused: it would find everybody', async () => {
  for (const [path, name] of [['/contacts', 'phone'], ['/messages', 'external_ref'], ['/messages', 'contact_id'], ['/messages', 'status'], ['/sandbox/outbox', 'phone']]) {
    isProblem(await customer.get(path, { params: { [name]: '' } }), 422, name);
  }
  assert.equal((await customer.get('/messages', { params: { cursor: '', limit: '' } })).status, 200);
});

test('texts of errors are sentences for the caller', async () => {
  const nobody = await customer.post('/messages/send', { message_body: 'x' });
  assert.equal(nobody.data.detail, 'contact_id is required, or phone_number');
  const nul = await raw('{"contact_id":1,"message_body":"a\\u0000b"}');
  isProblem(nul, 400);
  assert.doesNotMatch(nul.data.detail, /JSON_/);
});

test('wrong types name the field', async () => {
  const good = { contact_id: contact.id, message_body: 'x' };
  const wrong = [
    ['contact_id', { ...good, contact_id: {} }],
    ['contact_id', { ...good, contact_id: 1.5 }],
    ['contact_id', { ...good, contact_id: 'abc' }],
    ['message_body', { ...good, message_body: 17 }],
    ['message_type', { ...good, message_type: 'carrier pigeon' }],
    ['message_type', { ...good, message_type: [] }],
    ['external_ref', { ...good, external_ref: 5 }],
    ['once', { ...good, external_ref: 'r', once: 'yes' }],
    ['send_at', { ...good, send_at: 'tomorrow' }],
    ['valid_until', { ...good, valid_until: '2020-01-01T00:00:00Z' }],
    ['metadata', { ...good, metadata: 'text' }],
    ['session_id', { ...good, session_id: 'x' }],
    ['session_id', { ...good, session_id: 99999 }],
    ['media_url', { contact_id: contact.id, message_type: 'image' }],
    ['media_url', { contact_id: contact.id, message_type: 'image', media_url: 'ftp://x/y.png' }],
    ['media_url', { contact_id: contact.id, message_type: 'image', media_url: 'not a url' }],
    ['message_body', { contact_id: contact.id }],
    ['message_body', { contact_id: contact.id, message_body: '' }],
    ['contact_id', { message_body: 'x' }],
    ['phone_number', { phone_number: '12', message_body: 'x' }],
  ];
  for (const [field, body] of wrong) {
    isProblem(await customer.post('/messages/send', body), 422, field);
  }
});

test('an unknown field is refused by name', async () => {
  isProblem(await customer.post('/messages/send', { contact_id: contact.id, message_body: 'x', mesage_type: 'text' }), 422, 'mesage_type');
  isProblem(await customer.post('/contacts', { fist_name: 'x', phone_numbers: [{ number: newPhone() }] }), 422, 'fist_name');
});

test('several mistakes are all named at once', async () => {
  const answer = await customer.post('/messages/send', { contact_id: {}, message_body: 5, nonsense: 1 });
  isProblem(answer, 422, 'contact_id');
  isProblem(answer, 422, 'message_body');
  isProblem(answer, 422, 'nonsense');
});

test('null in an optional field means absent, unknown query parameters are ignored', async () => {
  const answer = await customer.post('/messages/send', { contact_id: contact.id, message_body: 'x', external_ref: null, caption: null, send_at: null });
  assert.equal(answer.status, 202, JSON.stringify(answer.data));
  assert.equal((await customer.get('/contacts', { params: { phone: contact.phone, nonsense: 1 } })).status, 200);
});

test('a contact id as a string of digits is good', async () => {
  assert.equal((await customer.post('/messages/send', { contact_id: String(contact.id), message_body: 'x' })).status, 202);
});

test('a body over 1 MiB is 413', async () => {
  const answer = await raw(`{"message_body":"${'x'.repeat(1 << 20)}"}`).catch((error) => error);
  if (answer instanceof Error) assert.match(answer.message, /EPIPE|ECONNRESET|socket hang up|aborted/);
  else assert.equal(answer.status, 413);
});

test('deep nesting is 400', async () => {
  isProblem(await raw('{"metadata":' + '['.repeat(1000) + ']'.repeat(1000) + '}'), 400);
  isProblem(await raw('{"metadata":' + '{"a":'.repeat(5000) + '1' + '}'.repeat(5000) + '}'), 400);
});

test('invalid UTF-8 and NUL bytes are refused', async () => {
  const bad = Buffer.concat([Buffer.from(`{"contact_id":${contact.id},"message_body":"`), Buffer.from([0xff, 0xfe, 0xc0, 0x80]), Buffer.from('"}')]);
  isProblem(await raw(bad), 400);
  const nul = await raw(`{"contact_id":${contact.id},"message_body":"a\\u0000b"}`);
  assert.ok([400, 422].includes(nul.status), String(nul.status));
  const rawNul = await raw(Buffer.from(`{"contact_id":${contact.id},"message_body":"a\0b"}`));
  isProblem(rawNul, 400);
});

test('numbers beyond 64 bits, and ids beyond 2^31', async () => {
  const huge = await raw('{"contact_id": 99999999999999999999999999, "message_body": "x"}');
  assert.ok([400, 422].includes(huge.status), String(huge.status));
  const big = await raw('{"contact_id": 4294967296, "message_body": "x"}');
  assert.ok([404, 422].includes(big.status), String(big.status));
  isProblem(await customer.get('/contacts/99999999999999999999'), 404);
  isProblem(await customer.get('/contacts/-1'), 404);
  isProblem(await customer.get('/contacts/1e3'), 404);
});

test('phone numbers that are none', async () => {
  for (const number of ['', '+', 'call me', '+123', '+1234567890123456', '+12 34x567', '0']) {
    const answer = await customer.post('/contacts', { phone_numbers: [{ number }] });
    assert.equal(answer.status, 422, `${number}: ${answer.status}`);
    assert.match(answer.data.errors[0].field, /^phone_numbers/);
  }
});

test('phone numbers are forgiven their spelling', async () => {
  const phone = newPhone();
  const digits = phone.slice(1);
  const first = await customer.contact(phone);
  for (const spelling of [digits, `00${digits}`, `+${digits.slice(0, 2)} (${digits.slice(2, 5)}) ${digits.slice(5, 8)}-${digits.slice(8)}`]) {
    const answer = await customer.post('/contacts', { phone_numbers: [{ number: spelling }] });
    assert.equal(answer.status, 200, spelling);
    assert.equal(answer.data.id, first.id);
    assert.equal(answer.data.phone_numbers[0].number, phone);
  }
  // A '+' that is not escaped arrives as a space.
  const found = await fetch(`${stack.url}/api/v1/contacts?phone=${phone}`, { headers: { 'X-API-Key': customer.apiKey } });
  assert.equal((await found.json())[0].id, first.id);
});

test('unknown paths and methods', async () => {
  isProblem(await customer.get('/nothing'), 404);
  const wrong = await customer.http.delete('/messages/send');
  isProblem(wrong, 405);
  assert.match(wrong.headers.allow, /POST/);
});

test('a wrong content type is 415', async () => {
  isProblem(await raw('a=b', '/messages/send', { 'Content-Type': 'application/x-www-form-urlencoded' }), 415);
});

test('bad limits and cursors name their parameter', async () => {
  for (const limit of ['0', '101', '-1', 'x']) isProblem(await customer.get('/messages', { params: { limit } }), 422, 'limit');
  const cursor = await customer.get('/messages', { params: { cursor: 'AAAA' } });
  assert.ok([400, 422].includes(cursor.status));
  assert.equal(cursor.data.errors[0].field, 'cursor');
});

test('a caller\'s request id is kept if it is sane', async () => {
  const kept = await customer.get('/messages', { headers: { 'X-Request-Id': 'invoice-77.a' } });
  assert.equal(kept.headers['x-request-id'], 'invoice-77.a');
  const replaced = await customer.get('/messages', { headers: { 'X-Request-Id': 'x'.repeat(500) } });
  assert.notEqual(replaced.headers['x-request-id'], 'x'.repeat(500));
});

test('no key, a wrong key and a missing permission', async () => {
  const bare = await fetch(`${stack.url}/api/v1/messages`);
  assert.equal(bare.status, 401);
  assert.equal((await bare.json()).detail, 'API key not found');
  const bearer = await fetch(`${stack.url}/api/v1/messages`, { headers: { Authorization: `Bearer ${customer.apiKey}` } });
  assert.equal(bearer.status, 200);
  const reader = await newCustomer(stack, { permissions: ['contacts:read'] });
  const refused = await reader.post('/messages/send', { contact_id: 1, message_body: 'x' });
  isProblem(refused, 403);
  assert.match(refused.data.detail, /messages:send/);
  const strict = await newCustomer(stack, { permissions: ['messages:send'], strict: true });
  isProblem(await strict.get('/messages'), 403);
});

test('operator calls need the token, unless they come from a bare loopback caller', async () => {
  const post = (headers) => fetch(`${stack.url}/api/v1/tenants`, {
    method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: '{"name":"x"}',
  });
  assert.equal((await post({})).status, 201);
  for (const headers of [{ Origin: 'http://evil.example' }, { 'X-Forwarded-For': '1.2.3.4' }, { Forwarded: 'for=1.2.3.4' }, { 'X-Forwarded-Prefix': '/' },
    { 'Content-Type': 'text/plain' }, { Authorization: 'Basic eDp4' }, { Authorization: '' }]) {
    assert.ok([401, 403, 415].includes((await post(headers)).status), JSON.stringify(headers));
  }
  const wrongHost = await rawHttp(`POST /api/v1/tenants HTTP/1.1\r\nHost: bank.example\r\nContent-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{"name":"x"}`);
  assert.match(wrongHost, /^HTTP\/1\.1 40[13]/);
  // What nginx sends to what it stands before, unless told otherwise.
  const old = await rawHttp('POST /api/v1/tenants HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"name":"x"}');
  assert.match(old, /^HTTP\/1\.1 401/);
  assert.equal((await fetch(`${stack.url}/api/v1/tenants`)).status, 401, 'what can only be made to fetch a URL has no JSON content type');
  assert.equal((await post({ Authorization: 'Bearer wrong' })).status, 401);
  assert.equal((await post({ Authorization: `Bearer ${stack.WA_ADMIN_TOKEN}` })).status, 201);
});

function connect() {
  const { port } = new URL(stack.url);
  return net.connect(Number(port), '127.0.0.1');
}

async function rawHttp(text, timeoutMs = 15_000) {
  const socket = connect();
  socket.on('error', () => {});
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk));
  socket.write(text);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  await new Promise((resolve) => socket.once('close', resolve));
  clearTimeout(timer);
  return answer;
}

test('huge headers are refused', async () => {
  const answer = await rawHttp(`GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX-Big: ${'a'.repeat(100_000)}\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 (431|400|413)|^$/);
});

test('garbage on the wire closes the connection', async () => {
  for (const text of ['\x16\x03\x01\x02\x00\x01', 'GET\r\n\r\n', 'POST /api/v1/messages/send HTTP/1.1\r\nContent-Length: -5\r\n\r\n', '\0\0\0\0\r\n\r\n']) {
    const answer = await rawHttp(text);
    assert.match(answer, /^HTTP\/1\.[01] 4\d\d|^HTTP\/1\.[01] 50[15]|^$/, JSON.stringify(answer.slice(0, 60)));
  }
});

test('a client that drips its request is cut off while others are served', async () => {
  const slow = connect();
  slow.on('error', () => {});
  const closed = new Promise((resolve) => slow.once('close', resolve));
  slow.resume();
  slow.write('POST /api/v1/messages/send HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n');
  const drip = setInterval(() => slow.writable && slow.write('x'), 100);
  const served = await customer.get('/messages');
  assert.equal(served.status, 200);
  await closed;
  clearInterval(drip);
});

test('a thousand idle connections disturb nobody', async () => {
  const idle = [];
  for (let i = 0; i < 1000; i++) {
    const socket = connect();
    socket.on('error', () => {});
    idle.push(socket);
  }
  await Promise.all(idle.map((s) => new Promise((resolve) => s.once('connect', resolve).once('close', resolve))));
  assert.equal((await customer.get('/messages')).status, 200);
  for (const socket of idle) socket.destroy();
});

test('clients that hang up in mid-answer leave the api well', async () => {
  for (let i = 0; i < 200; i++) {
    const socket = connect();
    socket.on('error', () => {});
    const body = JSON.stringify({ contact_id: contact.id, message_body: 'gone' });
    socket.write(`POST /api/v1/messages/send HTTP/1.1\r\nHost: x\r\nX-API-Key: ${customer.apiKey}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`, () => socket.destroy());
  }
  await until('the api to answer', async () => (await customer.get('/messages')).status === 200);
  await stack.healthy();
});
