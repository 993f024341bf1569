// No statement of the hot path scans: its plans, made while every table was empty, still probe indexes when a queue is full.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newCustomer } from './support/customer.mjs';
import { startEndpoint } from './support/endpoint.mjs';
import { judgeWebhooks, makeContacts, sendAll } from './support/load.mjs';
import { startStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

const BACKLOG = 4000;
const MESSAGES = 400;
const CONTACTS = 60;
// Rows of a table, or entries of its indexes, for one message. On a busy machine a delivery looks at up to thirty open ones of its contact
// before it; and making the contacts, whose table is then a few pages, scans a dozen. One look at the backlog by each batch of messages is above it.
const MOST_READ = 60;
const GROWING = ['messages', 'contact_numbers', 'idempotency_keys', 'conversations', 'ledger', 'events', 'deliveries'];
let stack;
let endpoint;

before(async () => {
  stack = await startStack();
  endpoint = await startEndpoint();
});
after(async () => {
  await endpoint?.close();
  await stack?.stop();
});

/** What was read of each growing table so far: rows by scanning it, entries of its indexes. Days' partitions are summed up. */
async function reads() {
  const rows = await stack.sql(
    `SELECT t.relname AS name, t.seq_tup_read::int AS scanned, coalesce(sum(i.idx_tup_read), 0)::int AS probed
     FROM pg_stat_user_tables t LEFT JOIN pg_stat_user_indexes i USING (relid)
     GROUP BY t.relid, t.relname, t.seq_tup_read`);
  const sums = Object.fromEntries(GROWING.map((name) => [name, { scanned: 0, probed: 0 }]));
  for (const row of rows) {
    const sum = sums[row.name.replace(/_(\d{8}|default)$/, '')];
    if (!sum) continue;
    sum.scanned += row.scanned;
    sum.probed += row.probed;
  }
  return sums;
}

/** A process tells what it did when it is idle: when the last write of these messages shows, so does what came before it. */
async function readsAfter(messages) {
  await until('the statistics to tell of every event and delivery', async () => {
    const [{ events, deliveries }] = await stack.sql(
      `SELECT sum(n_tup_ins) FILTER (WHERE relname LIKE 'events%')::int AS events,
         sum(n_tup_upd) FILTER (WHERE relname LIKE 'deliveries%')::int AS deliveries FROM pg_stat_user_tables`);
    if (events < 3 * messages || deliveries < 3 * messages) throw new Error(`${events} events, ${deliveries} deliveries`);
    return true;
  });
  return reads();
}

async function sessionEpochs() {
  const [{ epochs }] = await stack.sql(`SELECT sum(epoch)::int AS epochs FROM leases WHERE kind = 'session'`);
  return epochs;
}

async function sendRound() {
  const customer = await newCustomer(stack);
  await customer.webhook(endpoint.url, ['message_sent', 'message_delivered', 'message_read']);
  const contacts = await makeContacts(customer, CONTACTS);
  const accepted = await sendAll(customer, contacts, MESSAGES);
  await judgeWebhooks(endpoint, contacts, accepted);
}

test('what is read for a message does not grow with the queue', async () => {
  await sendRound(); // every plan is made now
  await stack.sql(
    `INSERT INTO messages (id, tenant_id, contact_id, session_id, partition, direction, type, status, open, created_at, due_at, send_at, wa_message_id, phone, body)
     SELECT 'msg_backlog' || n, m.tenant_id, m.contact_id, m.session_id, m.partition, 0, m.type, 1, true, now(), now() + interval '1 day', now() + interval '1 day',
       'BACKLOG' || n, m.phone, 'later'
     FROM generate_series(1, $1) AS n, (SELECT * FROM messages LIMIT 1) AS m`, [BACKLOG]);

  const before = await sessionEpochs();
  await sendRound();
  const sums = await readsAfter(2 * MESSAGES);
  // Whoever takes a session over looks once through all that waits for it. On a busy machine a gateway may lose its lease.
  sums.messages.probed -= ((await sessionEpochs()) - before) * BACKLOG;

  for (const name of GROWING) {
    for (const how of ['scanned', 'probed']) {
      const rows = sums[name][how] / (2 * MESSAGES);
      if (rows < MOST_READ) continue;
      const indexes = await stack.sql(
        `SELECT indexrelname AS index, idx_scan::int AS scans, idx_tup_read::int AS entries FROM pg_stat_user_indexes WHERE idx_tup_read > $1`, [BACKLOG]);
      assert.fail(`${rows} rows of ${name} were ${how} for a message: ${JSON.stringify(indexes)}`);
    }
  }
});
