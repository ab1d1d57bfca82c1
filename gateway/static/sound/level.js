// What the level of the sound says: nothing at all, too quiet, too loud. Pure: time is counted in frames.

export const FLOOR_DB = -90;
const DEAD_DB = -80; // a microphone that is switched off: not even noise
const AUDIBLE_DB = -46; // loudest 100 ms of a voice that can be judged
const MODULATION_DB = 8; // speech goes up and down, the noise of a room does not
const NEAR_FULL_SCALE = 32600;
const CLIPPED_FRAMES = 4; // of the last ones: louder than the microphone can take
const WATCHED_FRAMES = 22; // 2.2 s
const CLIPPED_SAMPLES = 3;

/**
 * @typedef {{rmsDb: number, clipped: boolean}} Loudness of one frame of 100 ms
 * @typedef {'good' | 'no_sound' | 'too_quiet' | 'too_loud'} Verdict
 */

/** @param {Int16Array} samples @returns {Loudness} */
export function loudness(samples) {
  let sum = 0;
  let full = 0;
  for (const sample of samples) {
    sum += sample * sample;
    if (sample >= NEAR_FULL_SCALE || sample <= -NEAR_FULL_SCALE) full += 1;
  }
  const rms = Math.sqrt(sum / Math.max(1, samples.length)) / 32768;
  return { rmsDb: Math.max(FLOOR_DB, 20 * Math.log10(rms || 1e-9)), clipped: full >= CLIPPED_SAMPLES };
}

export class LevelWatch {
  /** @type {Loudness[]} */
  #recent = [];
  #wasAudible = false;

  /** Take the next frame. @param {Loudness} frame @returns {Verdict} */
  take(frame) {
    this.#recent.push(frame);
    if (this.#recent.length > WATCHED_FRAMES) this.#recent.shift();
    if (frame.rmsDb > AUDIBLE_DB) this.#wasAudible = true;
    if (this.#recent.filter(({ clipped }) => clipped).length >= CLIPPED_FRAMES) return 'too_loud';
    return this.#recent.length < WATCHED_FRAMES ? 'good' : this.#quiet();
  }

  #quiet() {
    const levels = this.#recent.map(({ rmsDb }) => rmsDb);
    const loudest = Math.max(...levels);
    if (loudest < DEAD_DB) return 'no_sound';
    if (loudest >= AUDIBLE_DB) return 'good';
    // Somebody who recited and now takes breath is not too quiet; a weak voice is.
    const moves = loudest - Math.min(...levels) >= MODULATION_DB;
    return this.#wasAudible && !moves ? 'good' : 'too_quiet';
  }
}
