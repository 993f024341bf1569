// Transactions over a key store, for the Signal repository of one session. Baileys' own keep two operations on one
// Signal session apart only if both name it by the same JID, so that a send by number and a message by LID overwrite
// each other's ratchet; and they commit a send's keys only after its stanza has left. Here the transactions of one
// contact (their `key`) run one after the other, and each is over when the gateway has committed it.
import { AsyncLocalStorage } from 'node:async_hooks';

// store: a KeyStore. Answers what libsignal's storage and Baileys ask of keys.
export function makeTransactions(store) {
  const current = new AsyncLocalStorage();

  // Baileys takes a session that could not be read for one that is not there, and would write a new one over it: a
  // transaction in which a read failed fails, whatever became of the error.
  async function read(type, ids) {
    try {
      return await store.get(type, ids);
    } catch (error) {
      const transaction = current.getStore();
      if (transaction) transaction.failure = error;
      throw error;
    }
  }

  async function get(type, ids) {
    const changed = current.getStore()?.changes[type] ?? {};
    const missing = ids.filter((id) => !(id in changed));
    const values = missing.length > 0 ? await read(type, missing) : {};
    for (const id of ids) {
      if (id in changed && changed[id] !== null) values[id] = changed[id];
    }
    return values;
  }

  async function set(data) {
    const transaction = current.getStore();
    if (!transaction) return store.commit(data);
    for (const [type, values] of Object.entries(data)) {
      transaction.changes[type] = { ...transaction.changes[type], ...values };
    }
  }

  // Within a transaction it is a part of that one. A transaction that throws changes nothing.
  async function transaction(work, key) {
    if (current.getStore()) return work();
    return store.turns.run(key, async () => {
      const state = { changes: {}, inbound: undefined, failure: null };
      const result = await current.run(state, async () => work()).catch((error) => {
        throw state.failure ?? error;
      });
      if (state.failure) throw state.failure;
      await store.commit(state.changes, state.inbound);
      return result;
    });
  }

  return {
    get,
    set,
    transaction,
    isInTransaction: () => current.getStore() !== undefined,
    // What is to be committed together with the keys of the transaction that this is called in.
    carry: (inbound) => {
      current.getStore().inbound = inbound;
    },
  };
}
