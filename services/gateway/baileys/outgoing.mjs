// What a send frame asks for, as WhatsApp's message. The same for a first attempt, a resend and a retry receipt.
import { generateWAMessageContent, getAudioDuration, proto } from 'baileys';
import { nullLogger } from './null_logger.mjs';

const FIELD = { image: 'imageMessage', video: 'videoMessage', audio: 'audioMessage', document: 'documentMessage' };

async function secondsOf(bytes) {
  try {
    return Math.round(await getAudioDuration(bytes));
  } catch {
    return 0; // not a file that we can read; the phone shows it without its length
  }
}

// Baileys would make thumbnails with sharp, jimp or ffmpeg, from files that outsiders wrote, and measure audio by way of
// a plain copy in the temporary folder: what is given here keeps it from all of that.
async function mediaContent({ type, caption, filename, mime, bytes }) {
  const content = { [type]: bytes, mimetype: mime ?? undefined };
  if (type === 'image' || type === 'video') content.jpegThumbnail = '';
  if (type === 'audio') content.seconds = await secondsOf(bytes);
  if (type === 'document') content.fileName = filename ?? 'file';
  if (caption && type !== 'audio') content.caption = caption;
  return content;
}

// message: { type, text, caption, filename, mime, bytes }; upload: the socket's waUploadToServer.
export async function makeMessage(message, { jid, userJid, upload }) {
  const options = { jid, userJid, upload, logger: nullLogger, mediaUploadTimeoutMs: 60_000 };
  if (message.type === 'text') return generateWAMessageContent({ text: message.text, linkPreview: null }, options);
  const made = await generateWAMessageContent(await mediaContent(message), options);
  const inner = made[FIELD[message.type]];
  if (inner && inner.jpegThumbnail && inner.jpegThumbnail.length === 0) inner.jpegThumbnail = null;
  return proto.Message.create(made);
}
