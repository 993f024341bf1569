// A Signal party: what a phone's app holds and does. Sessions are kept by «number.device», whatever address the wire uses.
import crypto from 'node:crypto';
import libsignal from 'libsignal';
import { proto } from 'baileys';
import { leaveWhatDoesNotDecrypt } from '../../../services/gateway/baileys/decrypt_or_leave.mjs';
import { makeKeys, sign, signalKey, verify, wireKey } from './curve.mjs';
import { Refused } from './nodes.mjs';

const { ProtocolAddress, SessionBuilder, SessionCipher, SessionRecord } = libsignal;
const ACCOUNT_SIGNATURE = Buffer.from([6, 0]);
const DEVICE_SIGNATURE = Buffer.from([6, 1]);

leaveWhatDoesNotDecrypt(SessionCipher); // as phones do

/** n bytes of value n at the end, 1 to 16. */
export function pad(bytes) {
  const n = 1 + (crypto.randomBytes(1)[0] & 15);
  return Buffer.concat([bytes, Buffer.alloc(n, n)]);
}

export function unpad(bytes) {
  const n = bytes[bytes.length - 1];
  if (!n || n > 16 || n > bytes.length || !bytes.subarray(-n).every((byte) => byte === n)) throw new Error('wrong padding');
  return bytes.subarray(0, -n);
}

/** The account's word that a device with this identity is its own. */
export function signAccount(keys, details, identity) {
  return sign(keys.private, Buffer.concat([ACCOUNT_SIGNATURE, details, identity]));
}

/** Both signatures over a device's identity; accountKey is what we know the account by. */
export function checkDeviceIdentity({ details, accountSignature, deviceSignature }, accountKey, identity) {
  const byAccount = Buffer.concat([ACCOUNT_SIGNATURE, details, identity]);
  if (!verify(accountKey, byAccount, accountSignature)) throw new Refused(401, 'the account has not signed this device');
  const byDevice = Buffer.concat([DEVICE_SIGNATURE, details, identity, accountKey]);
  if (!verify(identity, byDevice, deviceSignature)) throw new Refused(401, 'the device has not signed its identity');
}

export function checkSignedPreKey(identity, signedPreKey) {
  if (!verify(identity, signalKey(signedPreKey.public), signedPreKey.signature)) {
    throw new Refused(406, 'the signed prekey is not signed by its identity');
  }
}

export class Party {
  constructor() {
    this.identity = makeKeys();
    this.registrationId = 1 + crypto.randomInt(16_380);
    this.preKeys = new Map();
    this.sessions = new Map();
    this.nextPreKey = 1 + crypto.randomInt(1000);
    this.checked = new Set(); // device identities whose signatures were found good
    const keys = makeKeys();
    this.signedPreKey = { id: 1, keys, signature: sign(this.identity.private, signalKey(keys.public)) };
  }

  bundle() {
    const id = this.nextPreKey++;
    const keys = makeKeys();
    this.preKeys.set(id, keys);
    return {
      registrationId: this.registrationId,
      identity: this.identity.public,
      signedPreKey: { id: this.signedPreKey.id, public: this.signedPreKey.keys.public, signature: this.signedPreKey.signature },
      preKey: { id, public: keys.public },
    };
  }

  /** What libsignal asks for. */
  get storage() {
    const pair = (keys) => keys && { pubKey: signalKey(keys.public), privKey: keys.private };
    return {
      loadSession: async (name) => this.sessions.has(name) && SessionRecord.deserialize(this.sessions.get(name)),
      storeSession: async (name, record) => void this.sessions.set(name, record.serialize()),
      isTrustedIdentity: async () => true,
      loadPreKey: async (id) => pair(this.preKeys.get(id)),
      removePreKey: async (id) => void this.preKeys.delete(id),
      loadSignedPreKey: async (id) => (id === this.signedPreKey.id ? pair(this.signedPreKey.keys) : undefined),
      getOurRegistrationId: async () => this.registrationId,
      getOurIdentity: async () => pair(this.identity),
    };
  }

  hasSession(name) {
    return this.sessions.has(name) && SessionRecord.deserialize(this.sessions.get(name)).haveOpenSession();
  }

  forget(name) {
    this.sessions.delete(name);
  }

  /** The next message begins a new session; what is on its way on the old one can still be read. */
  retire(name) {
    if (!this.hasSession(name)) return;
    const record = SessionRecord.deserialize(this.sessions.get(name));
    record.closeSession(record.getOpenSession());
    this.sessions.set(name, record.serialize());
  }

  /** bundle as Device.takeBundle() gives it. */
  async start(name, bundle) {
    checkSignedPreKey(bundle.identity, bundle.signedPreKey);
    const key = ({ id, public: bytes, signature }) => ({ keyId: id, publicKey: signalKey(bytes), signature });
    await new SessionBuilder(this.storage, address(name)).initOutgoing({
      registrationId: bundle.registrationId,
      identityKey: signalKey(bundle.identity),
      signedPreKey: key(bundle.signedPreKey),
      preKey: bundle.preKey && key(bundle.preKey),
    });
  }

  async encrypt(name, bytes) {
    const { type, body } = await new SessionCipher(this.storage, address(name)).encrypt(pad(bytes));
    return { type: type === 3 ? 'pkmsg' : 'msg', bytes: Buffer.from(body, 'binary') };
  }

  async decrypt(name, type, bytes) {
    const cipher = new SessionCipher(this.storage, address(name));
    const plain = type === 'pkmsg' ? await cipher.decryptPreKeyWhisperMessage(bytes) : await cipher.decryptWhisperMessage(bytes);
    return unpad(Buffer.from(plain));
  }

  /** A first message from a companion shows who stands behind it: throws unless the account vouches for the device. */
  checkSender(device, identityBytes) {
    const seen = `${device.jid()} ${identityBytes.toString('base64')}`;
    if (this.checked.has(seen)) return;
    const signed = proto.ADVSignedDeviceIdentity.decode(identityBytes);
    const accountKey = device.account.phone.party.identity.public;
    if (!accountKey.equals(Buffer.from(signed.accountSignatureKey))) throw new Refused(401, 'another account vouches for it');
    checkDeviceIdentity(signed, accountKey, wireKey(device.identity));
    this.checked.add(seen);
  }
}

function address(name) {
  const [number, device] = name.split('.');
  return new ProtocolAddress(number, Number(device));
}
