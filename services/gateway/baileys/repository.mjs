// Baileys' Signal repository, with the gateway's commit inside. A decrypted message leaves this file only after the
// gateway has committed it together with the keys that it moved; so Baileys, which sends its receipt when decryption is
// over, sends it after that commit. An encrypted one leaves only after its keys are committed, so that no key is ever
// used twice, whoever takes the session over.
import { AsyncLocalStorage } from 'node:async_hooks';
import { Curve, DEFAULT_CONNECTION_CONFIG, jidDecode } from 'baileys';
import { asOwner, openSessionOf } from './libsignal_mended.mjs';
import { Lru } from './lru.mjs';
import { makeTransactions } from './transactions.mjs';

const UNMAPPED_FOR_MS = 60_000;
const MAPPINGS = 4_000;
const MAPPING_TTL_MS = 24 * 3600_000;

// An empty message, padded as they are: Baileys acknowledges it like any other and finds nothing in it.
const NOTHING = Buffer.from([1]);

const keeping = new AsyncLocalStorage();

// Runs work in which no session is replaced by a new one with the same device. Baileys begins a new one with everybody
// whose devices it asks for, so that messages on both cross; asking for devices is no reason to.
export function keepingSessions(work) {
  return keeping.run(true, work);
}

// Baileys asks the server again and again for the LID of a number that has none.
function rememberingUnmapped(fetchMappings) {
  const unmapped = new Lru({ max: MAPPINGS, ttlMs: UNMAPPED_FOR_MS });
  return async (jids) => {
    const asked = jids.filter((jid) => !unmapped.has(jid));
    if (asked.length === 0) return [];
    const found = (await fetchMappings(asked)) ?? [];
    const mapped = new Set(found.map(({ pn }) => pn));
    for (const jid of asked) if (!mapped.has(jid)) unmapped.set(jid, true);
    return found;
  };
}

function checkBundle({ identityKey, signedPreKey }) {
  if (!Curve.verify(identityKey, signedPreKey.publicKey, signedPreKey.signature)) {
    throw new Error('the signature of a signed prekey is wrong');
  }
}

// receiver: {
//   read(ciphertext, plaintext, keys) → what to commit with the keys, or undefined
//   committed(ciphertext): what was read of it is committed now
//   wasCommitted(ciphertext) → whether the message of that ciphertext was committed before
// }
export function makeRepositoryMaker({ owner, store, receiver }) {
  return ({ creds }, logger, fetchMappings) => {
    const keys = makeTransactions(store);
    const inner = DEFAULT_CONNECTION_CONFIG.makeSignalRepository({ creds, keys }, logger, rememberingUnmapped(fetchMappings));
    const { lidMapping } = inner;
    // A lookup is shared by all who wait for it, inside transactions and outside: it must not wait for one itself.
    lidMapping.keys = { get: keys.get, set: keys.set, transaction: (work) => work() };
    lidMapping.mappingCache = new Lru({ max: 2 * MAPPINGS, ttlMs: MAPPING_TTL_MS });

    const contactOf = async (jid) => {
      const mapped = (await lidMapping.getLIDForPN(jid)) ?? jid;
      const { user, server } = jidDecode(mapped);
      return `${user}@${server}`;
    };

    // One transaction of the contact's, under the name that is true while it runs.
    const inTransaction = (jid, work) =>
      asOwner(owner, async () => {
        if (keys.isInTransaction()) return work();
        for (;;) {
          const contact = await contactOf(jid);
          const outcome = await keys.transaction(async () => {
            if ((await contactOf(jid)) !== contact) return { again: true };
            return { result: await work() };
          }, contact);
          if (!outcome.again) return outcome.result;
        }
      });

    const hasSessionLike = async (jid, { identityKey, registrationId }) => {
      const address = inner.jidToSignalProtocolAddress((await lidMapping.getLIDForPN(jid)) ?? jid);
      const { [address]: record } = await keys.get('session', [address]);
      const open = openSessionOf(record);
      return open !== null && open.registrationId === registrationId && open.identityKey.equals(Buffer.from(identityKey));
    };

    const injectE2ESession = (args) => {
      checkBundle(args.session);
      return inTransaction(args.jid, async () => {
        if (keeping.getStore() && (await hasSessionLike(args.jid, args.session))) return;
        await inner.injectE2ESession(args);
      });
    };

    async function decryptMessage(args) {
      try {
        const plaintext = await inTransaction(args.jid, async () => {
          const decrypted = await inner.decryptMessage(args);
          const inbound = await receiver.read(args.ciphertext, decrypted, keys);
          if (inbound) keys.carry(inbound);
          return decrypted;
        });
        receiver.committed(args.ciphertext);
        return plaintext;
      } catch (error) {
        // Decrypted and committed by us or by an earlier owner whose receipt did not get through: its keys have moved on.
        if (await receiver.wasCommitted(args.ciphertext, error)) return NOTHING;
        throw error;
      }
    }

    return {
      ...inner,
      decryptMessage,
      encryptMessage: (args) => inTransaction(args.jid, () => inner.encryptMessage(args)),
      injectE2ESession,
      migrateSession: (from, to) => inTransaction(to, () => inner.migrateSession(from, to)),
      deleteSession: (jids) => jids.length > 0 && inTransaction(jids[0], () => inner.deleteSession(jids)),
    };
  };
}
