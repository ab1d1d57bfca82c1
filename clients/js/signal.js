/** Something changed: who waited looks again. */
export class Signal {
  #waiting = [];

  next() {
    return new Promise((resolve) => { this.#waiting.push(resolve); });
  }

  notify() {
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }
}
