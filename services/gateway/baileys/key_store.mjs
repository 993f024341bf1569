// A session's credentials and Signal keys. They live with the gateway; here is a cache with a bound, and what was
// handed over but is not committed yet. Values travel as bytes that only this file reads.
import { BufferJSON, proto } from 'baileys';
import { Lru } from './lru.mjs';
import { Turns } from './turns.mjs';

// Read rarely and by the hundred: they would push out the sessions.
const NOT_CACHED = new Set(['pre-key']);
const CACHE_BYTES = 512 * 1024;

const encode = (value) => Buffer.from(JSON.stringify(value, BufferJSON.replacer));
const decode = (bytes) => JSON.parse(Buffer.from(bytes).toString(), BufferJSON.reviver);
const nameOf = (type, id) => `${type}/${id}`;

function decodeValue(type, bytes) {
  const value = decode(bytes);
  return type === 'app-state-sync-key' ? proto.Message.AppStateSyncKeyData.fromObject(value) : value;
}

export const decodeCreds = decode;

const refuse = async () => {
  throw new Error('this device is no more');
};
const GONE = { readKeys: refuse, commitKeys: refuse, commitInbound: refuse };

export class KeyStore {
  #line;
  #creds;
  #credsChanged = false;
  #credsSettled = Promise.resolve();
  #credsWaiting = 0; // commits of them that are under way
  #uncommitted = new Map(); // name → { bytes, sequence }: newer than what the gateway answers
  #cache;
  #sequence = 0;
  turns = new Turns(); // of transactions, by contact, whatever connection they began on

  // line: { readKeys(names) → bytes or null of each, commitKeys(creds, changes), commitInbound(inbound, changes) }, all
  // promises. creds: the object that Baileys changes in place.
  constructor({ line, creds, cacheBytes = CACHE_BYTES }) {
    this.#line = line;
    this.#creds = creds;
    this.#cache = new Lru({ max: cacheBytes, weigh: (name, bytes) => name.length + (bytes?.length ?? 0) + 64 });
  }

  // The values that there are, by id.
  async get(type, ids) {
    const values = {};
    const missing = [];
    for (const id of ids) {
      const bytes = this.#known(nameOf(type, id));
      if (bytes === undefined) missing.push(id);
      else if (bytes !== null) values[id] = decodeValue(type, bytes);
    }
    if (missing.length > 0) Object.assign(values, await this.#read(type, missing));
    return values;
  }

  set(data) {
    return this.commit(data);
  }

  // The device is no more: what its last connection still asks for or wants to keep is refused.
  end() {
    this.#line = GONE;
  }

  // Resolves once the changes are committed, together with the inbound message that moved them.
  async commit(data, inbound) {
    const sequence = ++this.#sequence;
    const changes = [];
    for (const [type, values] of Object.entries(data)) {
      for (const [id, value] of Object.entries(values ?? {})) {
        const bytes = value === null || value === undefined ? null : encode(value);
        changes.push([nameOf(type, id), bytes]);
        this.#uncommitted.set(nameOf(type, id), { bytes, sequence });
      }
    }
    let committed = false;
    try {
      if (inbound) await this.#line.commitInbound(inbound, changes);
      else if (changes.length > 0) await this.#handOver(changes);
      committed = true;
    } finally {
      for (const [name] of changes) this.#settle(name, sequence, committed);
    }
  }

  // Baileys changed the credentials. Those of a device that no phone has taken in yet are kept to ourselves: with half
  // of them the next login would be refused.
  credsWereChanged() {
    if (!this.#creds.account || this.#credsChanged) return;
    this.#credsChanged = true;
    // At the end of this turn, so that keys that change along are in the same commit.
    queueMicrotask(() => {
      if (this.#credsChanged) this.#handOver([]).catch(() => {}); // the line ends by itself
    });
  }

  get credsAreSettled() {
    return !this.#credsChanged && this.#credsWaiting === 0;
  }

  // Resolves when what was changed so far is committed; rejects when it could not be.
  credsSettled() {
    if (this.#credsChanged) this.#handOver([]).catch(() => {});
    return this.#credsSettled;
  }

  #handOver(changes) {
    const creds = this.#credsChanged ? encode(this.#creds) : null;
    this.#credsChanged = false;
    const committed = this.#line.commitKeys(creds, changes);
    if (creds) {
      this.#credsWaiting++;
      this.#credsSettled = Promise.all([this.#credsSettled, committed]).finally(() => this.#credsWaiting--);
      this.#credsSettled.catch(() => {});
    }
    return committed;
  }

  #known(name) {
    const waiting = this.#uncommitted.get(name);
    return waiting ? waiting.bytes : this.#cache.get(name);
  }

  async #read(type, ids) {
    const values = {};
    const found = await this.#line.readKeys(ids.map((id) => nameOf(type, id)));
    ids.forEach((id, i) => {
      const name = nameOf(type, id);
      const newer = this.#known(name); // written while we asked
      const bytes = newer === undefined ? found[i] : newer;
      if (newer === undefined) this.#remember(name, bytes);
      if (bytes !== null) values[id] = decodeValue(type, bytes);
    });
    return values;
  }

  #settle(name, sequence, committed) {
    const waiting = this.#uncommitted.get(name);
    if (waiting?.sequence !== sequence) return; // changed again since
    this.#uncommitted.delete(name);
    if (committed) this.#remember(name, waiting.bytes);
    else this.#cache.del(name); // what holds is what the gateway says
  }

  #remember(name, bytes) {
    if (NOT_CACHED.has(name.split('/', 1)[0])) return;
    this.#cache.set(name, bytes && Buffer.from(bytes)); // a copy: a view would keep the whole frame
  }
}
