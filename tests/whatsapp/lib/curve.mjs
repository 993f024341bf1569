// Curve25519 with the 32-byte public keys of the wire. verify() is libsignal's own and really says no, unlike Baileys'.
import crypto from 'node:crypto';
import libsignal from 'libsignal';

const { curve } = libsignal;

/** A public key as Signal wants it: 33 bytes, the first is 5. */
export function signalKey(key) {
  const bytes = Buffer.from(key);
  return bytes.length === 33 ? bytes : Buffer.concat([Buffer.from([5]), bytes]);
}

export function wireKey(key) {
  const bytes = Buffer.from(key);
  return bytes.length === 33 ? bytes.subarray(1) : bytes;
}

export function makeKeys() {
  const { pubKey, privKey } = curve.generateKeyPair();
  return { private: Buffer.from(privKey), public: wireKey(pubKey) };
}

export function agree(privateKey, publicKey) {
  return Buffer.from(curve.calculateAgreement(signalKey(publicKey), privateKey));
}

export function sign(privateKey, bytes) {
  return Buffer.from(curve.calculateSignature(privateKey, bytes));
}

export function verify(publicKey, bytes, signature) {
  if (publicKey?.length !== 32 || signature?.length !== 64) return false;
  return curve.verifySignature(signalKey(publicKey), Buffer.from(bytes), Buffer.from(signature));
}

export function hkdf(key, length, { salt = Buffer.alloc(32), info = '' } = {}) {
  return Buffer.from(crypto.hkdfSync('sha256', key, salt, info, length));
}

export function hmac(key, ...parts) {
  const mac = crypto.createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

export function sha256(...parts) {
  const hash = crypto.createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

const TAG_BYTES = 16;

export function gcmSeal(key, iv, plain, additional = Buffer.alloc(0)) {
  const cipher = crypto.createCipheriv('aes-256-gcm', key, iv);
  cipher.setAAD(additional);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws when the tag is not right. */
export function gcmOpen(key, iv, sealed, additional = Buffer.alloc(0)) {
  const decipher = crypto.createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(additional);
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
}

/** AES-256-CTR is its own inverse. */
export function ctr(key, iv, bytes) {
  const cipher = crypto.createCipheriv('aes-256-ctr', key, iv);
  return Buffer.concat([cipher.update(bytes), cipher.final()]);
}
