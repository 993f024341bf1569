// The WhatsApp server double of tests/whatsapp, in a process of its own.
import { spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import readline from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { FakeGateway, FakeSession } from './fake_gateway.mjs';

const REPOSITORY = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..', '..');
const SERVER = path.join(process.env.WA_TEST_DOUBLE ?? path.join(REPOSITORY, 'tests', 'whatsapp'), 'server.mjs');

let numbers = 4_915_100_000_000 + (process.pid % 10_000) * 1000;
export const newNumber = () => String(++numbers);

let ids = 0;
export const newId = () => `3EB0${process.pid.toString(16).padStart(6, '0')}${(++ids).toString(16).padStart(10, '0')}`.toUpperCase();

export async function startDouble() {
  const server = spawn(process.execPath, [SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
  const info = await new Promise((resolve, reject) => {
    server.once('exit', (code) => reject(new Error(`the double ended with ${code}`)));
    readline.createInterface({ input: server.stdout }).once('line', (line) => resolve(JSON.parse(line)));
  });
  return new Double(server, info);
}

class Double {
  constructor(server, info) {
    this.server = server;
    this.info = info;
  }

  async call(method, where, body) {
    const answer = await fetch(this.info.admin_url + where, { method, body: body && JSON.stringify(body) });
    const value = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${value.error}`);
    return value;
  }

  get = (where) => this.call('GET', where);
  post = (where, body = {}) => this.call('POST', where, body);
  phone = (number, settings = {}) => this.post('/phones', { number, ...settings });
  write = async (from, to, message) => (await this.post(`/phones/${from}/write`, { to, ...message })).ids;
  fault = (rule) => this.post('/faults', rule);
  noFaults = () => this.call('DELETE', '/faults');
  drop = (number, device) => this.post(`/phones/${number}/devices/${device}/drop`);
  streamError = (number, device, code) => this.post(`/phones/${number}/devices/${device}/stream-error`, { code });
  unlink = (number, device) => this.call('DELETE', `/phones/${number}/devices/${device}`);

  // The phone's companions, once `fits` holds of them.
  async companions(number, fits) {
    for (let i = 0; ; i++) {
      const { companions } = await this.get(`/phones/${number}`);
      if (fits(companions) || i === 200) return companions;
      await setTimeout(50);
    }
  }

  // A code is shown before WhatsApp has heard of it: who types it at once types it again.
  async typeCode(number, code) {
    for (let i = 0; ; i++) {
      try {
        return await this.post(`/phones/${number}/code`, { code });
      } catch (error) {
        if (!/nobody waits for a code/.test(error.message) || i === 200) throw error;
        await setTimeout(50);
      }
    }
  }

  async inbox(number, count, since = 0) {
    const entries = await this.get(`/phones/${number}/inbox?since=${since}&wait=${count}&timeout=20000`);
    if (entries.length < count) throw new Error(`${number} shows ${entries.length} of ${count}`);
    return entries;
  }

  receipts = async (number, id, receipt) => (await this.get(`/phones/${number}/sent/${id}?receipt=${receipt}&timeout=20000`)).receipts;

  // Those of that session's own device for what a phone wrote, once one of that type is among them: its phone sends some too.
  async receiptsOf({ number, device }, phone, id, type) {
    for (let i = 0; ; i++) {
      const { receipts } = await this.get(`/phones/${phone}/sent/${id}`);
      const types = receipts.filter((one) => one.from === number && one.from_device === device).map((one) => one.type);
      if (types.includes(type) || i === 200) return types;
      await setTimeout(50);
    }
  }

  // A worker that is pointed at it.
  async gateway({ wsUrl = this.info.ws_url, ...hello } = {}) {
    const gateway = new FakeGateway({ env: { NODE_EXTRA_CA_CERTS: this.info.ca_file } });
    await gateway.hello({ wsUrl, rootKey: this.info.root_key, ...hello });
    return gateway;
  }

  // A session paired by QR with a new phone, connected.
  async pair(gateway, { number = newNumber(), sessionId = 1, ...settings } = {}) {
    await this.phone(number, { name: `Company ${number}`, ...settings });
    const session = new FakeSession();
    const line = gateway.open(session, sessionId);
    const code = await gateway.next('code', (frame) => frame.line === line);
    const device = await this.post(`/phones/${number}/scan`, { qr: code.text });
    await gateway.state(line, 'connected');
    return { number, session, line, device: device.device };
  }

  async stop() {
    const ended = new Promise((resolve) => this.server.once('exit', resolve));
    this.server.kill('SIGTERM');
    await ended;
  }
}

// A line to the double that can be cut: { wsUrl, cut(), stop() }.
export async function startProxy(double) {
  const target = new URL(double.info.ws_url);
  const sockets = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(Number(target.port), target.hostname);
    for (const [one, other] of [[near, far], [far, near]]) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => sockets.forEach((socket) => socket.destroy());
  const stop = () => {
    server.close();
    cut();
  };
  return { wsUrl: `wss://127.0.0.1:${server.address().port}${target.pathname}`, cut, stop };
}
