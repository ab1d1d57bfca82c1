// The reciter's own voice, kept in this page only, to hear a word again.

import { toBuffer } from './recording.js';

const SAMPLE_RATE = 16000;
const LONGEST = 20 * 60 * SAMPLE_RATE; // 38 MB; the oldest goes first
const BEFORE_S = 0.12;
const AFTER_S = 0.18;

export class Take {
  #chunks = [];
  #start = 0;
  #end = 0;
  #playing = null;

  /** @param {number} start sample of the session at which this take begins */
  constructor(start = 0) {
    this.#start = start;
    this.#end = start;
  }

  /** @param {Int16Array} samples */
  append(samples) {
    this.#chunks.push({ start: this.#end, samples });
    this.#end += samples.length;
    while (this.#end - this.#start > LONGEST) this.#start += this.#chunks.shift().samples.length;
  }

  /** Whether the stretch is kept; seconds of the session. */
  has(start, end) {
    return start !== null && end !== null && end > start
      && start * SAMPLE_RATE >= this.#start && end * SAMPLE_RATE <= this.#end + SAMPLE_RATE;
  }

  /** Play a stretch with a breath on both sides. */
  async play(start, end) {
    await this.silence();
    const from = Math.max(this.#start, Math.floor((start - BEFORE_S) * SAMPLE_RATE));
    const samples = this.#read(from, Math.min(this.#end, Math.ceil((end + AFTER_S) * SAMPLE_RATE)));
    const context = new AudioContext();
    const source = context.createBufferSource();
    source.buffer = toBuffer(context, samples);
    source.connect(context.destination);
    source.onended = () => this.silence();
    this.#playing = context;
    source.start();
  }

  async silence() {
    const playing = this.#playing;
    this.#playing = null;
    if (playing && playing.state !== 'closed') await playing.close();
  }

  #read(from, to) {
    const out = new Int16Array(Math.max(0, to - from));
    for (const { start, samples } of this.#chunks) {
      if (start >= to || start + samples.length <= from) continue;
      const skip = Math.max(0, from - start);
      out.set(samples.subarray(skip, Math.min(samples.length, to - start)), Math.max(0, start - from));
    }
    return out;
  }
}
