// What a decrypted WhatsApp message says, in the gateway's words. Pure.
import { normalizeMessageContent, proto } from 'baileys';

const { Type } = proto.Message.ProtocolMessage;
const MEDIA = {
  imageMessage: 'image',
  videoMessage: 'video',
  ptvMessage: 'video',
  audioMessage: 'audio',
  documentMessage: 'document',
};
// Wrapped for delivery, carrying keys, or meant for the phone's own apps: nothing that a customer said.
const SILENT = new Set([
  'senderKeyDistributionMessage',
  'messageContextInfo',
  'protocolMessage',
  'encReactionMessage',
  'keepInChatMessage',
  'pinInChatMessage',
  'pollUpdateMessage',
  'encEventResponseMessage',
  'deviceSentMessage',
  'call',
  'chat',
]);
const FILENAME_CHARS = 255;

const number = (value) => (value === null || value === undefined ? 0 : Number(value));
const fields = (message) => Object.keys(message).filter((name) => message[name] !== null && message[name] !== undefined);
const quotedBy = (inner) => inner?.contextInfo?.stanzaId || null;

function mediaOf(kind, inner) {
  return {
    kind,
    body: inner.caption ?? '',
    filename: inner.fileName ? inner.fileName.slice(0, FILENAME_CHARS) : null,
    contentType: inner.mimetype || 'application/octet-stream',
    quoted: quotedBy(inner),
    file: {
      kind,
      directPath: inner.directPath || null,
      url: inner.url || null,
      mediaKey: inner.mediaKey,
      fileSha256: inner.fileSha256,
      size: number(inner.fileLength),
    },
  };
}

function locationOf(inner) {
  const detail = {
    latitude: inner.degreesLatitude ?? 0,
    longitude: inner.degreesLongitude ?? 0,
    name: inner.name ?? '',
    address: inner.address ?? '',
  };
  return { kind: 'location', body: inner.name || null, detail, quoted: quotedBy(inner) };
}

// Of a card only the numbers are of use here: "TEL;waid=4915…:+49 15…".
function numbersOf(vcard) {
  const numbers = new Set();
  for (const line of (vcard ?? '').split(/\r?\n/)) {
    if (!/^(item\d+\.)?TEL[;:]/i.test(line)) continue;
    const digits = (/waid=(\d+)/i.exec(line)?.[1] ?? line.slice(line.indexOf(':') + 1)).replace(/\D/g, '');
    if (digits.length >= 7 && digits.length <= 15) numbers.add(`+${digits}`);
  }
  return [...numbers];
}

function contactsOf(inner, contacts) {
  const detail = contacts.map(({ displayName, vcard }) => ({ name: displayName ?? '', phone_numbers: numbersOf(vcard) }));
  return { kind: 'contacts', body: detail.map(({ name }) => name).join(', '), detail, quoted: quotedBy(inner) };
}

function protocolOf(message) {
  const target = message.key?.id;
  if (message.type === Type.REVOKE && target) return { kind: 'delete', target };
  if (message.type === Type.MESSAGE_EDIT && target) {
    return { kind: 'edit', target, body: contentOf(message.editedMessage)?.body ?? '' };
  }
  return null;
}

// null: there is nothing in it for people. `file` is what downloading takes; it stays in this process.
export function contentOf(wrapped) {
  const message = normalizeMessageContent(wrapped);
  if (!message) return null;
  if (message.protocolMessage) return protocolOf(message.protocolMessage);
  if (message.reactionMessage) {
    const { key, text } = message.reactionMessage;
    return key?.id ? { kind: 'reaction', target: key.id, body: text ?? '' } : null;
  }
  if (message.conversation) return { kind: 'text', body: message.conversation };
  if (message.extendedTextMessage) {
    const inner = message.extendedTextMessage;
    return { kind: 'text', body: inner.text ?? '', quoted: quotedBy(inner) };
  }
  for (const [field, kind] of Object.entries(MEDIA)) {
    if (message[field]) return mediaOf(kind, message[field]);
  }
  const place = message.locationMessage ?? message.liveLocationMessage;
  if (place) return locationOf(place);
  if (message.contactMessage) return contactsOf(message.contactMessage, [message.contactMessage]);
  if (message.contactsArrayMessage) {
    return contactsOf(message.contactsArrayMessage, message.contactsArrayMessage.contacts ?? []);
  }
  return fields(message).some((name) => !SILENT.has(name)) ? { kind: 'other', quoted: quotedOf(message) } : null;
}

function quotedOf(message) {
  return fields(message).map((name) => quotedBy(message[name])).find(Boolean) ?? null;
}

// The elements of an inbound frame that say what it says.
export function inboundOf(content) {
  if (!content) return { type: 'none' };
  const { kind, body = null, filename, contentType, target, quoted, detail } = content;
  return {
    type: kind,
    body,
    filename: filename ?? null,
    contentType: contentType ?? null,
    target: target ?? null,
    quoted: quoted ?? null,
    detail: detail ? JSON.stringify(detail) : null,
  };
}
