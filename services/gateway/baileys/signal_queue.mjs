// libsignal runs its work on a session in a queue of one global map, keyed by the other side's address. Two things are
// wrong with that here: two WhatsApp sessions that write to one contact wait for each other, and a job runs in the
// asynchronous context of whoever started the queue, so that its key changes land in somebody else's transaction (or in
// none). This puts a queue in its place that knows whose job it is and keeps the job's own context. Import it before
// Baileys.
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { createRequire } from 'node:module';

const owner = new AsyncLocalStorage();
const fromBaileys = createRequire(import.meta.resolve('baileys'));
const queuePath = fromBaileys.resolve('libsignal/src/queue_job.js');
const queueJob = fromBaileys(queuePath);

fromBaileys.cache[queuePath].exports = (bucket, job) =>
  queueJob(`${owner.getStore() ?? ''} ${bucket}`, AsyncResource.bind(job));

// Runs work so that what it queues is queued for this owner (a session's id) alone.
export function asOwner(id, work) {
  return owner.run(id, work);
}
