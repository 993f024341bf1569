// What no log may hold.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

// What libsignal calls its keys, and how keys look when somebody writes them down.
const KEYS = [/privKey|rootKey|ephemeralKeyPair|chainKey|preKey|signedPreKey|noiseKey/i, /[A-Za-z0-9+/]{43}=/, /\b[0-9a-f]{64}\b/i, /<Buffer /];

/** Throws when a log of the stack holds one of the words, or something that looks like a key. (The double's is WhatsApp's, not ours.) */
export async function assertQuietLogs(stack, words) {
  const folder = path.join(stack.data, 'log');
  const forbidden = [...words.map((word) => new RegExp(escaped(word))), ...KEYS];
  for (const file of await readdir(folder)) {
    if (file.startsWith('whatsapp-')) continue;
    const lines = (await readFile(path.join(folder, file), 'utf8')).split('\n');
    for (const pattern of forbidden) {
      const line = lines.find((one) => pattern.test(one));
      if (line) throw new Error(`${file} holds ${pattern}: ${line.slice(0, 300)}`);
    }
  }
}

// As a word of its own: «in 1» is in no «within 10 s».
const escaped = (word) => `(?<![A-Za-z0-9])${word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![A-Za-z0-9])`;
