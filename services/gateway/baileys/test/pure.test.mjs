// What has no connection and no clock: contents, reasons, where a file is, whom to trust.
import assert from 'node:assert/strict';
import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire } from 'node:module';
import { mock, test } from 'node:test';
import { asOwner, openSessionOf } from '../libsignal_mended.mjs';
import { Curve, getMediaKeys, proto } from 'baileys';
import { contentOf, inboundOf } from '../content.mjs';
import { downloadMedia, mediaUrl } from '../media_download.mjs';
import { backoffMs, longWaitMs, whatNext } from '../reasons.mjs';
import { checkChain, verifySignature } from '../trust.mjs';

const fromBaileys = createRequire(createRequire(import.meta.url).resolve('baileys/package.json'));
const message = (fields) => proto.Message.decode(proto.Message.encode(proto.Message.fromObject(fields)).finish());
const said = (fields) => inboundOf(contentOf(message(fields)));

test('contents are told in the gateway’s words', () => {
  const key = { id: 'T', remoteJid: 'x@s.whatsapp.net' };
  const cases = [
    [{ conversation: 'hi' }, { type: 'text', body: 'hi' }],
    [{ extendedTextMessage: { text: 'hi', contextInfo: { stanzaId: 'Q' } } }, { type: 'text', body: 'hi', quoted: 'Q' }],
    [{ ephemeralMessage: { message: { conversation: 'hi' } } }, { type: 'text', body: 'hi' }],
    [{ reactionMessage: { key, text: '👍' } }, { type: 'reaction', body: '👍', target: 'T' }],
    [{ protocolMessage: { key, type: 'REVOKE' } }, { type: 'delete', body: null, target: 'T' }],
    [{ protocolMessage: { key, type: 'MESSAGE_EDIT', editedMessage: { conversation: 'new' } } }, { type: 'edit', body: 'new', target: 'T' }],
    [{ editedMessage: { message: { protocolMessage: { key, type: 'MESSAGE_EDIT', editedMessage: { extendedTextMessage: { text: 'new' } } } } } }, { type: 'edit', body: 'new', target: 'T' }],
    [{ documentWithCaptionMessage: { message: { documentMessage: { fileName: 'a.pdf', caption: 'c', mimetype: 'application/pdf' } } } }, { type: 'document', body: 'c', filename: 'a.pdf', contentType: 'application/pdf' }],
    [{ contactsArrayMessage: { contacts: [{ displayName: 'A', vcard: 'TEL:+49 151 234567' }, { displayName: 'B' }] } }, { type: 'contacts', body: 'A, B', detail: '[{"name":"A","phone_numbers":["+49151234567"]},{"name":"B","phone_numbers":[]}]' }],
    [{ pollCreationMessage: { name: 'lunch?' } }, { type: 'other', body: null }],
    [{ protocolMessage: { type: 'APP_STATE_SYNC_KEY_SHARE' } }, { type: 'none' }],
    [{ senderKeyDistributionMessage: { groupId: 'g' } }, { type: 'none' }],
    [{}, { type: 'none' }],
  ];
  for (const [fields, expected] of cases) {
    const told = Object.fromEntries(Object.entries(said(fields)).filter(([name, value]) => value !== null || name === 'body'));
    assert.deepEqual(told, expected, JSON.stringify(fields));
  }
});

test('the end of a connection says what happens next', () => {
  const next = (statusCode, paired = true, text = '') => {
    const { action, state } = whatNext({ statusCode, message: text, paired });
    return [action, state];
  };
  assert.deepEqual(next(515), ['restart', undefined]);
  assert.deepEqual(next(401), ['stop', 'logged_out']);
  assert.deepEqual(next(403), ['stop', 'banned']);
  assert.deepEqual(next(440), ['wait', 'replaced']);
  for (const code of [0, 408, 428, 500, 503]) assert.deepEqual(next(code), ['retry', 'reconnecting']);
  assert.deepEqual(next(408, false, 'QR refs attempts ended'), ['stop', 'failed']);
  assert.deepEqual(next(408, false, 'Connection was lost'), ['repair', 'starting']);
  assert.deepEqual(next(401, false), ['repair', 'starting']);
  assert.deepEqual(whatNext({ statusCode: 400, message: 'noise certificate signature invalid', paired: true }).log, 'server_not_trusted');
});

test('tries become rarer, and never stop', () => {
  const middle = (tries) => backoffMs(tries, () => 0.5);
  assert.deepEqual([0, 1, 2, 3, 6, 7, 1000].map(middle), [1000, 2000, 4000, 8000, 60_000, 60_000, 60_000]);
  assert.deepEqual([backoffMs(0, () => 0), backoffMs(0, () => 1)], [800, 1200]);
  assert.deepEqual([longWaitMs(0), longWaitMs(1), longWaitMs(9)], [300_000, 1_800_000, 1_800_000]);
});

test('a file is looked for where WhatsApp keeps files, and nowhere else', () => {
  const at = (file, hosts = []) => mediaUrl(file, new Set(hosts)).href;
  assert.equal(at({ directPath: '/v/a?b=c' }), 'https://mmg.whatsapp.net/v/a?b=c');
  assert.equal(at({ url: 'https://media-fra3-1.cdn.whatsapp.net/v/a' }), 'https://media-fra3-1.cdn.whatsapp.net/v/a');
  assert.equal(at({ url: 'https://evil.example/v/a' }), 'https://mmg.whatsapp.net/v/a');
  assert.equal(at({ url: 'https://evilwhatsapp.net/v/a' }), 'https://mmg.whatsapp.net/v/a');
  assert.equal(at({ directPath: '/v/a', url: 'https://127.0.0.1:8443/v/a' }, ['127.0.0.1:8443']), 'https://127.0.0.1:8443/v/a');
  for (const directPath of ['@evil.example/a', '.evil.example/a', '//evil.example/a', '']) {
    assert.throws(() => at({ directPath }), undefined, directPath);
  }
});

async function sealedFile(plain) {
  const mediaKey = randomBytes(32);
  const { iv, cipherKey, macKey } = await getMediaKeys(mediaKey, 'image');
  const cipher = createCipheriv('aes-256-cbc', cipherKey, iv);
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  const mac = createHmac('sha256', macKey).update(iv).update(body).digest().subarray(0, 10);
  const file = { kind: 'image', directPath: '/v/a', mediaKey, fileSha256: createHash('sha256').update(plain).digest() };
  return { file, bytes: Buffer.concat([body, mac]) };
}

async function fetched(file, bytes, { size = 1000, maxBytes = 1 << 20 } = {}) {
  const pieces = [];
  for (let i = 0; i < bytes.length; i += size) pieces.push(bytes.subarray(i, i + size));
  const { mock: fetching } = mock.method(globalThis, 'fetch', async () => ({ ok: true, body: pieces }));
  try {
    const got = [];
    for await (const piece of downloadMedia(file, { knownHosts: new Set(), maxBytes })) got.push(piece);
    return Buffer.concat(got);
  } finally {
    fetching.restore();
  }
}

test('a file is decrypted and checked, however its bytes are cut', async () => {
  const plain = randomBytes(5_000);
  const { file, bytes } = await sealedFile(plain);
  for (const size of [1, 7, 16, 1000, 10_000]) assert.deepEqual(await fetched(file, bytes, { size }), plain);
  const broken = Buffer.from(bytes);
  broken[100] ^= 1;
  await assert.rejects(fetched(file, broken), { message: 'the MAC of the file is wrong' });
  await assert.rejects(fetched({ ...file, fileSha256: randomBytes(32) }, bytes), { message: 'the hash of the file is wrong' });
  await assert.rejects(fetched(file, bytes, { maxBytes: 4_999 }), { message: 'the file is too large' });
  await assert.rejects(fetched(file, Buffer.alloc(0)));
});

test('a signature counts only when it is right', () => {
  const { private: secret, public: key } = Curve.generateKeyPair();
  const text = Buffer.from('text');
  const signature = Curve.sign(secret, text);
  assert.equal(Curve.verify(key, text, signature), true);
  assert.equal(Curve.verify(key, Buffer.from('tex'), signature), false);
  assert.equal(verifySignature(key, text, randomBytes(64)), false);
  assert.equal(verifySignature(key, text, Buffer.alloc(3)), false);
});

test('a chain is for the key that the server proved, by the issuer that signed it, and for now', () => {
  const { Details } = proto.CertChain.NoiseCertificate;
  const key = randomBytes(32);
  const chain = (leaf = {}, intermediate = {}) => ({
    leaf: { details: Details.encode({ serial: 3, issuerSerial: 2, key, notBefore: 100, notAfter: 300, ...leaf }).finish() },
    intermediate: { details: Details.encode({ serial: 2, issuerSerial: 0, notBefore: 100, notAfter: 300, ...intermediate }).finish() },
  });
  checkChain(chain(), key, 200);
  assert.throws(() => checkChain(chain(), randomBytes(32), 200), /another key/);
  assert.throws(() => checkChain(chain({ issuerSerial: 5 }), key, 200), /another issuer/);
  assert.throws(() => checkChain(chain(), key, 99), /not valid yet/);
  assert.throws(() => checkChain(chain({}, { notAfter: 150 }), key, 200), /expired/);
});

// Two parties with a session each way, as libsignal keeps them.
function makeParty() {
  const libsignal = fromBaileys('libsignal');
  const pair = () => libsignal.curve.generateKeyPair();
  const [identity, signed] = [pair(), pair()];
  let record = null;
  const storage = {
    loadSession: async () => record && libsignal.SessionRecord.deserialize(record),
    storeSession: async (_address, changed) => {
      record = changed.serialize();
    },
    isTrustedIdentity: async () => true,
    loadSignedPreKey: async () => signed,
    loadPreKey: async () => undefined,
    getOurRegistrationId: async () => 7,
    getOurIdentity: async () => identity,
  };
  const address = new libsignal.ProtocolAddress(randomBytes(8).toString('hex'), 0);
  const cipher = new libsignal.SessionCipher(storage, address);
  return {
    begin: ({ identityKey, signedKey }) =>
      new libsignal.SessionBuilder(storage, address).initOutgoing({
        registrationId: 7,
        identityKey,
        signedPreKey: { keyId: 1, publicKey: signedKey, signature: Buffer.alloc(64) },
      }),
    keys: { identityKey: identity.pubKey, signedKey: signed.pubKey },
    encrypt: async (text) => cipher.encrypt(Buffer.from(text)),
    decrypt: async ({ type, body }) => {
      const bytes = Buffer.from(body, 'binary');
      return (await (type === 3 ? cipher.decryptPreKeyWhisperMessage(bytes) : cipher.decryptWhisperMessage(bytes))).toString();
    },
    record: () => record,
  };
}

test('a session that cannot read a message is left as it was', async () => {
  const [ours, theirs] = [makeParty(), makeParty()];
  await ours.begin(theirs.keys);
  await theirs.decrypt(await ours.encrypt('one'));
  await ours.decrypt(await theirs.encrypt('two'));
  await ours.begin(theirs.keys); // a second session, while an answer in the first is on its way
  assert.equal(await ours.decrypt(await theirs.encrypt('three')), 'three');
  assert.equal(await theirs.decrypt(await ours.encrypt('four')), 'four');
  const { identityKey } = openSessionOf(ours.record());
  assert.ok(identityKey.equals(theirs.keys.identityKey));
});

test('a job in libsignal’s queue keeps its own context, and sessions do not wait for each other', async () => {
  const queueJob = fromBaileys('libsignal/src/queue_job.js');
  const context = new AsyncLocalStorage();
  let release;
  const blocked = new Promise((resolve) => {
    release = resolve;
  });
  const run = (owner, name, wait) => asOwner(owner, () => context.run(name, () => queueJob('49151.0', async () => {
    await wait;
    return context.getStore();
  })));
  const first = run(1, 'first', blocked);
  const second = run(1, 'second');
  assert.equal(await run(2, 'other'), 'other');
  release();
  assert.deepEqual(await Promise.all([first, second]), ['first', 'second']);
});
