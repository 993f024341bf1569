// The WhatsApp server double of tests/whatsapp, in a process of its own.
import net from 'node:net';
import { Admin, startDouble as launchDouble, until } from '../../../../../tests/whatsapp/support/setup.mjs';
import { FakeGateway, FakeSession } from './fake_gateway.mjs';

const SOON_MS = 10_000;

let numbers = 4_915_100_000_000 + (process.pid % 10_000) * 1000;
export const newNumber = () => String(++numbers);

let ids = 0;
export const newId = () => `3EB0${process.pid.toString(16).padStart(6, '0')}${(++ids).toString(16).padStart(10, '0')}`.toUpperCase();

export async function startDouble() {
  const { info, stop } = await launchDouble();
  return new Double(info, stop);
}

class Double extends Admin {
  constructor(info, stop) {
    super(info.admin_url);
    this.info = info;
    this.stop = stop;
  }

  write = async (from, to, message) => (await this.post(`/phones/${from}/write`, { to, ...message })).ids;
  noFaults = () => this.call('DELETE', '/faults');
  drop = (number, device) => this.post(`/phones/${number}/devices/${device}/drop`);
  streamError = (number, device, code) => this.post(`/phones/${number}/devices/${device}/stream-error`, { code });
  unlink = (number, device) => this.call('DELETE', `/phones/${number}/devices/${device}`);

  // The phone's companions, once `fits` holds of them.
  companions(number, fits) {
    return until(`companions of ${number}`, async () => (await this.get(`/phones/${number}`)).companions, fits, SOON_MS);
  }

  // A code is shown before WhatsApp has heard of it: who types it at once types it again.
  typeCode(number, code) {
    const type = () => this.post(`/phones/${number}/code`, { code }).catch((error) => {
      if (!/nobody waits for a code/.test(error.message)) throw error;
      return null;
    });
    return until(`the code of ${number} to be known`, type, (answer) => answer !== null, SOON_MS);
  }

  async inbox(number, count, since = 0) {
    const entries = await this.get(`/phones/${number}/inbox?since=${since}&wait=${count}&timeout=20000`);
    if (entries.length < count) throw new Error(`${number} shows ${entries.length} of ${count}`);
    return entries;
  }

  receipts = async (number, id, receipt) => (await this.get(`/phones/${number}/sent/${id}?receipt=${receipt}&timeout=20000`)).receipts;

  // Those of that session's own device for what a phone wrote, once one of that type is among them: its phone sends some too.
  receiptsOf({ number, device }, phone, id, type) {
    const types = ({ receipts }) => receipts.filter((one) => one.from === number && one.from_device === device).map((one) => one.type);
    const ask = async () => types(await this.get(`/phones/${phone}/sent/${id}`));
    return until(`a ${type} receipt of ${id}`, ask, (all) => all.includes(type), SOON_MS);
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
