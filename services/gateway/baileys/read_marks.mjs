// Read receipts for what is committed, one after the other: those that come meanwhile go out together. Nobody waits for
// them, and one that does not get through is not said again.
const WAITING = 1_000; // more than that stay unread

export class ReadMarks {
  #tell;
  #waiting = [];
  #isTelling = false;

  // tell(keys): Baileys' readMessages, which says `read` or, where the account wants it so, tells the own phone alone.
  constructor(tell) {
    this.#tell = tell;
  }

  // key: { remoteJid, id } of a message.
  add(key) {
    if (this.#waiting.length >= WAITING) return;
    this.#waiting.push(key);
    if (!this.#isTelling) this.#tellAll();
  }

  async #tellAll() {
    this.#isTelling = true;
    while (this.#waiting.length > 0) await this.#tell(this.#waiting.splice(0)).catch(() => {});
    this.#isTelling = false;
  }
}
