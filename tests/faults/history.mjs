// What happened, one JSON object a line: {e: kind, t: ms, …}.
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

export class History {
  constructor(file) {
    this.file = file;
    this.entries = [];
    this.out = createWriteStream(file);
  }

  add(e, fields) {
    const entry = { e, t: Date.now(), ...fields };
    this.entries.push(entry);
    this.out.write(JSON.stringify(entry) + '\n');
    return entry;
  }

  async close() {
    this.out.end();
    await finished(this.out);
  }
}
