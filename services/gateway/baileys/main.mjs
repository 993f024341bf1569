// The worker: one process, many WhatsApp sessions, driven by the gateway over descriptor 3. See docs/engine-baileys.md.
import './silence.mjs';
import './libsignal_mended.mjs';
import { Socket } from 'node:net';
import { Worker } from './worker.mjs';

process.umask(0o077); // media is encrypted into temporary files
new Worker(new Socket({ fd: 3, readable: true, writable: true })).start();
