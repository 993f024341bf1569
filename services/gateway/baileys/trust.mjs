// Baileys' Curve.verify is true for every well-formed signature: it drops the boolean that libsignal answers. So the
// certificate chain of the server, the account's signature at pairing and other people's signed prekeys would all go
// unchecked; of the chain it also does not look at whose key it certifies, at the serial numbers or the dates. `Curve`,
// `proto` and WA_CERT_DETAILS are exported, mutable, and what Baileys itself calls; this mends them in place.
import { createRequire } from 'node:module';
import { Curve, generateSignalPubKey, proto, WA_CERT_DETAILS } from 'baileys';

const fromBaileys = createRequire(import.meta.resolve('baileys'));
const curve = fromBaileys('libsignal/src/curve.js');

export function verifySignature(publicKey, message, signature) {
  try {
    return curve.verifySignature(Buffer.from(generateSignalPubKey(publicKey)), message, signature) === true;
  } catch {
    return false; // a key or signature of the wrong shape
  }
}

// The key that signs the server's intermediate certificate, where it is not WhatsApp's own. 64 hex digits.
export function setRootKey(hex) {
  if (!/^[0-9a-f]{64}$/i.test(hex)) throw new Error('the root key must be 64 hex digits');
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(hex, 'hex');
}

// Throws what is wrong with a chain, its signatures aside. `staticKey`: what the server proved to hold.
export function checkChain({ intermediate, leaf }, staticKey, nowS) {
  const Details = proto.CertChain.NoiseCertificate.Details;
  const issuer = Details.decode(intermediate?.details ?? new Uint8Array());
  const details = Details.decode(leaf?.details ?? new Uint8Array());
  if (details.issuerSerial !== issuer.serial) throw new Error('the leaf certificate names another issuer');
  if (!staticKey || !Buffer.from(details.key ?? []).equals(Buffer.from(staticKey))) {
    throw new Error('the leaf certificate is for another key');
  }
  for (const { notBefore, notAfter } of [issuer, details]) {
    if (Number(notBefore ?? 0) > nowS) throw new Error('a certificate is not valid yet');
    if (Number(notAfter ?? 0) !== 0 && Number(notAfter) < nowS) throw new Error('a certificate has expired');
  }
}

Curve.verify = verifySignature;

// Baileys' processHandshake() is one synchronous stretch: it agrees on a key with the server's static key and then
// decodes the chain, so the last key that was agreed with is the one that the chain must be for.
const { sharedKey } = Curve;
let agreedWith = null;
Curve.sharedKey = (privateKey, publicKey) => {
  agreedWith = publicKey;
  return sharedKey(privateKey, publicKey);
};
const decodeChain = proto.CertChain.decode;
proto.CertChain.decode = (...args) => {
  const chain = decodeChain(...args);
  checkChain(chain, agreedWith, Date.now() / 1000);
  return chain;
};
