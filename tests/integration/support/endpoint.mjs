// A customer's webhook endpoint: records every POST with its raw body, checks signatures, answers as told.
import crypto from 'node:crypto';
import http from 'node:http';
import { until } from './until.mjs';

/** `address`: where it listens, and where the stack finds it. */
export async function startEndpoint(answer = () => 200, address = '127.0.0.1') {
  const endpoint = new Endpoint(answer, address);
  await endpoint.listen();
  return endpoint;
}

class Endpoint {
  /** answer(post) gives a status, or {status, headers, body}, or null to never answer. */
  constructor(answer, address) {
    this.answer = answer;
    this.address = address;
    this.posts = [];
    this.server = http.createServer((req, res) => this.take(req, res));
  }

  async listen(port = 0) {
    await new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, this.address, resolve);
    });
    this.server.unref(); // a test that fails before it closes its endpoint must not hang
    this.port = this.server.address().port;
    this.url = `http://${this.address}:${this.port}/webhooks/whatsapp`;
  }

  async take(req, res) {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const raw = Buffer.concat(chunks);
    const post = { at: Date.now(), headers: req.headers, raw, body: JSON.parse(raw.toString('utf8')) };
    this.posts.push(post);
    const told = await this.answer(post);
    if (told === null) return;
    const { status = 200, headers = {}, body = '{"success":true}' } = typeof told === 'number' ? { status: told } : told;
    res.writeHead(status, headers).end(body);
  }

  events(type) {
    return this.posts.map((p) => p.body).filter((b) => !type || b.event === type);
  }

  async event(type, match = () => true, timeoutMs = 30_000) {
    return until(`a webhook ${type}`, () => this.events(type).find(match), timeoutMs);
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** The Standard Webhooks signature, computed independently of the product. */
export function standardSignature(secret, id, timestamp, raw) {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const mac = crypto.createHmac('sha256', key).update(`${id}.${timestamp}.`).update(raw).digest('base64');
  return `v1,${mac}`;
}

/** The guide's header: HMAC-SHA256 of `t.body` with the whole secret. */
export function guideSignature(secret, timestamp, raw) {
  return crypto.createHmac('sha256', secret).update(`${timestamp}.`).update(raw).digest('hex');
}
