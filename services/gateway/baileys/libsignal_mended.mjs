// Two things that are wrong with libsignal, mended in place before anybody uses it. Import this before Baileys.
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { createRequire } from 'node:module';
import { leaveWhatDoesNotDecrypt } from './decrypt_or_leave.mjs';

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

// 2. A failed try to decrypt spoils the session that it was made with.
leaveWhatDoesNotDecrypt(SessionCipher);

// What a stored record knows of the other side in its open session: { identityKey, registrationId }, or null.
export function openSessionOf(record) {
  const open = record && SessionRecord.deserialize(record).getOpenSession();
  return open ? { identityKey: open.indexInfo.remoteIdentityKey, registrationId: open.registrationId } : null;
}
