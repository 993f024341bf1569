// How a companion is linked: by a QR code that the phone scans or a code that is typed into it.
import crypto from 'node:crypto';
import { proto } from 'baileys';
import { agree, ctr, gcmOpen, hkdf, hmac, makeKeys } from './curve.mjs';
import { bytesOf, child, node, now, Refused, SERVER, textOf } from './nodes.mjs';
import { checkDeviceIdentity, checkSignedPreKey, signAccount } from './party.mjs';
import { Device } from './world.mjs';

const REFS = 6;
const REFS_LIVE_MS = 165_000; // the client shows the first for 60 s, five more for 20 s each
const SIGN_MS = 15_000;
const PBKDF2_ROUNDS = 131_072;
const E2EE = proto.ADVEncryptionType.E2EE;

const codeKey = (code, salt) =>
  new Promise((resolve, reject) => {
    crypto.pbkdf2(code, salt, PBKDF2_ROUNDS, 32, 'sha256', (error, key) => (error ? reject(error) : resolve(key)));
  });

export class Pairing {
  /** onPaired(device) is told before the client is sent to log in. */
  constructor(world, faults, onPaired) {
    this.world = world;
    this.faults = faults;
    this.onPaired = onPaired;
    this.byRef = new Map();
    this.byCode = new Map(); // number → the registration that waits for its code
  }

  /** A client without an account has come: its keys are checked, and it gets what its QR codes are made of. */
  open(connection, payload) {
    const data = payload.devicePairingData;
    const registration = {
      connection,
      noisePublic: connection.clientStatic,
      identity: Buffer.from(data.eIdent),
      registrationId: Buffer.from(data.eRegid).readUInt32BE(),
      signedPreKey: {
        id: Buffer.from(data.eSkeyId).readUIntBE(0, 3),
        public: Buffer.from(data.eSkeyVal),
        signature: Buffer.from(data.eSkeySig),
      },
      name: payload.pushName || undefined,
      refs: Array.from({ length: this.faults.take('no_codes') ? 0 : REFS }, () => `2@${crypto.randomBytes(48).toString('base64')}`),
      until: Date.now() + REFS_LIVE_MS,
    };
    checkSignedPreKey(registration.identity, registration.signedPreKey);
    connection.registration = registration;
    for (const ref of registration.refs) this.byRef.set(ref, registration);
    const refs = registration.refs.map((ref) => node('ref', {}, Buffer.from(ref)));
    connection.send(node('iq', { from: SERVER, type: 'set', id: connection.nextId(), xmlns: 'md' }, [node('pair-device', {}, refs)]));
  }

  closed(registration) {
    for (const ref of registration.refs) this.byRef.delete(ref);
    for (const [number, waiting] of this.byCode) if (waiting === registration) this.byCode.delete(number);
    registration.linking?.reject(new Refused(410, 'the client went away'));
  }

  find(qr) {
    const [ref, noisePublic, identity, secret] = qr.trim().replace(/^.*#/, '').split(',');
    const registration = this.byRef.get(ref);
    if (!registration || Date.now() > registration.until) throw new Refused(404, 'this QR code is not, or no longer, valid');
    const same = (bytes, text) => bytes.equals(Buffer.from(text ?? '', 'base64'));
    if (!same(registration.noisePublic, noisePublic) || !same(registration.identity, identity)) {
      throw new Refused(400, 'the QR code shows other keys than its client has');
    }
    return { registration, secret: Buffer.from(secret ?? '', 'base64') };
  }

  /** The account's phone scans. Resolves to the new device when the client has signed for it. */
  scan(account, qr) {
    const { registration, secret } = this.find(qr);
    return this.link(registration, account, secret);
  }

  /** Shows the client that the account vouches for it. */
  link(registration, account, secret) {
    if (registration.linking) throw new Refused(409, 'it is being linked already');
    const id = account.nextDevice++;
    const details = proto.ADVDeviceIdentity.encode({
      rawId: crypto.randomInt(2 ** 31), timestamp: now(), keyIndex: id, accountType: E2EE, deviceType: E2EE,
    }).finish();
    const { identity } = account.phone.party;
    const facts = { to: account.number };
    const signer = this.faults.take('wrong_account_signature', facts) ? makeKeys() : identity;
    const sealer = this.faults.take('wrong_pairing_hmac', facts) ? crypto.randomBytes(32) : secret;
    const signed = proto.ADVSignedDeviceIdentity.encode({
      details,
      accountSignatureKey: identity.public,
      accountSignature: signAccount(signer, details, registration.identity),
    }).finish();
    const container = proto.ADVSignedDeviceIdentityHMAC.encode({ details: signed, hmac: hmac(sealer, signed) }).finish();
    const device = new Device(account, id, id);
    const { connection } = registration;
    connection.send(
      node('iq', { from: SERVER, type: 'set', id: connection.nextId(), t: now() }, [
        node('pair-success', {}, [
          node('device-identity', {}, container),
          node('device', { jid: device.jid(), lid: device.jid('lid') }),
          node('platform', { name: 'android' }),
        ]),
      ]),
    );
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Refused(504, 'the client did not sign')), SIGN_MS);
      const end = (settle) => (value) => {
        clearTimeout(timer);
        registration.linking = undefined;
        settle(value);
      };
      registration.linking = { device, details: Buffer.from(details), resolve: end(resolve), reject: end(reject) };
    });
  }

  /** pair-device-sign: the client's answer to pair-success. */
  signed(connection, element) {
    const { registration } = connection;
    const { linking } = registration ?? {};
    if (!linking) throw new Refused(400, 'nothing was there to sign');
    try {
      this.checkSigned(registration, child(element, 'device-identity'));
    } catch (error) {
      linking.reject(error);
      throw error;
    }
    const { device } = linking;
    const { noisePublic, identity, registrationId, signedPreKey } = registration;
    Object.assign(device, { noisePublic, identity, registrationId, signedPreKey });
    device.account.devices.set(device.id, device);
    this.onPaired(device);
    linking.resolve(device);
    connection.streamError(515);
  }

  checkSigned(registration, answer) {
    const { device, details } = registration.linking;
    const signed = proto.ADVSignedDeviceIdentity.decode(bytesOf(answer));
    if (answer.attrs['key-index'] !== String(device.keyIndex)) throw new Refused(400, 'another key-index');
    if (!details.equals(Buffer.from(signed.details))) throw new Refused(400, 'other details than were signed');
    if (signed.accountSignatureKey?.length) throw new Refused(400, 'the account key does not belong here');
    checkDeviceIdentity(signed, device.account.phone.party.identity.public, registration.identity);
  }

  /** companion_hello: a client asks to be linked by a code that it shows. */
  hello(connection, element) {
    const { registration } = connection;
    const account = this.world.accountOf(element.attrs.jid);
    if (!account || !registration) throw new Refused(404, 'no such account');
    registration.codeRef = crypto.randomBytes(24).toString('base64url');
    registration.wrapped = bytesOf(child(element, 'link_code_pairing_wrapped_companion_ephemeral_pub'));
    if (registration.wrapped?.length !== 80) throw new Refused(400, 'no wrapped key of 80 bytes');
    this.byCode.set(account.number, registration);
    return [
      node('link_code_companion_reg', { stage: 'companion_hello' }, [
        node('link_code_pairing_ref', {}, Buffer.from(registration.codeRef)),
      ]),
    ];
  }

  /** The code is typed into the account's phone. Resolves to the new device; a wrong code is noticed at the end only. */
  async type(account, code) {
    const registration = this.byCode.get(account.number);
    if (!registration) throw new Refused(404, 'nobody waits for a code of this number');
    const plainCode = code.replaceAll('-', '').toUpperCase();
    const { wrapped } = registration;
    const key = await codeKey(plainCode, wrapped.subarray(0, 32));
    const companion = ctr(key, wrapped.subarray(32, 48), wrapped.subarray(48));
    const ephemeral = makeKeys();
    const [salt, iv] = [crypto.randomBytes(32), crypto.randomBytes(16)];
    const sealed = ctr(await codeKey(plainCode, salt), iv, ephemeral.public);
    registration.shared = agree(ephemeral.private, companion);
    const done = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Refused(504, 'the client did not go on')), SIGN_MS);
      registration.typed = { account, settle: (linked) => (clearTimeout(timer), linked.then(resolve, reject)) };
    });
    const { connection } = registration;
    connection.send(
      node('notification', { from: SERVER, type: 'link_code_companion_reg', id: connection.nextId(), t: now() }, [
        node('link_code_companion_reg', { stage: 'primary_hello' }, [
          node('link_code_pairing_ref', {}, Buffer.from(registration.codeRef)),
          node('primary_identity_pub', {}, account.phone.party.identity.public),
          node('link_code_pairing_wrapped_primary_ephemeral_pub', {}, Buffer.concat([salt, iv, sealed])),
        ]),
      ]),
    );
    return done;
  }

  /** companion_finish: what only a client that knows the code can seal. The answer must leave before pair-success. */
  finish(connection, element) {
    const { registration } = connection;
    if (!registration?.typed || textOf(child(element, 'link_code_pairing_ref')) !== registration.codeRef) {
      throw new Refused(400, 'no such pairing');
    }
    const { account, settle } = registration.typed;
    registration.typed = undefined;
    const opened = this.openBundle(registration, account, bytesOf(child(element, 'link_code_pairing_wrapped_key_bundle')));
    if (!opened) {
      settle(Promise.reject(new Refused(403, 'wrong code')));
      throw new Refused(403, 'wrong code');
    }
    setImmediate(() => settle(new Promise((resolve) => resolve(this.link(registration, account, opened)))));
    return undefined;
  }

  /** The secret of the pairing, or null if the code was another. */
  openBundle(registration, account, bundle) {
    const { identity } = account.phone.party;
    const info = 'link_code_pairing_key_bundle_encryption_key';
    const key = hkdf(registration.shared, 32, { salt: bundle.subarray(0, 32), info });
    let plain;
    try {
      plain = gcmOpen(key, bundle.subarray(32, 44), bundle.subarray(44));
    } catch {
      return null;
    }
    const [companion, primary, random] = [0, 32, 64].map((at) => plain.subarray(at, at + 32));
    if (!companion.equals(registration.identity) || !primary.equals(identity.public)) return null;
    const secret = Buffer.concat([registration.shared, agree(identity.private, companion), random]);
    return hkdf(secret, 32, { info: 'adv_secret' });
  }
}
