// A store that speaks like S3, as much of it as media files need: PUT, GET (with Range) and DELETE of objects in one bucket,
// path-style. It is strict: whatever is not signed as SigV4 wants it, with this key, now, for these bytes, is refused.
import crypto from 'node:crypto';
import http from 'node:http';

export const ACCESS_KEY = 'AKIATESTTESTTEST';
export const SECRET_KEY = 'a/secret+of/40=characters+for/the/tests';
export const BUCKET = 'wa-media';
export const REGION = 'eu-central-1';

const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => crypto.createHmac('sha256', key).update(data).digest();
const CLOCK_SKEW_MS = 15 * 60_000;

/** Why this request is refused, as S3 calls it; null: it is good. From Amazon's description, not from the product's code. */
export function signatureFault(req, body) {
  const parts = /^AWS4-HMAC-SHA256 Credential=([^,]+), *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})$/.exec(req.headers.authorization ?? '');
  if (!parts) return 'AccessDenied';
  const [, credential, signedHeaders, signature] = parts;
  const [accessKey, day, region, service, end] = credential.split('/');
  if (accessKey !== ACCESS_KEY) return 'InvalidAccessKeyId';
  if (region !== REGION || service !== 's3' || end !== 'aws4_request') return 'AuthorizationHeaderMalformed';
  const date = req.headers['x-amz-date'] ?? '';
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!(Math.abs(Date.now() - at) < CLOCK_SKEW_MS) || !date.startsWith(day)) return 'RequestTimeTooSkewed';
  if (req.headers['x-amz-content-sha256'] !== sha256(body)) return 'XAmzContentSHA256Mismatch';
  const names = signedHeaders.split(';');
  const needed = ['host', ...Object.keys(req.headers).filter((name) => name.startsWith('x-amz-'))];
  if (!needed.every((name) => names.includes(name)) || names.join() !== [...names].sort().join()) return 'AccessDenied';
  const { pathname, searchParams } = new URL(req.url, 'http://store');
  searchParams.sort();
  const canonical = [req.method, pathname, searchParams.toString(), ...names.map((name) => `${name}:${req.headers[name].trim()}`), '', signedHeaders,
    req.headers['x-amz-content-sha256']].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', date, [day, region, service, end].join('/'), sha256(canonical)].join('\n');
  const key = [day, region, service, end].reduce(hmac, `AWS4${SECRET_KEY}`);
  return hmac(key, toSign).toString('hex') === signature ? null : 'SignatureDoesNotMatch';
}

export class ObjectStore {
  objects = new Map(); // name → bytes
  requests = []; // { method, name, status, code }
  mode = 'well'; // 'hang': takes requests and never answers; 'deny': refuses them

  async open(port = 0) {
    this.server = http.createServer((req, res) => this.#take(req, res));
    await new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', resolve);
    });
    this.server.unref();
    this.port = this.server.address().port;
  }

  /** Nothing listens any more; open(this.port) brings it back. */
  async close() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  settings() {
    return {
      WA_MEDIA_STORE: 's3',
      WA_S3_ENDPOINT: `http://127.0.0.1:${this.port}`,
      WA_S3_BUCKET: BUCKET,
      WA_S3_REGION: REGION,
      WA_S3_ACCESS_KEY: ACCESS_KEY,
      WA_S3_SECRET_KEY: SECRET_KEY,
    };
  }

  count(method) {
    return this.requests.filter((r) => r.method === method && r.status < 300).length;
  }

  async #take(req, res) {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const [, bucket, name, ...rest] = new URL(req.url, 'http://store').pathname.split('/');
    const fault = this.mode === 'deny' ? 'AccessDenied' : signatureFault(req, body);
    const answer = (status, data = '', headers = {}) => {
      this.requests.push({ method: req.method, name, status, code: fault });
      if (this.mode !== 'hang') res.writeHead(status, headers).end(data);
    };
    const refuse = (status, code) => answer(status, `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`, { 'Content-Type': 'application/xml' });
    if (fault) return refuse(403, fault);
    if (bucket !== BUCKET) return refuse(404, 'NoSuchBucket');
    if (!name || rest.length > 0) return refuse(400, 'InvalidRequest');
    if (req.method === 'PUT') {
      if (this.mode !== 'hang') this.objects.set(name, body);
      return answer(200);
    }
    if (req.method === 'DELETE') {
      if (this.mode !== 'hang') this.objects.delete(name);
      return answer(204);
    }
    if (req.method !== 'GET') return refuse(405, 'MethodNotAllowed');
    const bytes = this.objects.get(name);
    if (!bytes) return refuse(404, 'NoSuchKey');
    const range = /^bytes=(\d+)-(\d+)$/.exec(req.headers.range ?? '');
    if (!range) return answer(200, bytes);
    if (Number(range[1]) >= bytes.length) return refuse(416, 'InvalidRange');
    const part = bytes.subarray(Number(range[1]), Number(range[2]) + 1);
    return answer(206, part, { 'Content-Range': `bytes ${range[1]}-${Number(range[1]) + part.length - 1}/${bytes.length}` });
  }
}
