// What becomes of messages and receipts: who gets which copy, and what the sender is told.
import crypto from 'node:crypto';
import { bytesOf, child, children, node, now, parseJid, SERVER } from './nodes.mjs';
import { receiptIds } from './mailbox.mjs';

const OWN_SERVERS = new Set(['s.whatsapp.net', 'lid']);
const LOW_PRE_KEYS = 4; // Baileys uploads more below 5
const NEVER_SHOWN = new Set(['sender', 'read-self', 'peer_msg', 'hist_sync', 'server-error']);

const refuse = (code) => ({ error: code });

export class Router {
  constructor(world, faults, note) {
    this.world = world;
    this.faults = faults;
    this.note = note;
  }

  /**
   * Takes a message of a device. Gives what its acknowledgement says: {} or {error}; {lost: true} means none, {cut: true} the
   * end of the connection instead, {afterMs} later.
   */
  message(sender, stanza, { hideNumber = false } = {}) {
    const { attrs } = stanza;
    const chat = parseJid(attrs.recipient ?? attrs.to);
    if (!chat || !OWN_SERVERS.has(chat.server)) return refuse(479);
    const peer = this.world.accountOf(attrs.recipient ?? attrs.to);
    const facts = { from: sender.account.number, to: peer?.number ?? chat.user };
    const fault = (kind) => (sender.id === 0 ? undefined : this.faults.take(kind, facts)); // phones have none
    const error = this.objection(sender, stanza, peer) ?? fault('ack_error')?.code ?? this.token(sender, stanza, peer, fault);
    if (error) {
      this.note(`message_refused_${error}`);
      return refuse(error);
    }
    if (fault('message_lost')) return { lost: true };
    if (peer && peer !== sender.account) this.acquaint(sender.account, peer);
    for (const [target, encrypted] of this.copies(stanza)) this.deliver(sender, target, stanza, encrypted, { peer, chat, hideNumber });
    this.note('messages');
    if (fault('ack_lost')) return { lost: true };
    if (fault('ack_cut')) return { cut: true };
    return { afterMs: fault('ack_slow')?.ms };
  }

  /** What a strict server objects to; undefined if all is well. */
  objection(sender, stanza, peer) {
    if (stanza.attrs.category === 'peer') return child(stanza, 'tctoken') || peer !== sender.account ? 479 : undefined;
    const all = [...children(stanza, 'enc'), ...children(child(stanza, 'participants'), 'to').flatMap((to) => children(to, 'enc'))];
    if (!all.every((enc) => enc.attrs.v === '2' && ['msg', 'pkmsg'].includes(enc.attrs.type) && bytesOf(enc)?.length)) return 479;
    if ([...this.copies(stanza)].some(([{ account }]) => account !== peer && account !== sender.account)) return 479;
    const vouched = sender.id === 0 || child(stanza, 'device-identity');
    if (!vouched && all.some((enc) => enc.attrs.type === 'pkmsg')) return 479;
    return undefined;
  }

  token(sender, stanza, peer, fault) {
    if (!peer || peer === sender.account || stanza.attrs.device_fanout === 'false' || sender.id === 0) return undefined;
    const shown = bytesOf(child(stanza, 'tctoken'));
    const good = shown && peer.tokens.get(sender.account.number)?.equals(shown);
    this.note(good ? 'tctoken_good' : shown ? 'tctoken_wrong' : 'tctoken_none');
    return !good && fault('tctoken_required') ? 463 : undefined;
  }

  /** Device → the parts that are encrypted for it. A stanza for one device has them at its top. */
  *copies(stanza) {
    const top = children(stanza, 'enc');
    if (top.length > 0) {
      const target = this.world.deviceOf(stanza.attrs.to);
      if (target) yield [target, top];
      return;
    }
    for (const to of children(child(stanza, 'participants'), 'to')) {
      const target = this.world.deviceOf(to.attrs.jid);
      if (target) yield [target, children(to, 'enc')];
    }
  }

  deliver(sender, target, stanza, encrypted, { peer, chat, hideNumber }) {
    if (target === sender) return;
    const { server } = chat;
    const other = server === 'lid' ? 's.whatsapp.net' : 'lid';
    const own = target.account === sender.account;
    const attrs = {
      id: stanza.attrs.id,
      from: sender.jid(server),
      type: stanza.attrs.type,
      t: now(),
      notify: sender.account.name,
      category: stanza.attrs.category,
      edit: stanza.attrs.edit,
      addressing_mode: server === 'lid' ? 'lid' : 'pn',
    };
    if (!own) attrs[server === 'lid' ? 'sender_pn' : 'sender_lid'] = hideNumber ? undefined : sender.account.jid(other);
    else if (stanza.attrs.category !== 'peer') {
      attrs.recipient = peer ? peer.jid(server) : `${chat.user}@${server}`;
      attrs[server === 'lid' ? 'peer_recipient_pn' : 'peer_recipient_lid'] = peer?.jid(other);
    }
    const vouch = encrypted.some((enc) => enc.attrs.type === 'pkmsg') ? children(stanza, 'device-identity') : [];
    target.mailbox.push(node('message', attrs, [...encrypted, ...vouch]));
  }

  acquaint(one, other) {
    one.peers.add(other);
    other.peers.add(one);
  }

  /** Takes a receipt of a device; the server's acknowledgement is the caller's. */
  receipt(sender, element) {
    const { attrs } = element;
    if (sender.id !== 0) sender.mailbox.settle('message', receiptIds(element));
    const parsed = parseJid(attrs.to);
    const account = this.world.accountOf(attrs.to);
    if (!parsed || !account) return;
    const forward = { id: attrs.id, from: sender.jid(parsed.server), type: attrs.type, t: attrs.t ?? now() };
    this.note(`receipts_${attrs.type ?? 'delivery'}`);
    if (attrs.type === 'retry') {
      const own = account === sender.account;
      const target = account.devices.get(parsed.device);
      target?.mailbox.push(node('receipt', { ...forward, recipient: own ? attrs.recipient : undefined }, element.content));
    } else if (!NEVER_SHOWN.has(attrs.type) && account !== sender.account) {
      const content = children(element, 'list').length ? element.content : undefined;
      for (const target of account.devices.values()) target.mailbox.push(node('receipt', forward, content));
    }
  }

  /** An account trusts another: from now on that one may show the token. */
  giveToken(giver, holder) {
    const token = crypto.randomBytes(16);
    giver.tokens.set(holder.number, token);
    const attrs = { id: crypto.randomUUID(), from: giver.jid(), sender_lid: giver.jid('lid'), type: 'privacy_token', t: now() };
    for (const target of holder.devices.values()) {
      const given = node('token', { jid: holder.jid(), t: now(), type: 'trusted_contact' }, token);
      target.mailbox.push(node('notification', attrs, [node('tokens', {}, [given])]));
    }
  }

  /** Hands out a device's keys, and tells the device when few are left. */
  bundleOf(device) {
    const bundle = device.takeBundle();
    if (device.id !== 0 && device.preKeys.length === LOW_PRE_KEYS) this.preKeysLow(device);
    return bundle;
  }

  preKeysLow(device) {
    const count = node('count', { value: device.preKeys.length });
    device.mailbox.push(node('notification', { id: crypto.randomUUID(), from: SERVER, type: 'encrypt', t: now() }, [count]));
  }

  /** The list of an account's devices changed; told to the account itself and to whom it wrote with. */
  devicesChanged(account, change, device) {
    const attrs = { from: account.jid(), type: 'devices', t: now() };
    for (const told of [account, ...account.peers]) {
      for (const target of told.companions) {
        if (target === device) continue;
        const entry = node('device', { jid: device.jid(), 'key-index': device.keyIndex });
        target.mailbox.push(node('notification', { id: crypto.randomUUID(), ...attrs }, [node(change, {}, [entry])]));
      }
    }
  }
}
