#!/usr/bin/env node
// A WhatsApp server for tests and development. --help tells how; README.md tells what it is.
import './lib/quiet.mjs';
import fs from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { adminHandler, adminServer } from './lib/admin.mjs';
import { Double } from './lib/double.mjs';
import { keepWorld, restoreWorld } from './lib/keep.mjs';
import { prepareRoot, prepareTls } from './lib/tls.mjs';

const HELP = `usage: node server.mjs [options]
  --port N          where WhatsApp is: wss://NAME:N/ws/chat and the media host (default: a free one)
  --admin-port N    the admin API, http://127.0.0.1:N (default: a free one)
  --listen ADDRESS  what --port listens on (default 127.0.0.1)
  --name NAME       what clients call it by (default 127.0.0.1)
  --data DIR        keeps the test CA, the root key and, when it ends in order, all accounts and messages
                    (default: a temporary folder, gone at the end)
  --ready-file FILE is written with what GET /info says once everything is up
SIGTERM or SIGINT ends it.
`;

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'admin-port': { type: 'string', default: '0' },
    listen: { type: 'string', default: '127.0.0.1' },
    name: { type: 'string', default: '127.0.0.1' },
    data: { type: 'string' },
    'ready-file': { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

function listen(server, port, address) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(port), address, () => resolve(server.address().port));
  });
}

function writeWhole(file, text) {
  fs.writeFileSync(`${file}.new`, text);
  fs.renameSync(`${file}.new`, file);
}

const folder = options.data ?? fs.mkdtempSync(path.join(os.tmpdir(), 'whatsapp-double-'));
fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
const root = prepareRoot(folder);
const { tls, caFile } = prepareTls(folder, [...new Set([options.name, '127.0.0.1', 'localhost'])]);
const double = new Double(root);
const worldFile = path.join(folder, 'world.json');
restoreWorld(double.world, worldFile);
const info = { pid: process.pid, root_key: root.public.toString('hex'), ca_file: path.resolve(caFile) };
const admin = adminHandler(double, info);
const main = https.createServer(tls, (request, response) => {
  if (double.media.serve(request, response)) return;
  // Baileys' own end-to-end tests scan on the port of the server itself; the rest of the admin API is on loopback alone.
  if (request.url.startsWith('/admin/mock-phone/scan-qr')) admin(request, response);
  else response.writeHead(404).end();
});
main.on('upgrade', (request, socket, head) => double.upgrade(request, socket, head));
const side = adminServer(double, info);

const port = await listen(main, options.port, options.listen);
const adminPort = await listen(side, options['admin-port'], '127.0.0.1');
double.media.host = `${options.name}:${port}`;
info.ws_url = `wss://${options.name}:${port}/ws/chat`;
info.admin_url = `http://127.0.0.1:${adminPort}`;
const ready = `${JSON.stringify(info)}\n`;
if (options['ready-file']) writeWhole(options['ready-file'], ready);
process.stdout.write(ready);

let stopping = false;
async function stop() {
  if (stopping) return;
  stopping = true;
  double.close();
  await double.rest();
  for (const server of [main, side]) {
    server.close();
    server.closeAllConnections();
  }
  if (options.data) keepWorld(double.world, worldFile);
  else fs.rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
