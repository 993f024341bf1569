// Fetches and decrypts what a contact sent. Baileys' own download checks neither the MAC nor the hash, has no deadline
// and no bound, and takes a path that leads to another host.
import { createDecipheriv, createHash, createHmac } from 'node:crypto';
import { DEFAULT_ORIGIN, getMediaKeys } from 'baileys';

const DEFAULT_HOST = 'mmg.whatsapp.net';
const MAC_BYTES = 10;
const TIMEOUT_MS = 60_000;

function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return DEFAULT_HOST;
  }
}

// Where the file is: the path on the host that the message names, if WhatsApp's server told us of that host.
export function mediaUrl({ directPath, url }, knownHosts) {
  const named = url ? hostOf(url) : DEFAULT_HOST;
  const host = knownHosts.has(named) || named.endsWith('.whatsapp.net') ? named : [...knownHosts][0] ?? DEFAULT_HOST;
  const path = directPath ?? (url ? new URL(url).pathname + new URL(url).search : '');
  if (!path.startsWith('/') || path.startsWith('//')) throw new Error('the file has no usable path');
  const target = new URL(`https://${host}${path}`);
  if (target.host !== host) throw new Error('the path of the file leads elsewhere');
  return target;
}

// Yields the file's bytes in pieces. What it yielded is the sender's file only once it has ended without throwing:
// only then are the MAC and the hash known to be right.
export async function* downloadMedia(file, { knownHosts, maxBytes, timeoutMs = TIMEOUT_MS }) {
  const { iv, cipherKey, macKey } = await getMediaKeys(Buffer.from(file.mediaKey), file.kind);
  const response = await fetch(mediaUrl(file, knownHosts), {
    headers: { Origin: DEFAULT_ORIGIN },
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!response.ok) throw new Error(`the media server answered ${response.status}`);

  const decipher = createDecipheriv('aes-256-cbc', cipherKey, iv);
  const mac = createHmac('sha256', macKey).update(iv);
  const hash = createHash('sha256');
  let held = Buffer.alloc(0); // the last bytes so far may be the MAC
  let size = 0;
  const plain = (bytes) => {
    size += bytes.length;
    if (size > maxBytes) throw new Error('the file is too large');
    hash.update(bytes);
    return bytes;
  };
  for await (const chunk of response.body) {
    const bytes = Buffer.concat([held, chunk]);
    const body = bytes.subarray(0, Math.max(bytes.length - MAC_BYTES, 0));
    held = bytes.subarray(body.length);
    mac.update(body);
    const piece = plain(decipher.update(body));
    if (piece.length > 0) yield piece;
  }
  if (!mac.digest().subarray(0, MAC_BYTES).equals(held)) throw new Error('the MAC of the file is wrong');
  const rest = plain(decipher.final());
  if (rest.length > 0) yield rest;
  if (!hash.digest().equals(Buffer.from(file.fileSha256 ?? []))) throw new Error('the hash of the file is wrong');
}
