// Two things that are wrong with libsignal, mended in place before anybody uses it. Import this before Baileys.
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { createRequire } from 'node:module';

const fromBaileys = createRequire(import.meta.resolve('baileys'));
const owner = new AsyncLocalStorage();

// 1. Its work on a session runs in a queue of one global map, keyed by the other side's address. So two WhatsApp sessions
// that write to one contact wait for each other, and a job runs in the asynchronous context of whoever started the queue:
// its key changes land in somebody else's transaction, or in none.
const queuePath = fromBaileys.resolve('libsignal/src/queue_job.js');
const queueJob = fromBaileys(queuePath);
fromBaileys.cache[queuePath].exports = (bucket, job) =>
  queueJob(`${owner.getStore() ?? ''} ${bucket}`, AsyncResource.bind(job));

// Runs work so that what it queues is queued for this owner (a session's id) alone.
export function asOwner(id, work) {
  return owner.run(id, work);
}

const { SessionCipher, SessionRecord } = fromBaileys('libsignal');

// 2. It tries a message with one session after the other, and a session with which it fails has stepped its ratchet by
// then; it is stored like that, and what is encrypted with it later nobody can read.
const { doDecryptWhisperMessage } = SessionCipher.prototype;
SessionCipher.prototype.doDecryptWhisperMessage = async function decryptOrLeave(message, session) {
  const before = session?.serialize();
  try {
    return await doDecryptWhisperMessage.call(this, message, session);
  } catch (error) {
    if (before) {
      delete session.pendingPreKey;
      Object.assign(session, session.constructor.deserialize(before));
    }
    throw error;
  }
};

// What a stored record knows of the other side in its open session: { identityKey, registrationId }, or null.
export function openSessionOf(record) {
  const open = record && SessionRecord.deserialize(record).getOpenSession();
  return open ? { identityKey: open.indexInfo.remoteIdentityKey, registrationId: open.registrationId } : null;
}
