// Work on one thing, one piece after the other; work on different things side by side.
export class Turns {
  #tails = new Map(); // key → the promise after which its next piece may run
  #size = 0;

  // How many pieces run or wait.
  get size() {
    return this.#size;
  }

  run(key, work) {
    this.#size++;
    const turn = (this.#tails.get(key) ?? Promise.resolve()).then(work);
    const tail = turn
      .catch(() => {})
      .then(() => {
        this.#size--;
        if (this.#tails.get(key) === tail) this.#tails.delete(key);
      });
    this.#tails.set(key, tail);
    return turn;
  }
}
