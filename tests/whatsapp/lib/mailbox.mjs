// What waits for one companion device: kept until the device says that it has it, sent again after each reconnect.
import { children, node } from './nodes.mjs';

const MAX_WAITING = 100_000;

export class Mailbox {
  constructor(device) {
    this.device = device;
    this.waiting = []; // nodes, oldest first
    this.connection = null;
  }

  /** Later answers name a node by its tag and id, and receipts by their type too. */
  push(element) {
    if (this.waiting.length >= MAX_WAITING) throw new Error(`${this.device.jid()} does not fetch its messages`);
    this.waiting.push(element);
    if (this.connection?.active) this.connection.send(element);
  }

  /** The device has asked for what it missed. */
  flush(connection) {
    this.connection = connection;
    connection.active = true;
    const missed = this.waiting.length;
    this.waiting.forEach((element, index) => {
      connection.send({ ...element, attrs: { ...element.attrs, offline: String(index) } });
    });
    connection.send(node('ib', { from: '@s.whatsapp.net' }, [node('offline', { count: missed })]));
    return missed;
  }

  settle(tag, ids, type) {
    const wanted = new Set(ids);
    this.waiting = this.waiting.filter(
      (element) => element.tag !== tag || !wanted.has(element.attrs.id) || (tag === 'receipt' && element.attrs.type !== type),
    );
  }

  /** An <ack> of the device. */
  acknowledged({ attrs }) {
    this.settle(attrs.class, [attrs.id], attrs.type);
  }
}

/** All ids that a receipt is about. */
export function receiptIds(receipt) {
  const list = children(receipt, 'list').flatMap((element) => children(element, 'item'));
  return [receipt.attrs.id, ...list.map((item) => item.attrs.id)];
}
