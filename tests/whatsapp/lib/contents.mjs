// The contents of messages: made from what a test asks a phone to write, and told as what a phone shows.
import { proto } from 'baileys';
import { Refused } from './nodes.mjs';

const { ProtocolMessage } = proto.Message;
const MEDIA = {
  image: 'imageMessage',
  video: 'videoMessage',
  audio: 'audioMessage',
  document: 'documentMessage',
  sticker: 'stickerMessage',
};
const WRAPPERS = ['ephemeralMessage', 'viewOnceMessage', 'viewOnceMessageV2', 'documentWithCaptionMessage', 'editedMessage'];

function want(request, ...names) {
  for (const name of names) if (request[name] === undefined) throw new Refused(400, `${request.type} wants ${name}`);
}

function mediaMessage(request, media) {
  want(request, 'data', 'mime');
  const sealed = media.seal(request.type, Buffer.from(request.data, 'base64'));
  const field = { ...sealed, mimetype: request.mime, caption: request.caption, mediaKeyTimestamp: Math.floor(Date.now() / 1000) };
  if (request.type === 'document') Object.assign(field, { fileName: request.file_name, title: request.file_name });
  if (request.type === 'audio') field.ptt = Boolean(request.voice);
  return { [MEDIA[request.type]]: field };
}

const vcard = ({ name, phone }) =>
  `BEGIN:VCARD\nVERSION:3.0\nFN:${name}\nTEL;type=CELL;waid=${phone.replace(/\D/g, '')}:${phone}\nEND:VCARD`;

const BUILD = {
  text: (request) => {
    want(request, 'text');
    return { conversation: request.text };
  },
  reaction: (request, { keyOf }) => {
    want(request, 'target');
    return { reactionMessage: { key: keyOf(request.target), text: request.emoji ?? '', senderTimestampMs: Date.now() } };
  },
  edit: (request, { keyOf }) => {
    want(request, 'target', 'text');
    const key = keyOf(request.target);
    const editedMessage = { conversation: request.text };
    return { protocolMessage: { key, type: ProtocolMessage.Type.MESSAGE_EDIT, editedMessage, timestampMs: Date.now() } };
  },
  delete: (request, { keyOf }) => {
    want(request, 'target');
    return { protocolMessage: { key: keyOf(request.target), type: ProtocolMessage.Type.REVOKE } };
  },
  location: (request) => {
    want(request, 'latitude', 'longitude');
    const { latitude, longitude, name, address } = request;
    return { locationMessage: { degreesLatitude: latitude, degreesLongitude: longitude, name, address } };
  },
  contact: (request) => {
    want(request, 'name', 'phone');
    return { contactMessage: { displayName: request.name, vcard: vcard(request) } };
  },
};

/**
 * request: {type, …} as the README tells; keyOf(id) and quote(id) know the chat's messages, media keeps files.
 * Gives the message's content.
 */
export function build(request, { keyOf, quote, media }) {
  const made = MEDIA[request.type] ? mediaMessage(request, media) : BUILD[request.type]?.(request, { keyOf });
  if (!made) throw new Refused(400, `type is one of ${[...Object.keys(BUILD), ...Object.keys(MEDIA)].join(', ')}`);
  if (!request.reply_to) return made;
  const contextInfo = quote(request.reply_to);
  if (made.conversation) return { extendedTextMessage: { text: made.conversation, contextInfo } };
  Object.values(made)[0].contextInfo = contextInfo;
  return made;
}

export function stanzaType(message) {
  if (message.reactionMessage) return 'reaction';
  return Object.values(MEDIA).some((field) => message[field]) ? 'media' : 'text';
}

export function mediaType(message) {
  return Object.keys(MEDIA).find((kind) => message[MEDIA[kind]]);
}

/** The `edit` attribute of a message that changes another: 1 an edit, 7 a deletion. */
export function editAttribute({ protocolMessage }) {
  if (protocolMessage?.type === ProtocolMessage.Type.MESSAGE_EDIT) return '1';
  return protocolMessage?.type === ProtocolMessage.Type.REVOKE ? '7' : undefined;
}

function unwrap(message) {
  const wrapper = WRAPPERS.find((name) => message[name]);
  return wrapper ? unwrap(message[wrapper].message) : message;
}

const bodyOf = (message) => message?.conversation || message?.extendedTextMessage?.text || undefined;

function describeProtocol({ type, key, editedMessage }) {
  if (type === ProtocolMessage.Type.REVOKE) return { type: 'delete', target: key?.id };
  if (type === ProtocolMessage.Type.MESSAGE_EDIT) return { type: 'edit', target: key?.id, body: bodyOf(unwrap(editedMessage ?? {})) };
  return { type: 'protocol', protocol: ProtocolMessage.Type[type] };
}

function describeMedia(kind, field, media) {
  const { caption, fileName, mimetype } = field;
  const found = media.open(kind, field);
  return { type: kind, body: caption || undefined, media: { ...found, mime: mimetype, file_name: fileName || undefined } };
}

/** What a phone shows of a decrypted message. */
export function describe(decoded, media) {
  const message = unwrap(decoded);
  const kind = mediaType(message);
  const reply = Object.values(message).find((field) => field?.contextInfo?.stanzaId)?.contextInfo.stanzaId;
  const told = kind ? describeMedia(kind, message[MEDIA[kind]], media) : describePlain(message);
  return reply ? { ...told, reply_to: reply } : told;
}

function describePlain(message) {
  if (message.protocolMessage) return describeProtocol(message.protocolMessage);
  if (message.reactionMessage) return { type: 'reaction', target: message.reactionMessage.key?.id, emoji: message.reactionMessage.text };
  if (message.locationMessage) {
    const { degreesLatitude: latitude, degreesLongitude: longitude, name, address } = message.locationMessage;
    return { type: 'location', latitude, longitude, name: name || undefined, address: address || undefined };
  }
  if (message.contactMessage) return { type: 'contact', name: message.contactMessage.displayName, vcard: message.contactMessage.vcard };
  const body = bodyOf(message);
  return body === undefined ? { type: 'other', fields: Object.keys(message) } : { type: 'text', body };
}
