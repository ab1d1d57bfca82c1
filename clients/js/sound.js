// Audio as a session takes it: 16-bit samples, in pieces of any size.

import { SAMPLE_RATE } from './dialects.js';

const PIECE_S = 0.2;

/** Turns what a source gives into samples; a byte that is half a sample waits for the other half. */
export class SampleReader {
  /** @type {Uint8Array} */
  #carry = new Uint8Array(0);

  /**
   * @param {Int16Array | ArrayBuffer | ArrayBufferView} piece samples, or bytes of PCM16 (little-endian)
   * @returns {Int16Array} a copy: the source may use its buffer again
   */
  read(piece) {
    if (piece instanceof Int16Array && !this.#carry.length) return piece.slice();
    const bytes = this.#joined(bytesOf(piece));
    const whole = bytes.length & ~1;
    this.#carry = bytes.slice(whole);
    const samples = new Int16Array(whole / 2);
    const view = new DataView(bytes.buffer, bytes.byteOffset, whole);
    for (let index = 0; index < samples.length; index += 1) samples[index] = view.getInt16(2 * index, true);
    return samples;
  }

  #joined(bytes) {
    if (!this.#carry.length) return bytes;
    const joined = new Uint8Array(this.#carry.length + bytes.length);
    joined.set(this.#carry);
    joined.set(bytes, this.#carry.length);
    return joined;
  }
}

function bytesOf(piece) {
  if (piece instanceof ArrayBuffer) return new Uint8Array(piece);
  // Floats would be read as noise.
  if (ArrayBuffer.isView(piece) && !(piece instanceof Float32Array) && !(piece instanceof Float64Array)) {
    return new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
  }
  throw new TypeError('audio is Int16Array, or bytes of PCM16: Uint8Array or ArrayBuffer');
}

/**
 * Audio in pieces of 200 ms; in real time each comes when it would have been recorded.
 * @param {Int16Array | ArrayBuffer | ArrayBufferView} pcm
 */
export async function* pieces(pcm, { realtime = false, sampleRate = SAMPLE_RATE } = {}) {
  const samples = new SampleReader().read(pcm);
  const step = Math.round(sampleRate * PIECE_S);
  const began = Date.now();
  for (let start = 0, number = 1; start < samples.length; start += step, number += 1) {
    if (realtime) {
      // Against the start, not the last piece: the pace must not drift.
      const early = began + number * PIECE_S * 1000 - Date.now();
      if (early > 0) await new Promise((resolve) => { setTimeout(resolve, early); });
    }
    yield samples.subarray(start, start + step);
  }
}
