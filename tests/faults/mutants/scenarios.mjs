// What is played to unmask a mutant: a few messages, and one fault at the moment that matters. The tree as it is passes each.

const RECIPIENT_INTERVAL_MS = 7000;

export const SCENARIOS = {
  // An api dies between the commit and its entry; the repeated call is told of the message by the other api.
  lost_entry: {
    async play(stage) {
      const contact = await stage.contact();
      const hit = await stage.arm('api', 'api_accept_committed', { subject: contact.phone });
      await stage.send(contact, 'send');
      await hit();
    },
  },

  // The same, and the contact's next message, whose entry arrives, follows at once.
  lost_entry_then_another: {
    async play(stage) {
      const contact = await stage.contact();
      const hit = await stage.arm('api', 'api_accept_committed', { subject: contact.phone });
      await stage.send(contact, 'send');
      await stage.sleep(5); // one call has ended before the other begins, for a clock of milliseconds too
      await stage.send(contact, 'send');
      await hit();
    },
  },

  // The first call is committed and unanswered; it is repeated, and once more later.
  repeated_key: {
    async play(stage) {
      const contact = await stage.contact();
      const hit = await stage.arm('api', 'api_accept_committed', { subject: contact.phone });
      const same = { key: 'k-same', body: stage.newBody() };
      await stage.send(contact, 'send', {}, same);
      await hit();
      await stage.send(contact, 'again', {}, same);
    },
  },

  // An api sleeps with a call that it has not written yet; meanwhile its valid_until passes, and another api refuses the second try.
  refused_then_written: {
    async play(stage) {
      const contact = await stage.contact();
      await Promise.all([1, 2, 3, 4].map(() => stage.send(contact, 'send'))); // both apis know key and contact
      const sleeping = await stage.arm('api', 'api_accept_before_commit', { does: 'stop', subject: contact.phone });
      const call = stage.send(contact, 'short_lived', { valid_until: new Date(Date.now() + 1500).toISOString() });
      const [pid] = await sleeping();
      await call;
      stage.resume(pid);
    },
  },

  once_side_by_side: {
    async play(stage) {
      const contacts = await stage.many(20);
      await Promise.all(contacts.map((contact) => stage.op_once(contact)));
    },
  },

  // Postgres stops in the middle, and dies with all that it had not committed.
  postgres_dies: {
    async play(stage) {
      const contacts = await stage.many(20);
      await Promise.all(contacts.map((contact) => stage.send(contact, 'send'))); // every api knows keys and contacts now
      const revive = await stage.stopPostgres();
      const sent = Promise.all(contacts.map((contact) => stage.send(contact, 'send')));
      await Promise.race([sent, stage.sleep(1500)]); // the tree as it is answers nothing good while Postgres stands still
      await revive.never();
      await sent;
    },
  },

  // The end of the attempt is not known; nothing else happens.
  ack_lost: {
    settings: { WA_SEND_RETRY_SCHEDULE: '300ms,300ms' },
    async play(stage) {
      const contacts = await stage.many(3, '0005');
      await Promise.all(contacts.map((contact) => stage.send(contact, 'send')));
    },
  },

  // Acknowledgements come later than they are waited for, and before the next attempt is due.
  late_acks: {
    settings: { WA_SANDBOX_ACK_DELAY: '1500ms', WA_SEND_RETRY_SCHEDULE: '2s,2s' },
    meta: { most_copies: 1 },
    async play(stage) {
      const contacts = await stage.many(3);
      await Promise.all(contacts.map((contact) => stage.send(contact, 'send')));
    },
  },

  // WhatsApp has it and says so only after the last attempt was given up.
  acks_too_late: {
    settings: { WA_SANDBOX_ACK_DELAY: '4s', WA_SEND_RETRY_SCHEDULE: '300ms' },
    async play(stage) {
      const contact = await stage.contact('0004');
      const answer = await stage.send(contact, 'send');
      await stage.reaches(answer, 'failed');
    },
  },

  // A gateway stops before its claim and sleeps past its lease. The next owner has the lease and not yet looked at anything when it goes on.
  claim_overslept: {
    async play(stage) {
      const contact = await stage.contact();
      const before_claim = await stage.arm('gateway', 'gateway_claim_before_commit', { does: 'stop', subject: contact.phone });
      await stage.send(contact, 'send');
      const [old_owner] = await before_claim();
      const loaded = await stage.arm('gateway', 'gateway_session_loaded', { does: 'stop' });
      const [new_owner] = await loaded();
      const answered = await stage.arm('gateway', 'gateway_claim_answered', { does: 'stop' });
      stage.resume(old_owner);
      await answered();
      stage.resume(new_owner);
      stage.resume(old_owner);
    },
  },

  // A sender stops just before it dispatches and sleeps past its lease. Another has the partition when it goes on.
  dispatch_overslept: {
    prepare: { session: { engine: 'sandbox', recipient_interval_ms: RECIPIENT_INTERVAL_MS, recipient_burst: 1 } },
    meta: { recipient_interval_ms: RECIPIENT_INTERVAL_MS },
    async play(stage) {
      const contact = await stage.contact();
      const checked = await stage.arm('sender', 'sender_dispatch_checked', { does: 'stop', subject: contact.phone });
      const first = await stage.send(contact, 'send');
      const second = await stage.send(contact, 'send');
      const [pid] = await checked();
      await stage.oversleep(pid, 'partition', [await stage.partition(first)]);
      stage.resume(pid);
      await stage.reaches(second, 'read');
    },
  },

  // A gateway dies between its claim and the hand-over.
  death_after_claim: {
    async play(stage) {
      const contact = await stage.contact();
      const hit = await stage.arm('gateway', 'gateway_claim_committed', { subject: contact.phone });
      await stage.send(contact, 'send');
      await hit();
    },
  },

  // A gateway dies when WhatsApp has the message and has not said so.
  death_before_ack: {
    async play(stage) {
      const contact = await stage.contact();
      const hit = await stage.arm('gateway', 'gateway_engine_took', { subject: contact.phone });
      await stage.send(contact, 'send');
      await hit();
    },
  },

  // A message is in flight when its sender asks to cancel it.
  cancel_in_flight: {
    settings: { WA_SANDBOX_ACK_DELAY: '2s', WA_ACK_TIMEOUT: '5s' },
    async play(stage) {
      const contact = await stage.contact();
      const answer = await stage.send(contact, 'cancellable');
      await stage.until('the message to be shown', () => stage.isShown(answer));
      await stage.cancel(contact, answer.data.message_id);
    },
  },

  // A message is in flight when it is no longer wanted.
  expires_in_flight: {
    settings: { WA_SANDBOX_ACK_DELAY: '4s', WA_ACK_TIMEOUT: '8s' },
    async play(stage) {
      const contact = await stage.contact();
      const answer = await stage.send(contact, 'short_lived', { valid_until: new Date(Date.now() + 1500).toISOString() });
      await stage.reaches(answer, 'read', 'expired');
    },
  },

  // What a phone wrote cannot be committed; the gateway dies before it can.
  inbound_uncommitted: {
    async play(stage) {
      const contact = await stage.contact();
      const release = await stage.lockMessages();
      await stage.op_inbound(contact);
      await stage.until('the gateway to wait for the lock', () => stage.isLockWaitedFor());
      // The tree as it is acknowledges nothing in this time.
      await Promise.race([stage.until('an acknowledgement', () => stage.isInboundGone()).catch(() => {}), stage.sleep(1500)]);
      await stage.killAll('gateway');
      await release();
    },
  },

  // What a phone wrote is committed and unacknowledged when the gateway dies: WhatsApp brings it again.
  inbound_again: {
    async play(stage) {
      const contact = await stage.contact();
      const hit = await stage.arm('gateway', 'gateway_inbound_committed', { subject: contact.phone });
      await stage.op_inbound(contact);
      await hit();
    },
  },

  // Redis forgets everything while dispatches wait in it.
  redis_forgets: {
    meta: { settle_limit_ms: 5000 },
    async play(stage) {
      const contacts = await stage.many(10);
      await stage.pauseAll('gateway');
      await Promise.all(contacts.map((contact) => stage.send(contact, 'send')));
      await stage.until('dispatches to wait in Redis', async () => (await stage.dispatched()) >= contacts.length);
      await stage.stack.redis('FLUSHALL');
      stage.resumeAll();
    },
  },

  // A webhooker dies before it has sent what it has in hand.
  death_before_post: {
    async play(stage) {
      const contact = await stage.contact();
      const hit = await stage.arm('webhooker', 'webhooker_delivery_rendered', { subject: String(contact.id) });
      await stage.send(contact, 'send');
      await hit();
    },
  },

  // Each gateway that hands over a certain message dies of it, until it is set aside.
  poison_message: {
    settings: { WA_SEND_RETRY_SCHEDULE: Array(30).fill('300ms').join() }, // not its attempts shall end it
    async play(stage) {
      const poison = await stage.contact();
      const others = await stage.many(8);
      const poisoned = await stage.armAlways('gateway', 'gateway_handed_over', poison.phone);
      await stage.send(poison, 'poison');
      const aside = await stage.untilMeanwhile(() => stage.setAside('message'), 45_000, async () => {
        await Promise.all(others.map((contact) => stage.send(contact, 'send')));
      });
      const deaths = await poisoned(aside !== null);
      if (aside !== null && deaths !== 4) throw new Error(`${deaths} gateways died of it, not twice two`);
    },
  },

  // Each webhooker that renders one certain event dies of it, until it is set aside; the operator puts it back when the fault is mended.
  poison_delivery: {
    async play(stage) {
      const poison = await stage.contact('0004'); // one event only: nothing later of it has to wait
      const others = await stage.many(8);
      const poisoned = await stage.armAlways('webhooker', 'webhooker_delivery_rendered', String(poison.id));
      await stage.send(poison, 'send');
      const aside = await stage.untilMeanwhile(() => stage.setAside('delivery'), 45_000, async () => {
        await Promise.all(others.map((contact) => stage.send(contact, 'send')));
      });
      const deaths = await poisoned(aside !== null);
      if (aside === null) return; // the checker finds what is still owed
      if (deaths !== 4) throw new Error(`${deaths} webhookers died of it, not twice two`);
      await stage.putBack(aside.id);
    },
  },

  // A gateway dies between the commit of an event and its entry; the entries of the later ones arrive.
  lost_event_entry: {
    settings: { WA_SANDBOX_DELIVER_DELAY: '300ms', WA_SANDBOX_READ_DELAY: '300ms' },
    async play(stage) {
      // All in one claim, so that one commit has the events of several contacts.
      const contacts = await stage.many(12);
      await stage.pauseAll('gateway');
      await Promise.all(contacts.map((contact) => stage.send(contact, 'send')));
      await stage.until('dispatches to wait in Redis', async () => (await stage.dispatched()) >= contacts.length);
      const hit = await stage.arm('gateway', 'gateway_progress_committed');
      stage.resumeAll();
      await hit();
      // The sender tells of these while the lost entries' events still wait to be found.
      const valid_until = new Date(Date.now() + 600).toISOString();
      await Promise.all(contacts.map((contact) => stage.send(contact, 'short_lived', { valid_until })));
    },
  },

  // A webhooker sleeps in the middle of its work, while its heartbeat waits in Postgres: its leases run out by its own clock, Postgres renews
  // them, and it goes on before it has noticed either.
  heartbeat_late: {
    async play(stage) {
      const contacts = await stage.many(32);
      for (let n = 0; n < 4; n++) {
        const release = await stage.lockLeases();
        const begin = Date.now();
        await stage.sleep(600); // the next heartbeat waits
        const asleep = await stage.arm(`webhooker-${1 + (n % 2)}`, 'webhooker_pump', { does: 'stop' });
        await Promise.all(contacts.map((contact) => stage.send(contact, 'send')));
        const [pid] = await asleep();
        await release();
        await stage.sleep(begin + 2350 - Date.now());
        stage.resume(pid);
        await stage.sleep(1500);
        await Promise.all(contacts.map((contact) => stage.send(contact, 'send')));
      }
    },
  },
};
