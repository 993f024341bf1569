// The media host: takes and gives encrypted files over HTTPS, and does what a phone's app does with them.
import crypto from 'node:crypto';
import { hkdf, hmac, sha256 } from './curve.mjs';
import { node } from './nodes.mjs';

const MAX_FILE = 100 << 20;
const MAX_KEPT = 512 << 20;
const MAC_BYTES = 10;
const KIND = { image: 'Image', video: 'Video', audio: 'Audio', document: 'Document', sticker: 'Image' };

function keysOf(mediaKey, kind) {
  const all = hkdf(Buffer.from(mediaKey), 112, { info: `WhatsApp ${KIND[kind]} Keys` });
  return { iv: all.subarray(0, 16), cipherKey: all.subarray(16, 48), macKey: all.subarray(48, 80) };
}

export class MediaHost {
  constructor() {
    this.host = ''; // what clients are told, with the port
    this.auth = crypto.randomBytes(16).toString('base64url');
    this.files = new Map(); // path → encrypted bytes, oldest first
    this.kept = 0;
  }

  connectionNode() {
    const host = node('host', { hostname: this.host, maxContentLengthBytes: MAX_FILE });
    return node('media_conn', { auth: this.auth, ttl: 300, max_buckets: 12 }, [host]);
  }

  store(bytes) {
    const path = `/v/${sha256(bytes).toString('base64url')}`;
    if (!this.files.has(path)) this.kept += bytes.length;
    this.files.set(path, bytes);
    for (const [oldest, file] of this.files) {
      if (this.kept <= MAX_KEPT) break;
      this.files.delete(oldest);
      this.kept -= file.length;
    }
    return path;
  }

  /** True if the request was the media host's. */
  serve(request, response) {
    const url = new URL(request.url, 'https://double');
    if (request.method === 'POST' && url.pathname.startsWith('/mms/')) this.upload(request, response, url);
    else if (request.method === 'GET' && url.pathname.startsWith('/v/')) this.download(response, url.pathname);
    else return false;
    return true;
  }

  upload(request, response, url) {
    const parts = [];
    let size = 0;
    request.on('data', (part) => {
      size += part.length;
      if (size > MAX_FILE) request.destroy();
      else parts.push(part);
    });
    request.on('end', () => {
      const bytes = Buffer.concat(parts);
      const token = sha256(bytes).toString('base64url');
      const status = url.searchParams.get('auth') !== this.auth ? 401 : url.searchParams.get('token') !== token ? 400 : 200;
      const path = status === 200 ? this.store(bytes) : undefined;
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(path ? { url: `https://${this.host}${path}`, direct_path: path } : { error: status }));
    });
  }

  download(response, path) {
    const bytes = this.files.get(path);
    response.writeHead(bytes ? 200 : 404, { 'content-type': 'application/octet-stream' });
    response.end(bytes);
  }

  /** Encrypts and keeps a file as a sender does; gives the fields of its message. */
  seal(kind, bytes) {
    const mediaKey = crypto.randomBytes(32);
    const { iv, cipherKey, macKey } = keysOf(mediaKey, kind);
    const cipher = crypto.createCipheriv('aes-256-cbc', cipherKey, iv);
    const encrypted = Buffer.concat([cipher.update(bytes), cipher.final()]);
    const file = Buffer.concat([encrypted, hmac(macKey, iv, encrypted).subarray(0, MAC_BYTES)]);
    const directPath = this.store(file);
    return {
      url: `https://${this.host}${directPath}`, directPath, mediaKey,
      fileSha256: sha256(bytes), fileEncSha256: sha256(file), fileLength: bytes.length,
    };
  }

  /** What a receiving phone makes of such fields: {sha256, size}, or {error} where a check fails. */
  open(kind, media) {
    const file = this.files.get(media.directPath ?? '');
    if (!file) return { error: 'not on the media host' };
    if (!sha256(file).equals(Buffer.from(media.fileEncSha256))) return { error: 'another encrypted hash' };
    const { iv, cipherKey, macKey } = keysOf(media.mediaKey, kind);
    const encrypted = file.subarray(0, -MAC_BYTES);
    if (!hmac(macKey, iv, encrypted).subarray(0, MAC_BYTES).equals(file.subarray(-MAC_BYTES))) return { error: 'wrong MAC' };
    const decipher = crypto.createDecipheriv('aes-256-cbc', cipherKey, iv);
    const plain = Buffer.concat([decipher.update(encrypted), decipher.final()]);
    const hash = sha256(plain);
    if (!hash.equals(Buffer.from(media.fileSha256))) return { error: 'another hash' };
    if (Number(media.fileLength) !== plain.length) return { error: 'another length' };
    return { sha256: hash.toString('hex'), size: plain.length };
  }
}
