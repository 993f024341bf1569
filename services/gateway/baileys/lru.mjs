// A map with a bound: the entry that was used longest ago goes first. Answers what Baileys asks of its caches too.
export class Lru {
  #entries = new Map(); // key → { value, weight, until }
  #weight = 0;

  // max: the sum of weights that is kept; weigh(key, value) is 1 by default. ttlMs: how long an entry is good.
  constructor({ max, ttlMs = Infinity, weigh = () => 1, now = Date.now }) {
    this.max = max;
    this.ttlMs = ttlMs;
    this.weigh = weigh;
    this.now = now;
  }

  get weight() {
    return this.#weight;
  }

  get size() {
    return this.#entries.size;
  }

  get(key) {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    if (entry.until <= this.now()) {
      this.#weight -= entry.weight;
      return undefined;
    }
    this.#entries.set(key, entry);
    return entry.value;
  }

  has(key) {
    return this.get(key) !== undefined;
  }

  set(key, value) {
    this.del(key);
    const weight = this.weigh(key, value);
    if (weight > this.max) return true;
    this.#entries.set(key, { value, weight, until: this.now() + this.ttlMs });
    this.#weight += weight;
    for (const [oldest] of this.#entries) {
      if (this.#weight <= this.max) break;
      this.del(oldest);
    }
    return true;
  }

  del(key) {
    const entry = this.#entries.get(key);
    if (!entry) return 0;
    this.#entries.delete(key);
    this.#weight -= entry.weight;
    return 1;
  }

  delete(key) {
    return this.del(key) === 1;
  }

  clear() {
    this.#entries.clear();
    this.#weight = 0;
  }

  flushAll() {
    this.clear();
  }
}
