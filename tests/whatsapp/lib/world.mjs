// Who exists: accounts (a phone number, a LID, a phone) and their devices. Device 0 is the phone.
import { sha256 } from './curve.mjs';
import { Mailbox } from './mailbox.mjs';
import { makeJid, parseJid, Refused } from './nodes.mjs';

export class Device {
  constructor(account, id, keyIndex) {
    this.account = account;
    this.id = id;
    this.keyIndex = keyIndex;
    this.preKeys = []; // {id, public}: what is left of those uploaded
    this.mailbox = id === 0 ? account.phone : new Mailbox(this);
  }

  jid(server = 's.whatsapp.net') {
    return makeJid(this.account.user(server), server, this.id);
  }

  get connection() {
    return this.id === 0 ? null : this.mailbox.connection;
  }

  /** What a stranger needs to write to it. One-time prekeys go to one asker each. */
  takeBundle() {
    if (this.id === 0) return this.account.phone.party.bundle();
    if (!this.signedPreKey) throw new Refused(404, 'it has uploaded no keys');
    return {
      registrationId: this.registrationId,
      identity: this.identity,
      signedPreKey: this.signedPreKey,
      preKey: this.preKeys.shift(),
    };
  }
}

class Account {
  constructor(number, name, makePhone) {
    this.number = number;
    this.name = name;
    this.lid = `1${BigInt(`0x${sha256(`lid ${number}`).toString('hex', 0, 6)}`).toString().padStart(14, '0')}`;
    this.peers = new Set(); // accounts that it exchanged messages with
    this.tokens = new Map(); // number → the privacy token that it gave to that account
    this.devices = new Map();
    this.nextDevice = 1;
    this.phone = makePhone(this);
    this.devices.set(0, new Device(this, 0, 0));
  }

  user(server) {
    return server === 'lid' ? this.lid : this.number;
  }

  jid(server = 's.whatsapp.net') {
    return makeJid(this.user(server), server);
  }

  get companions() {
    return [...this.devices.values()].filter((device) => device.id !== 0);
  }
}

export class World {
  /** makePhone(account) gives what stands for device 0. */
  constructor(makePhone) {
    this.makePhone = makePhone;
    this.byNumber = new Map();
    this.byLid = new Map();
  }

  find(number) {
    return this.byNumber.get(number);
  }

  get(number) {
    const account = this.find(number);
    if (!account) throw new Refused(404, `there is no phone ${number}`);
    return account;
  }

  make(number, name) {
    if (!/^[1-9]\d{6,14}$/.test(number)) throw new Refused(400, 'a number is 7 to 15 digits with the country, without +');
    const there = this.find(number);
    if (there) {
      if (name) there.name = name;
      return there;
    }
    const account = new Account(number, name ?? `Phone ${number.slice(-4)}`, this.makePhone);
    this.byNumber.set(number, account);
    this.byLid.set(account.lid, account);
    return account;
  }

  accountOf(jid) {
    const parsed = parseJid(jid);
    if (!parsed) return undefined;
    return parsed.server === 'lid' ? this.byLid.get(parsed.user) : this.byNumber.get(parsed.user);
  }

  deviceOf(jid) {
    return this.accountOf(jid)?.devices.get(parseJid(jid).device);
  }

  get accounts() {
    return [...this.byNumber.values()];
  }
}
