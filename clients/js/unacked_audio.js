// Audio that the server has not acknowledged yet: what a reconnect may have to send again. Pure.

/** The stretch of samples from the last acknowledged one to the newest; bounded. */
export class UnackedAudio {
  /** @type {{start: number, samples: Int16Array}[]} */
  #pieces = [];
  #start;
  #end;
  #capacity;

  /**
   * @param {number} capacity samples that are kept at most
   * @param {number} start sample of the session at which the audio begins
   */
  constructor(capacity, start = 0) {
    this.#capacity = capacity;
    this.#start = start;
    this.#end = start;
  }

  /** First sample still kept. */
  get start() {
    return this.#start;
  }

  /** One past the newest sample. */
  get end() {
    return this.#end;
  }

  /** Samples that may still be appended. */
  get room() {
    return this.#capacity - (this.#end - this.#start);
  }

  /** @param {Int16Array} samples are kept as they are, not copied. Throws `RangeError` beyond the capacity. */
  append(samples) {
    if (samples.length > this.room) {
      throw new RangeError(`${samples.length} samples do not fit: ${this.room} of ${this.#capacity} are free`);
    }
    if (!samples.length) return;
    this.#pieces.push({ start: this.#end, samples });
    this.#end += samples.length;
  }

  /** Drop what is acknowledged. @param {number} sample dropped already, or not yet recorded: ignored */
  forgetBefore(sample) {
    this.#start = Math.min(Math.max(this.#start, sample), this.#end);
    let gone = 0;
    while (gone < this.#pieces.length && endOf(this.#pieces[gone]) <= this.#start) gone += 1;
    this.#pieces.splice(0, gone);
  }

  /** All that is kept begins at this later sample: who goes on with an older session recorded nothing before. */
  moveTo(sample) {
    const by = sample - this.#start;
    for (const piece of this.#pieces) piece.start += by;
    this.#start += by;
    this.#end += by;
  }

  /**
   * Samples from `from` on; what is no longer kept is silence, so that time stays true.
   * @param {number} from
   * @param {number} most
   */
  read(from, most) {
    const length = Math.max(0, Math.min(most, this.#end - from));
    const out = new Int16Array(length);
    for (let index = this.#pieceAt(from); index < this.#pieces.length; index += 1) {
      const { start, samples } = this.#pieces[index];
      if (start >= from + length) break;
      const first = Math.max(start, from, this.#start);
      const last = Math.min(start + samples.length, from + length);
      if (first < last) out.set(samples.subarray(first - start, last - start), first - from);
    }
    return out;
  }

  /** The first piece that reaches beyond the sample: found by halving, as there may be thousands. */
  #pieceAt(sample) {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (endOf(this.#pieces[middle]) <= sample) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const endOf = ({ start, samples }) => start + samples.length;
