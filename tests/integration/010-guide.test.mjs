// The integration guide, step by step, with its own code unchanged.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import express from 'express';
import { guideCurl, writeFinanceApp } from './support/guide.mjs';
import { guideStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

const exec = promisify(execFile);
const PHONE = '+1234567890';

let stack;
let app; // the guide's modules
let tenantId;
let apiKey;
let contact;
let server;
const tables = { payments: [], bills: [], invoices: [], messages: [] };

before(async () => {
  stack = await guideStack();
});

after(async () => {
  server?.closeAllConnections();
  server?.close();
  await stack?.stop();
});

async function runCurl(part, replacements) {
  const host = stack.url.replace('http://', '');
  const command = await guideCurl(part, { YOUR_AGENT_HOST: host, ...replacements });
  // Only a development stack takes the operator's calls from this machine without the token.
  const token = stack.isRemote && command.includes('/tenants') ? `-H 'Authorization: Bearer ${stack.WA_ADMIN_TOKEN}'` : '';
  const { stdout } = await exec('bash', ['-c', command.replace('curl ', `curl -sS ${token} `)]);
  return JSON.parse(stdout);
}

// The finance app's own database, as far as the guide's code uses one.
function defineModels() {
  globalThis.Payment = {
    create: async (row) => (tables.payments.push(row), row),
    findOne: async ({ reference }) => tables.payments.find((p) => p.reference === reference),
  };
  globalThis.Bill = {
    find: async () => tables.bills,
    findById: async (id) => tables.bills.find((b) => b.billId === id),
  };
  globalThis.Invoice = { findById: async (id) => tables.invoices.find((i) => i.id === id) };
  globalThis.Message = {
    create: async (row) => tables.messages.push(row),
    updateOne: async ({ message_id }, change) => {
      const row = tables.messages.find((m) => m.message_id === message_id);
      if (row) Object.assign(row, change);
    },
  };
}

async function lastShown(pattern) {
  return until(`the phone to show ${pattern}`, async () => {
    const answer = await fetch(`${stack.url}/api/v1/sandbox/outbox?phone=${encodeURIComponent(PHONE)}`, {
      headers: { 'X-API-Key': apiKey },
    });
    return (await answer.json()).find((m) => pattern.test(m.message_body ?? m.caption ?? ''));
  });
}

test('step 1: the curl lines make a tenant and a key', async () => {
  const tenant = await runCurl('/api/v1/tenants \\', {});
  tenantId = tenant.tenant_id;
  assert.equal(typeof tenantId, 'number');
  const key = await runCurl('/api-keys', { '{tenant_id}': String(tenantId) });
  apiKey = key.api_key;
  assert.match(apiKey, /^sk_live_/);
});

test('step 2: WhatsAppService.js upserts a contact', async () => {
  process.env.WHATSAPP_API_URL = stack.url;
  process.env.WHATSAPP_API_KEY = apiKey;
  defineModels();
  const folder = await writeFinanceApp();
  const load = async (file) => import(path.join(folder, file));
  app = {
    whatsapp: (await load('index.js')).default,
    payments: await load('payments/PaymentController.js'),
    reminders: await load('bills/BillReminder.js'),
    late: await load('bills/LatePaymentNotice.js'),
    invoices: await load('invoices/SendInvoice.js'),
    router: (await load('webhooks/whatsappWebhook.js')).default,
    jobs: (await import('node-cron')).jobs,
  };
  contact = await app.whatsapp.upsertContact(PHONE, 'John', 'Doe', 'john@example.com');
  assert.equal(typeof contact.id, 'number');
  const again = await app.whatsapp.upsertContact(PHONE, 'John', 'Doe', 'john@example.com');
  assert.equal(again.id, contact.id);
  assert.equal((await app.whatsapp.getContact(contact.id)).first_name, 'John');
});

test('step 4: the webhook is registered by its curl line and taken by the guide\'s router', async () => {
  const web = express().use(express.json()).use('/webhooks', app.router);
  web.post('/api/payments/confirm', express.json(), app.payments.confirmPayment);
  server = await new Promise((resolve) => {
    const listening = web.listen(0, stack.here, () => resolve(listening));
  });
  const hook = await runCurl('/webhooks/register', {
    sk_live_abc123xyz789: apiKey,
    'https://your-finance-app.com': `http://${stack.here}:${server.address().port}`,
  });
  assert.match(hook.webhook_id, /^wh_/);
  assert.match(hook.secret, /^whsec_/);
});

test('step 3: a payment confirmation is shown on the phone and reported delivered', async () => {
  const answer = await fetch(`http://${stack.here}:${server.address().port}/api/payments/confirm`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ customerId: contact.id, amount: 500, transactionId: 'TXN123456' }),
  });
  assert.equal((await answer.json()).success, true);
  const shown = await lastShown(/Payment Confirmed/);
  assert.match(shown.message_body, /Transaction ID: TXN123456/);
  assert.equal(shown.copies, 1);
  await until('the message to be delivered', async () => {
    const messages = await app.whatsapp.getConversation(contact.id);
    return messages.find((m) => m.direction === 'outgoing' && ['delivered', 'read'].includes(m.status));
  });
});

test('step 3: a bill reminder', async () => {
  tables.bills.push({ billId: 'B-1', amount: 70, dueDate: new Date(), customerId: contact.id, accountNumber: '12-34' });
  await app.jobs.at(-1).job();
  assert.match((await lastShown(/Bill Reminder/)).message_body, /Reference: B-1/);
});

test('step 3: a late payment notice', async () => {
  await app.late.sendLatePaymentNotice('B-1');
  assert.match((await lastShown(/Payment Overdue/)).message_body, /Account: 12-34/);
});

test('step 3: an invoice link', async () => {
  tables.invoices.push({ id: 7, invoiceNumber: 'INV-7', total: 9, dueDate: new Date() });
  await app.invoices.sendInvoice(contact.id, 7);
  assert.match((await lastShown(/Invoice is Ready/)).message_body, /https:\/\/finance\.app\/invoices\/7\/download/);
});

test('step 2: an image with a caption', async () => {
  const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
  server.removeAllListeners('request');
  const web = express();
  web.get('/invoice.png', (req, res) => res.type('png').send(png));
  web.use(express.json()).use('/webhooks', app.router);
  server.on('request', web);
  await app.whatsapp.sendMediaMessage(contact.id, `http://${stack.here}:${server.address().port}/invoice.png`, 'Your invoice');
  const shown = await lastShown(/^Your invoice$/);
  assert.equal(shown.message_type, 'image');
  assert.match(shown.media_sha256, /^[0-9a-f]{64}$/);
});

test('step 4: PAY123 comes in, is stored, and is answered', async () => {
  tables.payments.push({ reference: 'PAY123', amount: 500, status: 'confirmed' });
  const answer = await fetch(`${stack.url}/api/v1/sandbox/inbound`, {
    method: 'POST',
    headers: { 'X-API-Key': apiKey, 'Content-Type': 'application/json' },
    body: JSON.stringify({ from: PHONE, body: 'PAY123' }),
  });
  assert.equal(answer.status, 202);
  await lastShown(/We found your payment/);
  const stored = await until('the finance app to store it', () => tables.messages.find((m) => m.message_body === 'PAY123'));
  assert.equal(stored.contact_id, contact.id);
  const conversation = await app.whatsapp.getConversation(contact.id);
  const incoming = conversation.filter((m) => m.direction === 'incoming');
  assert.deepEqual(incoming.map((m) => m.message_body), ['PAY123']);
  assert.ok(conversation.findIndex((m) => m.message_body === 'PAY123')
    < conversation.findIndex((m) => /We found your payment/.test(m.message_body)), 'oldest first');
});

test('step 4: delivery reports reach the guide\'s handler', async () => {
  tables.messages.push({ message_id: 'none' });
  const sent = await app.whatsapp.sendMessage(contact.id, 'Is this delivered?');
  tables.messages.push(sent);
  const row = await until('handleDelivery to update it', () => tables.messages.find((m) => m.message_id === sent.message_id && m.delivered_at));
  assert.equal(row.status, 'delivered');
});

test('step 8: health and docs answer as the guide says', async () => {
  const health = await fetch(`${stack.url}/api/v1/health`);
  assert.equal(health.status, 200);
  assert.equal((await health.json()).status, 'ok');
  const docs = await fetch(`${stack.url}/docs`);
  assert.equal(docs.status, 200);
  assert.match(docs.headers.get('content-type'), /text\/html/);
});

test('troubleshooting: the guide\'s two phrases stand in `detail`', async () => {
  const wrong = await fetch(`${stack.url}/api/v1/contacts`, { headers: { 'X-API-Key': 'sk_live_abc123xyz789' } });
  assert.equal(wrong.status, 401);
  assert.equal((await wrong.json()).detail, 'API key not found');
  const none = await fetch(`${stack.url}/api/v1/contacts/2000000000`, { headers: { 'X-API-Key': apiKey } });
  assert.equal(none.status, 404);
  assert.equal((await none.json()).detail, 'Contact not found');
});
