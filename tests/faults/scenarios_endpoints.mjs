// Scenarios about customers' endpoints.
import { until } from '../integration/support/until.mjs';
import { HOSTILE_MODES, StalledTls } from './endpoint.mjs';
import { FATES } from './workload.mjs';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const slower = (times) => ({ fates: FATES.map((fate) => ({ ...fate, pause_ms: times * fate.pause_ms })) });

export const ENDPOINT_SCENARIOS = {
  hostile_endpoint: {
    about: 'an endpoint drips, never ends, floods, packs a bomb, sends 10 MB of headers, stalls in TLS, resets, redirects; others are served as ever',
    hold_s: 120,
    meta: { hostile_index: 0 },
    load: slower(4), // so that what waits, waits for the endpoint
    settings: { WA_WEBHOOK_RETRY_SCHEDULE: `300ms,500ms${',1500ms'.repeat(30)}` },
    async play(trial) {
      const { injector, workload } = trial;
      const [customer] = workload.customers; // of endpoint 0
      trial.stalled = [];
      await until('the leases to be shared out', () => trial.watch.areLeasesShared(), 20_000); // who gives one back lets its POSTs end first
      await sleep(6000); // with which the checker compares
      trial.history.add('hostile', {});
      for (const isDripping of [false, true]) {
        const stalled = await new StalledTls(trial.history, 0, isDripping).start();
        stalled.hook = await customer.webhook(stalled.url, ['message_sent']);
        trial.stalled.push(stalled);
      }
      for (const mode of [...HOSTILE_MODES, 'reset', 'redirect', 'slow', 'error', 'down']) {
        await injector.fault({ kind: 'endpoint', target: 0, mode, for_ms: 2800 });
      }
      for (const { hook, taken } of trial.stalled) {
        trial.history.add('tried', { what: 'a handshake that stalls', times: taken });
        await customer.http.delete(`/webhooks/${hook.webhook_id}`);
      }
    },
    async cleanUp({ stalled = [] }) {
      for (const server of stalled) await server.stop();
    },
  },

  silent_overslept: {
    about: 'webhookers are stopped for longer than their leases while POSTs to a silent endpoint are under way, and go on',
    meta: { settle_limit_ms: 40_000 },
    load: slower(3),
    async play({ injector }) {
      for (let n = 0; n < 6; n++) {
        const slept = sleep(1000).then(() => injector.fault({ kind: 'pause', target: `webhooker-${1 + (n % 2)}`, for_ms: 3500 }));
        await injector.fault({ kind: 'endpoint', target: n % 3, mode: 'silent', until: slept.then(() => sleep(1000)) });
        await sleep(1500);
      }
    },
  },

  webhook_kills: {
    about: 'the webhookers are killed when an endpoint has said 200, before they can write it down',
    meta: { expects_repeats: true, settle_limit_ms: 40_000 },
    load: slower(3),
    async play({ endpoint, injector }) {
      for (let n = 0; n < 14; n++) {
        const answered = new Promise((resolve) => { endpoint.onAnswered = resolve; });
        const kill = answered.then(() => injector.fault({ kind: 'kill_kind', target: 'webhooker' }));
        await injector.fault({ kind: 'endpoint', target: n % 3, mode: 'answer_and_kill', until: kill });
        await sleep(700);
      }
    },
  },

  secrets_rotated: {
    about: "endpoints' secrets are rotated, with and without overlap, while webhookers die",
    async play({ workload, injector, history, random }) {
      for (let n = 0; n < 9; n++) {
        await sleep(random.whole(800, 1800));
        const overlap_s = random.pick([0, 3, 10]);
        const hook = workload.hooks[n % workload.hooks.length];
        const customer = workload.customers[hook.index];
        const answer = await customer.post(`/webhooks/${hook.webhook_id}/rotate-secret`, { overlap_s });
        if (answer.status !== 201) throw new Error(`rotate-secret: ${answer.status} ${JSON.stringify(answer.data)}`);
        const now = Date.now();
        history.add('secret_end', { index: hook.index, secret: hook.secret, until: now + overlap_s * 1000 });
        history.add('webhook', { index: hook.index, tenant: customer.tenantId, secret: answer.data.secret, events: hook.events, from: now });
        hook.secret = answer.data.secret;
        if (n % 3 === 0) await injector.fault({ kind: 'kill', target: `webhooker-${1 + (n % 2)}` });
      }
    },
  },

  busy_endpoint: {
    about: '429 with Retry-After: nothing is posted again before that',
    meta: { strict_retry_after: true },
    async play({ injector }) {
      for (let n = 0; n < 5; n++) await injector.fault({ kind: 'endpoint', target: n % 3, mode: 'busy', for_ms: 3000 });
    },
  },

  gone_endpoint: {
    about: '410 ends an endpoint: nothing is posted to it any more, and the operator sees it; another one of the tenant goes on',
    endpoints: 4,
    async play({ endpoint, workload, history, injector }) {
      const customer = workload.customers[0];
      const { webhook_id } = await workload.addWebhook(3, customer);
      await until('it to be posted to', () => history.entries.some((e) => e.e === 'hook' && e.index === 3), 15_000);
      const isDisabled = async () => Boolean((await customer.get(`/webhooks/${webhook_id}`)).data.disabled_at);
      await injector.fault({ kind: 'endpoint', target: 3, mode: 'gone', until: until('it to be disabled', isDisabled, 15_000).catch(() => {}) });
      history.add('gone', { index: 3, is_disabled: await isDisabled() });
      await sleep(8000);
      if (endpoint.modes[3] !== 'ok') throw new Error('the endpoint is not well again');
    },
  },
};
