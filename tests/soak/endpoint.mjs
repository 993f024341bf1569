// The customers' endpoints, one path each. Path 0 is always well; each other one misbehaves for a third of every minute, in
// another way each minute. Keeps nothing but counts.
import http from 'node:http';

const MINUTE_MS = 60_000;
const BAD_MS = 20_000;

// Each answers, or does not. The endpoint waits 2 s for an answer (WA_WEBHOOK_TIMEOUT).
const MANNERS = {
  error: (res) => res.writeHead(500).end('{"error":"internal"}'),
  refused: (res) => res.writeHead(422).end('no'),
  busy: (res) => res.writeHead(429, { 'Retry-After': '2' }).end(),
  slow: (res) => setTimeout(() => res.destroyed || res.end('{}'), 4_000).unref(),
  reset: (res) => res.socket?.resetAndDestroy(),
  redirect: (res) => res.writeHead(302, { Location: 'http://127.0.0.1:1/' }).end(),
  long: (res) => res.writeHead(500).end('x'.repeat(200_000)),
  drip: (res) => {
    res.writeHead(200);
    const timer = setInterval(() => (res.destroyed ? clearInterval(timer) : res.write('.')), 300);
    res.on('close', () => clearInterval(timer));
  },
  garbage: (res) => res.socket?.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort'),
  gone: (res) => res.writeHead(410).end(), // disables the webhook; the load enables it again
};

export class Endpoint {
  constructor() {
    this.counts = {};
    this.server = http.createServer((req, res) => this.take(req, res));
    this.server.on('connection', (socket) => socket.on('error', () => {}));
    this.born = Date.now();
  }

  async start() {
    await new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(0, '127.0.0.1', resolve);
    });
    this.base = `http://127.0.0.1:${this.server.address().port}`;
  }

  url(index) {
    return `${this.base}/hook/${index}`;
  }

  mannerOf(index) {
    const age = Date.now() - this.born + index * 17_000;
    if (index === 0 || age % MINUTE_MS >= BAD_MS) return null;
    const names = Object.keys(MANNERS);
    return names[(Math.floor(age / MINUTE_MS) + index) % names.length];
  }

  take(req, res) {
    if (req.url === '/media.png') {
      req.resume();
      return res.writeHead(200, { 'Content-Type': 'image/png' }).end(PICTURE);
    }
    const manner = this.mannerOf(Number(req.url.split('/').at(-1)));
    req.resume();
    req.on('error', () => {});
    res.on('error', () => {});
    return req.on('end', () => {
      this.counts[manner ?? 'well'] = (this.counts[manner ?? 'well'] ?? 0) + 1;
      if (manner) MANNERS[manner](res);
      else res.writeHead(200).end('{}');
    });
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const PICTURE = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==', 'base64');
