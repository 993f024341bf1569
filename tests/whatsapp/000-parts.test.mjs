// The parts that no client of Baileys checks: the certificate chain, signatures, padding.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import https from 'node:https';
import { after, before, describe, test } from 'node:test';
import './lib/quiet.mjs';
import { proto } from 'baileys';
import { WebSocket } from 'ws';
import { makeKeys, sign, verify } from './lib/curve.mjs';
import { makeJid, node, parseJid, textOf } from './lib/nodes.mjs';
import { makeIdentity, PROLOGUE, Responder } from './lib/noise.mjs';
import { pad, Party, unpad } from './lib/party.mjs';
import { startAll } from './support/setup.mjs';

const { Details } = proto.CertChain.NoiseCertificate;

test('the certificate chain leads from the root key to the key of the handshake', () => {
  const root = makeKeys();
  const { keys, chain } = makeIdentity(root);
  const { leaf, intermediate } = proto.CertChain.decode(chain);
  const [leafDetails, between] = [Details.decode(leaf.details), Details.decode(intermediate.details)];
  assert.ok(verify(root.public, intermediate.details, intermediate.signature));
  assert.ok(verify(Buffer.from(between.key), leaf.details, leaf.signature));
  assert.ok(keys.public.equals(Buffer.from(leafDetails.key)));
  assert.deepEqual([between.issuerSerial, leafDetails.issuerSerial], [0, between.serial]);
  for (const { notBefore, notAfter } of [leafDetails, between]) {
    assert.ok(Number(notBefore) * 1000 < Date.now() && Number(notAfter) * 1000 > Date.now());
  }
  assert.ok(!verify(makeKeys().public, intermediate.details, intermediate.signature));
});

test('a signature is refused when a bit of it, of the message or of the key is another', () => {
  const keys = makeKeys();
  const message = Buffer.from('pay 100');
  const signature = sign(keys.private, message);
  assert.ok(verify(keys.public, message, signature));
  const flipped = (bytes, at) => Buffer.from(bytes.map((byte, i) => (i === at ? byte ^ 1 : byte)));
  assert.ok(!verify(keys.public, message, flipped(signature, 5)));
  assert.ok(!verify(keys.public, message, flipped(signature, 40)));
  assert.ok(!verify(keys.public, flipped(message, 0), signature));
  assert.ok(!verify(makeKeys().public, message, signature));
  assert.ok(!verify(keys.public, message, signature.subarray(1)));
});

test('the handshake fails for a client whose hello was changed on the way', () => {
  const server = new Responder(makeIdentity(makeKeys()));
  server.answerHello(proto.HandshakeMessage.encode({ clientHello: { ephemeral: makeKeys().public } }).finish());
  const clientFinish = { static: crypto.randomBytes(48), payload: crypto.randomBytes(64) };
  assert.throws(() => server.finish(proto.HandshakeMessage.encode({ clientFinish }).finish()));
  assert.equal(PROLOGUE.toString('hex'), '57410603');
});

test('padding is 1 to 16 bytes that say how many they are', () => {
  for (let length = 0; length < 40; length++) {
    const bytes = crypto.randomBytes(length);
    assert.ok(unpad(pad(bytes)).equals(bytes));
  }
  for (const wrong of [Buffer.alloc(0), Buffer.from([1, 0]), Buffer.from([9, 2, 3]), Buffer.alloc(20, 17)]) assert.throws(() => unpad(wrong));
});

test('a party does not start a session with keys that are not signed', async () => {
  const [one, other] = [new Party(), new Party()];
  const bundle = other.bundle();
  await assert.rejects(one.start('1.0', { ...bundle, signedPreKey: { ...bundle.signedPreKey, signature: crypto.randomBytes(64) } }));
  await one.start('1.0', bundle);
  const { type, bytes } = await one.encrypt('1.0', Buffer.from('hello'));
  assert.equal((await other.decrypt('2.0', type, bytes)).toString(), 'hello');
  await assert.rejects(other.decrypt('2.0', 'msg', crypto.randomBytes(80)));
});

test('a party keeps its sessions: one that cannot read a message, and one in whose place a new one was begun', async () => {
  const [one, other] = [new Party(), new Party()];
  const tell = async (text, [from, to], sealed) => {
    const { type, bytes } = sealed ?? (await from.encrypt('1.0', Buffer.from(text)));
    assert.equal((await to.decrypt('1.0', type, bytes)).toString(), text);
  };
  await one.start('1.0', other.bundle());
  await tell('one', [one, other]);
  await tell('two', [other, one]);
  await one.start('1.0', other.bundle()); // while an answer in the first session is on its way
  await tell('three', [other, one]);
  await tell('four', [one, other]);
  const underWay = await other.encrypt('1.0', Buffer.from('five'));
  one.retire('1.0');
  assert.equal(one.hasSession('1.0'), false);
  await tell('five', [other, one], underWay);
});

test('addresses', () => {
  assert.deepEqual(parseJid('4917:3@s.whatsapp.net'), { user: '4917', device: 3, server: 's.whatsapp.net' });
  assert.deepEqual(parseJid('123_1:2@lid'), { user: '123', device: 2, server: 'lid' });
  assert.equal(parseJid('nothing'), undefined);
  assert.equal(makeJid('1', 'lid', 0), '1@lid');
  assert.deepEqual(node('a', { b: 1, c: undefined }).attrs, { b: '1' });
  assert.equal(textOf({ content: Buffer.from('é') }), 'é');
});

describe('a double', () => {
  let info, admin, stop;
  before(async () => ({ info, admin, stop } = await startAll()));
  after(() => stop());

  test('tells what a client needs', async () => {
    assert.match(info.root_key, /^[0-9a-f]{64}$/);
    assert.match(info.ws_url, /^wss:\/\/127\.0\.0\.1:\d+\/ws\/chat$/);
    assert.deepEqual(await admin.get('/info'), info);
  });

  test('says what it does not know or understand', async () => {
    await assert.rejects(admin.get('/nothing'), ({ status }) => status === 404);
    await assert.rejects(admin.call('POST', '/phones', '{'), ({ status }) => status === 400);
    await assert.rejects(admin.phone('12ab'), ({ status }) => status === 400);
    await assert.rejects(admin.phone('4930123456', { online: 'maybe' }), ({ status }) => status === 400);
    await assert.rejects(admin.fault({ kind: 'rain' }), ({ status }) => status === 400);
    await assert.rejects(admin.fault({ kind: 'ack_error' }), ({ status }) => status === 400);
  });

  test('closes connections that do not speak its language, and lives on', async () => {
    const ca = await fs.readFile(info.ca_file);
    const hello = Buffer.concat([PROLOGUE, Buffer.from([0, 0, 2, 8, 1])]);
    for (const bytes of [crypto.randomBytes(100), hello, Buffer.concat([PROLOGUE, Buffer.from([255, 255, 255])])]) {
      const socket = new WebSocket(info.ws_url, { ca });
      socket.on('open', () => socket.send(bytes));
      await once(socket, 'close');
    }
    assert.equal((await admin.get('/stats')).connections, 0);
  });

  test('does not show the admin API or others files on the port of the clients', async () => {
    const ca = await fs.readFile(info.ca_file);
    for (const path of ['/phones', '/v/nothing', '/ws/chat']) {
      const request = https.get(new URL(path, info.ws_url.replace('wss:', 'https:')), { ca });
      const [response] = await once(request, 'response');
      response.resume();
      assert.equal(response.statusCode, 404);
    }
  });
});
