// The server's half of Noise_XX_25519_AESGCM_SHA256 as WhatsApp speaks it, and the certificate chain that it shows.
import { proto } from 'baileys';
import { agree, gcmOpen, gcmSeal, hkdf, makeKeys, sha256, sign } from './curve.mjs';
import { now } from './nodes.mjs';

const NAME = Buffer.from('Noise_XX_25519_AESGCM_SHA256\0\0\0\0'); // 32 bytes: used as they are
export const PROLOGUE = Buffer.from([0x57, 0x41, 6, 3]);
const { Details } = proto.CertChain.NoiseCertificate;
const YEAR_S = 365 * 24 * 3600;

function certificate({ serial, issuerSerial, key }, signer) {
  const notBefore = now() - 3600;
  const details = Details.encode({ serial, issuerSerial, key, notBefore, notAfter: notBefore + YEAR_S }).finish();
  return { details, signature: sign(signer.private, details) };
}

/** The key that clients see in the handshake, and root → intermediate → leaf to show that it is the server's. */
export function makeIdentity(root) {
  const intermediate = makeKeys();
  const leaf = makeKeys();
  const chain = proto.CertChain.encode({
    intermediate: certificate({ serial: 1, issuerSerial: 0, key: intermediate.public }, root),
    leaf: certificate({ serial: 2, issuerSerial: 1, key: leaf.public }, intermediate),
  }).finish();
  return { keys: leaf, chain };
}

/** A nonce: 8 bytes of zero, 32 bits of counter. */
function nonce(counter) {
  const iv = Buffer.alloc(12);
  iv.writeUInt32BE(counter, 8);
  return iv;
}

class Direction {
  constructor(key) {
    this.key = key;
    this.counter = 0;
  }

  seal(plain) {
    return gcmSeal(this.key, nonce(this.counter++), plain);
  }

  open(sealed) {
    return gcmOpen(this.key, nonce(this.counter++), sealed);
  }
}

export class Responder {
  constructor(identity) {
    this.identity = identity;
    this.ephemeral = makeKeys();
    this.hash = NAME;
    this.salt = NAME;
    this.key = NAME;
    this.counter = 0;
    this.mixHash(PROLOGUE);
  }

  mixHash(bytes) {
    this.hash = sha256(this.hash, bytes);
  }

  mixKey(secret) {
    const both = hkdf(secret, 64, { salt: this.salt });
    this.salt = both.subarray(0, 32);
    this.key = both.subarray(32);
    this.counter = 0;
  }

  seal(plain) {
    const sealed = gcmSeal(this.key, nonce(this.counter++), plain, this.hash);
    this.mixHash(sealed);
    return sealed;
  }

  open(sealed) {
    const plain = gcmOpen(this.key, nonce(this.counter++), sealed, this.hash);
    this.mixHash(sealed);
    return plain;
  }

  /** Takes the client's first message; gives ours. */
  answerHello(bytes) {
    const { clientHello } = proto.HandshakeMessage.decode(bytes);
    this.clientEphemeral = Buffer.from(clientHello.ephemeral);
    this.mixHash(this.clientEphemeral);
    this.mixHash(this.ephemeral.public);
    this.mixKey(agree(this.ephemeral.private, this.clientEphemeral));
    const sealedStatic = this.seal(this.identity.keys.public);
    this.mixKey(agree(this.identity.keys.private, this.clientEphemeral));
    const payload = this.seal(this.identity.chain);
    const serverHello = { ephemeral: this.ephemeral.public, static: sealedStatic, payload };
    return proto.HandshakeMessage.encode({ serverHello }).finish();
  }

  /** Takes the client's second message: its static key, what it says of itself, and the transport's two directions. */
  finish(bytes) {
    const { clientFinish } = proto.HandshakeMessage.decode(bytes);
    const clientStatic = this.open(Buffer.from(clientFinish.static));
    this.mixKey(agree(this.ephemeral.private, clientStatic));
    const payload = proto.ClientPayload.decode(this.open(Buffer.from(clientFinish.payload)));
    const both = hkdf(Buffer.alloc(0), 64, { salt: this.salt });
    return {
      clientStatic,
      payload,
      reader: new Direction(both.subarray(0, 32)),
      writer: new Direction(both.subarray(32)),
    };
  }
}
