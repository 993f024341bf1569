// Unmodified Baileys clients in a process of their own, steered by the test through process messages:
// {id, call, name, args} is answered by {id, value} or {id, error}; events come as {name, event, data}.
import '../lib/quiet.mjs';
import makeWASocket, { Browsers, BufferJSON, downloadMediaMessage, initAuthCreds, proto } from 'baileys';

const silent = { level: 'silent', child: () => silent, trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
const clients = new Map();

/** Everything in memory; as plain JSON, so that a stored object cannot change under Baileys. */
function memoryKeys(kept) {
  return {
    get: async (type, ids) => {
      const found = {};
      for (const id of ids) {
        const text = kept.get(`${type} ${id}`);
        if (text === undefined) continue;
        const value = JSON.parse(text, BufferJSON.reviver);
        found[id] = type === 'app-state-sync-key' ? proto.Message.AppStateSyncKeyData.fromObject(value) : value;
      }
      return found;
    },
    set: async (data) => {
      for (const [type, entries] of Object.entries(data)) {
        for (const [id, value] of Object.entries(entries)) {
          if (value) kept.set(`${type} ${id}`, JSON.stringify(value, BufferJSON.replacer));
          else kept.delete(`${type} ${id}`);
        }
      }
    },
  };
}

/** To the test, unless it is over. */
function tell(message) {
  if (process.connected) process.send(JSON.parse(JSON.stringify(message, BufferJSON.replacer)), () => {});
}

class Client {
  constructor(name, options) {
    this.name = name;
    this.options = options;
    this.creds = initAuthCreds();
    this.kept = new Map();
    this.messages = new Map(); // what it sent, for those who ask again
    this.received = new Map();
  }

  emit(event, data) {
    tell({ name: this.name, event, data: data ?? null });
  }

  connect() {
    const sock = makeWASocket({
      auth: { creds: this.creds, keys: memoryKeys(this.kept) },
      waWebSocketUrl: this.options.url,
      browser: Browsers.ubuntu('Chrome'),
      logger: silent,
      getMessage: async ({ id }) => this.messages.get(id),
      enableRecentMessageCache: false,
      shouldSyncHistoryMessage: () => Boolean(this.options.history),
      ...this.options.config,
    });
    this.sock = sock;
    sock.ev.on('creds.update', (update) => {
      Object.assign(this.creds, update);
      if (update.me) this.emit('creds', { me: update.me });
    });
    sock.ev.on('connection.update', (update) => this.onConnection(sock, update));
    sock.ev.on('messages.upsert', ({ messages, type }) => messages.forEach((message) => this.onMessage(message, type)));
    sock.ev.on('messages.update', (updates) => updates.forEach(({ key, update }) => this.emit('update', { id: key.id, status: update.status, stub: update.messageStubParameters })));
    sock.ws.on('CB:ack,class:message', ({ attrs }) => this.emit('ack', attrs));
    sock.ws.on('CB:receipt', ({ attrs }) => this.emit('receipt', attrs));
  }

  onConnection(sock, { connection, qr, lastDisconnect }) {
    if (sock !== this.sock) return;
    if (qr) this.emit('qr', qr);
    if (connection === 'open') this.emit('open', { id: this.creds.me.id, lid: this.creds.me.lid });
    if (connection !== 'close') return;
    const { error } = lastDisconnect;
    this.emit('close', { code: error?.output?.statusCode, message: error?.message });
    if (error?.output?.statusCode === 515 || this.options.reconnect) this.connect();
  }

  onMessage(message, type) {
    this.received.set(message.key.id, message);
    const { status, pushName, key, messageStubType } = message;
    this.emit('message', { key, type, status, pushName, stub: messageStubType, content: message.message });
  }

  async send(jid, content, options) {
    const quoted = options?.quoted && this.received.get(options.quoted);
    const made = typeof content.data === 'string' ? { ...content, [content.kind]: Buffer.from(content.data, 'base64') } : content;
    const sent = await this.sock.sendMessage(jid, made, { ...options, quoted });
    this.messages.set(sent.key.id, sent.message);
    return sent.key.id;
  }

  /** The same message under the same id, as after an acknowledgement that never came. */
  async resend(jid, id) {
    await this.sock.relayMessage(jid, this.messages.get(id), { messageId: id });
  }

  async download(id) {
    return (await downloadMediaMessage(this.received.get(id), 'buffer', {})).toString('base64');
  }

  async call(method, ...args) {
    return this.sock[method](...args);
  }

  /** Something else than the client would sign or send; see the tests of wrong signatures. */
  tamper(what) {
    if (what === 'signed-prekey') this.creds.signedPreKey.signature = Buffer.alloc(64, 1);
    // A client signs with what it believes to be its identity; the server knows the one that it showed.
    else if (what === 'device-signature') this.creds.signedIdentityKey.private = initAuthCreds().signedIdentityKey.private;
    else if (what === 'noise-key') this.creds.noiseKey = initAuthCreds().noiseKey;
    else throw new Error(`no such tampering: ${what}`);
  }

  setName(name) {
    this.creds.me = { ...this.creds.me, name };
  }

  /** A second connection of the same device, while the first one is there. */
  connectBeside() {
    const first = this.sock;
    first.ev.on('connection.update', ({ connection, lastDisconnect }) => {
      if (connection === 'close') this.emit('beside-close', { code: lastDisconnect.error?.output?.statusCode });
    });
    this.connect();
  }

  tokens() {
    return [...this.kept.keys()].filter((key) => key.startsWith('tctoken ') && !key.endsWith('__index'));
  }

  end() {
    this.options.reconnect = false;
    this.sock?.end(undefined);
  }
}

process.on('message', async ({ id, call, name, args }) => {
  try {
    if (call === 'make') clients.set(name, new Client(name, args[0]));
    const client = clients.get(name);
    const value = call === 'make' ? undefined : await client[call](...args);
    tell({ id, value: value ?? null });
  } catch (error) {
    tell({ id, error: error.message });
  }
});
process.on('disconnect', () => process.exit(0));
