// Audio that the service has not acknowledged yet: what a reconnect may have to send again.

export const SAMPLE_RATE = 16000;
const LONGEST_UNACKED = 120 * SAMPLE_RATE; // two minutes kept for a broken connection

/** The stretch of samples from the last acknowledged one to the newest. */
export class UnackedAudio {
  /** @type {{start: number, samples: Int16Array}[]} */
  #chunks = [];
  start = 0;
  end = 0;

  /** @param {number} start sample of the session at which the audio begins */
  constructor(start = 0) {
    this.start = start;
    this.end = start;
  }

  /**
   * @param {Int16Array} samples
   * @returns {boolean} false if two minutes wait already: nothing was taken then
   */
  append(samples) {
    if (this.end - this.start + samples.length > LONGEST_UNACKED) return false;
    this.#chunks.push({ start: this.end, samples });
    this.end += samples.length;
    return true;
  }

  /** @param {number} sample everything before it is safe at the service */
  forgetBefore(sample) {
    this.start = Math.min(Math.max(this.start, sample), this.end);
    while (this.#chunks.length && this.#chunks[0].start + this.#chunks[0].samples.length <= this.start) {
      this.#chunks.shift();
    }
  }

  /**
   * At most `most` samples from `from` on; what is no longer kept is silence, so that time stays true.
   * @param {number} from
   * @param {number} most
   */
  read(from, most) {
    const length = Math.max(0, Math.min(most, this.end - from));
    const out = new Int16Array(length);
    for (const { start, samples } of this.#chunks) {
      if (start >= from + length || start + samples.length <= from) continue;
      const skip = Math.max(0, from - start);
      const part = samples.subarray(skip, Math.min(samples.length, from + length - start));
      out.set(part, Math.max(0, start - from));
    }
    return out;
  }
}
