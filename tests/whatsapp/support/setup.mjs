// For tests: a double in a process of its own, its admin API, and Baileys clients in another process.
import { fork, spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const WAIT_MS = 30_000;
const POLL_MS = 20;

const ended = (child) => new Promise((resolve) => child.once('exit', resolve));

/** A double in a process of its own: {info, stop()}. */
export async function startDouble(...options) {
  const server = spawn(process.execPath, [path.join(here, '..', 'server.mjs'), ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  const info = await new Promise((resolve, reject) => {
    server.once('exit', (code) => reject(new Error(`the double ended with ${code}`)));
    readline.createInterface({ input: server.stdout }).once('line', (line) => resolve(JSON.parse(line)));
  });
  const stop = async () => {
    const end = ended(server);
    server.kill('SIGTERM');
    await end;
  };
  return { info, stop };
}

/** A double and clients; call stop() at the end. */
export async function startAll(...options) {
  const { info, stop: stopDouble } = await startDouble(...options);
  const clients = new Clients(info);
  const stop = async () => {
    const end = ended(clients.process);
    clients.process.disconnect();
    await Promise.all([end, stopDouble()]);
  };
  return { info, admin: new Admin(info.admin_url), clients, stop, stopDouble };
}

/** Asks until the answer meets the condition, and gives it; throws when it does not in time. */
export async function until(what, ask, met, limitMs = WAIT_MS) {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const value = await ask();
    if (met(value)) return value;
    if (Date.now() > deadline) throw new Error(`${what} stays ${JSON.stringify(value)}`);
    await setTimeout(POLL_MS);
  }
}

export class Admin {
  constructor(url) {
    this.url = url;
  }

  async call(method, path_, body) {
    const answer = await fetch(this.url + path_, {
      method,
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    });
    const value = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(`${method} ${path_}: ${answer.status} ${value.error}`), { status: answer.status });
    return value;
  }

  get = (path_) => this.call('GET', path_);
  post = (path_, body) => this.call('POST', path_, body ?? {});
  phone = (number, settings = {}) => this.post('/phones', { number, ...settings });
  write = (from, to, request) => this.post(`/phones/${from}/write`, { to, ...request });
  fault = (rule) => this.post('/faults', rule);
  device = (number, device, action, body) => this.post(`/phones/${number}/devices/${device}/${action}`, body);

  receipt = (number, id, type) => this.until(`/phones/${number}/sent/${id}`, ({ receipts }) => receipts.some((one) => one.type === type));

  /** Asks until what is told meets the condition; gives it. */
  until = (path_, met) => until(path_, () => this.get(path_), met);

  /** Waits until the phone shows `count` entries after `since`. */
  async inbox(number, count, since = 0) {
    const entries = await this.get(`/phones/${number}/inbox?since=${since}&wait=${count}&timeout=${WAIT_MS}`);
    if (entries.length < count) throw new Error(`${number} shows ${JSON.stringify(entries)}, not ${count} entries`);
    return entries;
  }
}

class Clients {
  constructor(info) {
    this.info = info;
    this.serial = 0;
    this.calls = new Map();
    this.byName = new Map();
    this.process = fork(path.join(here, 'client_process.mjs'), { env: { ...process.env, NODE_EXTRA_CA_CERTS: info.ca_file } });
    this.process.on('message', (message) => this.take(message));
  }

  take({ id, value, error, name, event, data }) {
    if (event) {
      this.byName.get(name)?.seen({ event, data });
      return;
    }
    const { resolve, reject } = this.calls.get(id);
    this.calls.delete(id);
    if (error === undefined) resolve(value);
    else reject(new Error(error));
  }

  call(name, method, ...args) {
    this.serial += 1;
    const id = this.serial;
    return new Promise((resolve, reject) => {
      this.calls.set(id, { resolve, reject });
      this.process.send({ id, call: method, name, args });
    });
  }

  /** A client that is not connected yet. */
  async make(name, options = {}) {
    const client = new Client(this, name);
    this.byName.set(name, client);
    await this.call(name, 'make', { url: this.info.ws_url, ...options });
    return client;
  }

  /** A client of this number, paired by QR and online. */
  async paired(admin, number, options = {}) {
    await admin.phone(number);
    const client = await this.make(`${number} ${this.serial}`, options);
    await client.do('connect');
    const qr = await client.next('qr');
    client.device = await admin.post(`/phones/${number}/scan`, { qr });
    await client.next('close', ({ code }) => code === 515);
    await client.next('open');
    return client;
  }
}

class Client {
  constructor(clients, name) {
    this.clients = clients;
    this.name = name;
    this.events = []; // not taken yet
    this.waiting = [];
  }

  do(method, ...args) {
    return this.clients.call(this.name, method, ...args);
  }

  seen(event) {
    const index = this.waiting.findIndex(({ fits }) => fits(event));
    if (index >= 0) this.waiting.splice(index, 1)[0].resolve(event.data);
    else this.events.push(event);
  }

  /** The message of that id, decrypted: the first try may fail, and the client then asks for it again by itself. */
  message(id) {
    return this.next('message', ({ key, content }) => content && key.id === id);
  }

  has(kind, match = () => true) {
    return this.events.some(({ event, data }) => event === kind && match(data));
  }

  until = (method, met) => until(`${this.name} ${method}`, () => this.do(method), met);

  /** The next event of that kind for which `match` holds, whether it has come or will. */
  next(kind, match = () => true) {
    const fits = ({ event, data }) => event === kind && match(data);
    const index = this.events.findIndex(fits);
    if (index >= 0) return Promise.resolve(this.events.splice(index, 1)[0].data);
    return new Promise((resolve, reject) => {
      const error = new Error(); // here, for its stack
      const timer = globalThis.setTimeout(() => {
        error.message = `${this.name}: no ${kind} came; there were ${JSON.stringify(this.events.slice(-10)).slice(0, 3000)}`;
        reject(error);
      }, WAIT_MS);
      this.waiting.push({ fits, resolve: (data) => (clearTimeout(timer), resolve(data)) });
    });
  }
}

export const bodyOf = (content) => content?.conversation ?? content?.extendedTextMessage?.text;
export const jidOf = (number) => `${number}@s.whatsapp.net`;

let serial = 0;
/** A number that no other test of this run has. */
export function newNumber() {
  serial += 1;
  return `4930${String(process.pid % 10_000).padStart(4, '0')}${String(serial).padStart(4, '0')}`;
}
