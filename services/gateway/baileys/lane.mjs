// Work that must not run side by side: one queue with a bound.
export class Lane {
  #waiting = [];
  #running = 0;

  // width: how many run at a time. bound: how many may wait.
  constructor({ width = 1, bound }) {
    this.width = width;
    this.bound = bound;
  }

  get length() {
    return this.#waiting.length + this.#running;
  }

  get isFull() {
    return this.#waiting.length >= this.bound;
  }

  // Rejects at once when too many wait.
  run(work) {
    return new Promise((resolve, reject) => {
      if (this.isFull) {
        reject(new Error('too much waits already'));
        return;
      }
      this.#waiting.push({ work, resolve, reject });
      this.#next();
    });
  }

  #next() {
    if (this.#running >= this.width || this.#waiting.length === 0) return;
    const { work, resolve, reject } = this.#waiting.shift();
    this.#running++;
    Promise.resolve()
      .then(work)
      .then(resolve, reject)
      .finally(() => {
        this.#running--;
        this.#next();
      });
  }
}
