// Keys: what is read, what is known before it is committed, and transactions that keep to themselves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import '../libsignal_mended.mjs';
import { KeyStore } from '../key_store.mjs';
import { Lru } from '../lru.mjs';
import { makeTransactions } from '../transactions.mjs';

// A line whose commits end when the test says so.
class SlowLine {
  kept = new Map();
  reads = [];
  commits = [];

  async readKeys(names) {
    this.reads.push(names);
    return names.map((name) => this.kept.get(name) ?? null);
  }

  #commit(what) {
    return new Promise((resolve, reject) => {
      const done = () => {
        for (const [name, bytes] of what.changes) this.kept.set(name, bytes);
        resolve();
      };
      this.commits.push({ ...what, done, fail: () => reject(new Error('lost')) });
    });
  }

  commitKeys(creds, changes) {
    return this.#commit({ creds, changes });
  }

  commitInbound(inbound, changes) {
    return this.#commit({ inbound, changes });
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const make = (creds = { account: {} }) => {
  const line = new SlowLine();
  return { line, store: new KeyStore({ line, creds }) };
};

test('a value is known at once, and read once', async () => {
  const { line, store } = make();
  const written = store.set({ session: { a: { key: Buffer.from([1]) } } });
  assert.deepEqual(await store.get('session', ['a', 'b']), { a: { key: Buffer.from([1]) } });
  assert.deepEqual(line.reads, [['session/b']]);
  line.commits[0].done();
  await written;
  await store.get('session', ['a', 'b']);
  assert.equal(line.reads.length, 1);
});

test('a commit that fails leaves what the gateway has', async () => {
  const { line, store } = make();
  const first = store.set({ session: { a: 1 } });
  line.commits[0].done();
  await first;
  const second = store.set({ session: { a: 2 } });
  line.commits[1].fail();
  await assert.rejects(second);
  assert.deepEqual(await store.get('session', ['a']), { a: 1 });
});

test('credentials are kept back until a phone took the device in, then go with the keys that change along', async () => {
  const creds = {};
  const { line, store } = make(creds);
  store.credsWereChanged();
  await turn();
  assert.equal(line.commits.length, 0);
  creds.account = {};
  store.credsWereChanged();
  store.set({ 'pre-key': { 1: 'one' } });
  await turn();
  assert.equal(line.commits.length, 1);
  assert.ok(line.commits[0].creds);
  assert.equal(store.credsAreSettled, false);
  line.commits[0].done();
  await store.credsSettled();
  await turn();
  assert.equal(store.credsAreSettled, true);
});

test('of a device that is no more nothing is kept', async () => {
  const { line, store } = make();
  store.end();
  await assert.rejects(store.set({ session: { a: 1 } }));
  await assert.rejects(store.commit({ session: { a: 1 } }, { waId: 'X' }));
  store.credsWereChanged();
  await assert.rejects(store.credsSettled());
  assert.equal(line.commits.length, 0);
});

test('a transaction that throws changes nothing; one that does not commits all of it at once', async () => {
  const { line, store } = make();
  const keys = makeTransactions(store);
  const broken = keys.transaction(async () => {
    await keys.set({ session: { a: 1 } });
    throw new Error('no');
  }, 'contact');
  await assert.rejects(broken, { message: 'no' });
  assert.deepEqual(await store.get('session', ['a']), {});
  const whole = keys.transaction(async () => {
    await keys.set({ session: { a: 1 }, 'pre-key': { 7: null } });
    await keys.transaction(() => keys.set({ session: { b: 2 } }), 'another');
    keys.carry({ waId: 'X' });
    assert.deepEqual(await keys.get('session', ['a', 'b']), { a: 1, b: 2 });
    return 'plaintext';
  }, 'contact');
  await turn();
  assert.equal(line.commits.length, 1);
  assert.deepEqual(line.commits[0].changes.map(([name]) => name), ['session/a', 'session/b', 'pre-key/7']);
  assert.equal(line.commits[0].inbound.waId, 'X');
  line.commits[0].done();
  assert.equal(await whole, 'plaintext');
});

test('a transaction in which a read failed fails, though somebody took what it read for missing', async () => {
  const { line, store } = make();
  const keys = makeTransactions(store);
  line.readKeys = async () => {
    throw new Error('late');
  };
  for (const end of [() => keys.set({ session: { a: 'new' } }), () => Promise.reject(new Error('No session record'))]) {
    const work = keys.transaction(async () => {
      await keys.get('session', ['a']).catch(() => null);
      await end();
    }, 'contact');
    await assert.rejects(work, { message: 'late' });
  }
  assert.equal(line.commits.length, 0);
});

test('one contact’s transactions wait for each other’s commit, those of others do not', async () => {
  const { line, store } = make();
  const keys = makeTransactions(store);
  const began = [];
  const run = (name, contact) =>
    keys.transaction(async () => {
      began.push(name);
      await keys.set({ session: { [contact]: name } });
    }, contact);
  const all = [run('a1', 'a'), run('a2', 'a'), run('b1', 'b')];
  await turn();
  assert.deepEqual(began, ['a1', 'b1']);
  while (line.commits.length < 3) {
    line.commits.at(-1).done();
    line.commits[0].done();
    await turn();
  }
  line.commits[2].done();
  await Promise.all(all);
  assert.deepEqual(began, ['a1', 'b1', 'a2']);
  assert.deepEqual(await store.get('session', ['a']), { a: 'a2' });
});

test('a cache keeps its bound, and the time of its entries', () => {
  let now = 0;
  const cache = new Lru({ max: 3, ttlMs: 10, now: () => now });
  for (const key of ['a', 'b', 'c']) cache.set(key, key);
  cache.get('a');
  cache.set('d', 'd');
  assert.deepEqual(['a', 'b', 'c', 'd'].map((key) => cache.get(key)), ['a', undefined, 'c', 'd']);
  now = 10;
  assert.equal(cache.get('a'), undefined);
  const heavy = new Lru({ max: 10, weigh: (key, value) => value.length });
  heavy.set('small', 'xxx');
  heavy.set('too large', 'x'.repeat(11));
  assert.equal(heavy.get('too large'), undefined);
  heavy.set('large', 'x'.repeat(8));
  assert.deepEqual([heavy.get('small'), heavy.weight], [undefined, 8]);
});
