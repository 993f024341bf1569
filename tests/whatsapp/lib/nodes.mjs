// Binary nodes and addresses. A short content may arrive as a token, a packed string or bytes: bytesOf() and textOf() take all.
import { decodeBinaryNode, encodeBinaryNode } from 'baileys';

export const SERVER = '@s.whatsapp.net';

/** An element; attributes that are undefined are left out, all others become strings. */
export function node(tag, attrs = {}, content = undefined) {
  const given = Object.entries(attrs).filter(([, value]) => value !== undefined);
  return { tag, attrs: Object.fromEntries(given.map(([name, value]) => [name, String(value)])), content };
}

export const encode = (element) => encodeBinaryNode(element);
export const decode = (bytes) => decodeBinaryNode(bytes);

export function children(element, tag) {
  if (!Array.isArray(element?.content)) return [];
  return tag ? element.content.filter((child) => child.tag === tag) : element.content;
}

export const child = (element, tag) => children(element, tag)[0];

export function bytesOf(element) {
  const content = element?.content;
  if (typeof content === 'string') return Buffer.from(content);
  return content instanceof Uint8Array ? Buffer.from(content) : undefined;
}

export const textOf = (element) => bytesOf(element)?.toString('utf8');

export function uintOf(element, length) {
  const bytes = bytesOf(element);
  if (!bytes || bytes.length !== length) throw new Refused(400, `${element?.tag ?? 'a number'} has not ${length} bytes`);
  return bytes.readUIntBE(0, length);
}

export function uint(value, length) {
  const bytes = Buffer.alloc(length);
  bytes.writeUIntBE(value, 0, length);
  return bytes;
}

/** 491701234567:3@s.whatsapp.net: {user, device, server}; device is 0 where none is written. */
export function parseJid(jid) {
  const match = /^([^@:_]*)(?:_\d+)?(?::(\d+))?@(.+)$/.exec(jid ?? '');
  if (!match) return undefined;
  return { user: match[1], device: Number(match[2] ?? 0), server: match[3] };
}

export function makeJid(user, server, device = 0) {
  return `${user}${device ? `:${device}` : ''}@${server}`;
}

export const now = () => Math.floor(Date.now() / 1000);

/** What the other side must not do, with the code that it is told. */
export class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}
