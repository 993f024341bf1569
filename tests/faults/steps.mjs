// The marked steps of the daemons (common/io/marked_step.h), and how to arm them: in stacks of a build that has them only.
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

export const STEPS = {
  api: ['api_accept_before_commit', 'api_accept_committed', 'api_accept_published', 'api_cancel_committed'],
  sender: ['sender_partition_gained', 'sender_dispatch_checked', 'sender_dispatched', 'sender_entry_taken', 'sender_due_queued',
    'sender_expired'],
  gateway: ['gateway_session_loaded', 'gateway_settle_committed', 'gateway_claim_before_commit', 'gateway_claim_answered', 'gateway_claim_committed',
    'gateway_handed_over', 'gateway_engine_took', 'gateway_progress_before_commit', 'gateway_progress_committed',
    'gateway_move_before_commit', 'gateway_move_committed', 'gateway_inbound_before_commit', 'gateway_inbound_committed'],
  webhooker: ['webhooker_pump', 'webhooker_partition_gained', 'webhooker_entry_taken', 'webhooker_delivery_rendered', 'webhooker_delivery_posted',
    'webhooker_delivery_answered', 'webhooker_record_before_commit', 'webhooker_record_committed'],
};

const LOOK_MS = 20;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Steps {
  constructor(folder) {
    this.folder = folder;
    this.serial = 0;
  }

  static async make() {
    return new Steps(await mkdtemp(path.join(os.tmpdir(), 'wa-steps-')));
  }

  /** For the stack's environment. */
  get settings() {
    return { MARKED_STEPS: this.folder };
  }

  /** `who` (an instance or a service) is hit at the step's hit-th time. Gives the arm, for the calls below. */
  async arm(who, step, { hit = 1, does = 'kill', often = 'once', subject = '' } = {}) {
    if (!Object.values(STEPS).flat().includes(step)) throw new Error(`there is no step ${step}`);
    await mkdir(this.folder, { recursive: true });
    const arm = `${++this.serial}`;
    const file = path.join(this.folder, arm);
    await writeFile(file, `${who} ${step} ${hit} ${does} ${often} ${subject}\n`);
    await rename(file, `${file}.arm`);
    return arm;
  }

  /** The processes that were hit so far. */
  async victims(arm) {
    const files = await readdir(this.folder);
    return files.filter((f) => f.startsWith(`${arm}.fired.`)).map((f) => Number(f.slice(`${arm}.fired.`.length)));
  }

  /** The pids of `count` processes that were hit; null when there were not as many in time. */
  async wait(arm, { timeout_ms = 15_000, count = 1 } = {}) {
    const until = Date.now() + timeout_ms;
    for (;;) {
      const victims = await this.victims(arm);
      if (victims.length >= count) return victims;
      if (Date.now() > until) return null;
      await sleep(LOOK_MS);
    }
  }

  /** Nobody is hit by it from now on; whom it had hit before stands in the answer. */
  async disarm(arm) {
    await rm(path.join(this.folder, `${arm}.arm`), { force: true });
    return this.victims(arm);
  }

  async remove() {
    await rm(this.folder, { recursive: true, force: true });
  }
}
