// Keeps the whole world over a restart: accounts, devices, sessions, what waits and what the phones show. Files do not stay.
import fs from 'node:fs';
import { BufferJSON, proto } from 'baileys';
import { Device } from './world.mjs';

const VERSION = 1;
const PARTY = ['identity', 'registrationId', 'nextPreKey', 'signedPreKey'];
const DEVICE = ['id', 'keyIndex', 'noisePublic', 'identity', 'registrationId', 'signedPreKey', 'preKeys', 'routing', 'greeted'];
const PHONE = ['settings', 'inbox', 'undecryptable', 'unread'];

const pick = (from, names) => Object.fromEntries(names.map((name) => [name, from[name]]));

function packPhone(phone) {
  const sent = [...phone.sent].map(([id, { message, peer, ...rest }]) => {
    return { id, ...rest, peer: peer.number, message: Buffer.from(proto.Message.encode(message).finish()) };
  });
  const party = { ...pick(phone.party, PARTY), preKeys: [...phone.party.preKeys], sessions: [...phone.party.sessions] };
  return { ...pick(phone, PHONE), party, sent };
}

function packAccount(account) {
  return {
    number: account.number,
    name: account.name,
    nextDevice: account.nextDevice,
    peers: [...account.peers].map(({ number }) => number),
    tokens: [...account.tokens],
    devices: account.companions.map((device) => ({ ...pick(device, DEVICE), waiting: device.mailbox.waiting })),
    phone: packPhone(account.phone),
  };
}

/** Writes all of it. The phones must be at rest. */
export function keepWorld(world, file) {
  const text = JSON.stringify({ version: VERSION, accounts: world.accounts.map(packAccount) }, BufferJSON.replacer);
  fs.writeFileSync(`${file}.new`, text, { mode: 0o600 });
  fs.renameSync(`${file}.new`, file);
}

function unpackPhone(world, phone, kept) {
  Object.assign(phone, pick(kept, PHONE));
  Object.assign(phone.party, pick(kept.party, PARTY), { preKeys: new Map(kept.party.preKeys), sessions: new Map(kept.party.sessions) });
  for (const entry of phone.inbox) phone.shown.set(`${entry.from} ${entry.id}`, entry);
  for (const { id, message, peer, ...rest } of kept.sent) {
    phone.sent.set(id, { ...rest, peer: world.get(peer), message: proto.Message.decode(message) });
  }
}

function unpackDevice(account, { waiting, ...kept }) {
  const device = Object.assign(new Device(account, kept.id, kept.keyIndex), kept);
  device.mailbox.waiting = waiting;
  account.devices.set(device.id, device);
}

/** Fills an empty world with what was kept; does nothing if nothing was. */
export function restoreWorld(world, file) {
  if (!fs.existsSync(file)) return;
  const { version, accounts } = JSON.parse(fs.readFileSync(file, 'utf8'), BufferJSON.reviver);
  if (version !== VERSION) throw new Error(`${file} is of another version: remove it to start anew`);
  for (const { number, name } of accounts) world.make(number, name);
  for (const kept of accounts) {
    const account = world.get(kept.number);
    account.nextDevice = kept.nextDevice;
    account.peers = new Set(kept.peers.map((number) => world.get(number)));
    account.tokens = new Map(kept.tokens);
    for (const device of kept.devices) unpackDevice(account, device);
    unpackPhone(world, account.phone, kept.phone);
  }
}
