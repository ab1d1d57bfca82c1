// How every word stands, over connections, lost states and gaps. Pure: no page, no clock.

/**
 * @typedef {'pending' | 'correct' | 'minor_mistake' | 'wrong' | 'missing' | 'not_judged'} Status
 * @typedef {{status: Status, final: boolean, heard: string | null, expected: string | null,
 *            start: number | null, end: number | null}} Word  times in seconds of the session
 * @typedef {{from: number, to: number}} Gap  seconds whose sound was not judged
 */

const UNTOUCHED = Object.freeze({
  status: 'pending', final: false, heard: null, expected: null, start: null, end: null,
});
const UNHEARD = new Set(['pending', 'missing', 'not_judged']); // states of a word that nobody judged
const TOLERANCE_S = 0.6; // a word next to a gap may end a little inside it

export class Judgement {
  /** @type {Word[]} */
  words;
  /** @type {Gap[]} */
  gaps = [];
  /** @type {(Word | null)[]} words as they stood before the service lost its memory of the session */
  #before = [];

  /** @param {number} count words of the passage */
  constructor(count) {
    this.words = Array.from({ length: count }, () => UNTOUCHED);
  }

  /** The service starts anew: what was judged stays as it was judged. */
  stateLost() {
    this.#before = this.words.map((word) => (isJudged(word.status) ? word : null));
  }

  /** @param {Gap} gap */
  addGap(gap) {
    this.gaps.push(gap);
  }

  /**
   * Take a list as `word_feedback` or `word_analysis` gives it.
   * @returns {number[]} the words that changed
   */
  take(entries) {
    const words = entries.map((entry, index) => this.#read(entry, index));
    if (this.gaps.length) markGaps(words, this.gaps);
    const changed = [];
    words.forEach((word, index) => {
      const old = this.words[index];
      if (old && old.status === word.status && old.final === word.final && old.end === word.end) return;
      changed.push(index);
    });
    this.words = words;
    return changed;
  }

  /** How many words are in each state. @returns {Record<string, number>} */
  counts() {
    const counts = {};
    for (const { status } of this.words) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  }

  #read(entry, index) {
    const kept = this.#before[index];
    if (kept && UNHEARD.has(entry.status)) return kept;
    return {
      status: entry.status,
      final: entry.final ?? entry.status !== 'pending',
      heard: entry.heard ?? null,
      expected: entry.expected ?? this.words[index]?.expected ?? null,
      start: entry.start_time ?? null,
      end: entry.end_time ?? null,
    };
  }
}

/** Whether something was heard of a word, right or not. */
export function isJudged(status) {
  return status === 'correct' || status === 'minor_mistake' || status === 'wrong';
}

/** Whether a word needs the reciter's attention. */
export function isDeviation(status) {
  return status === 'minor_mistake' || status === 'wrong' || status === 'missing';
}

/** Why the sound is too poor to judge; empty if it is not. @param {{level: string, reason?: string} | undefined} quality */
export const poorness = (quality) => (quality?.level === 'poor' ? quality.reason ?? 'other' : '');

/** Left-out words whose place in time lies in a gap are not judged: nobody listened then. */
function markGaps(words, gaps) {
  let at = 0;
  while (at < words.length) {
    if (words[at].status !== 'missing') {
      at += 1;
      continue;
    }
    let stop = at;
    while (stop < words.length && words[stop].status === 'missing') stop += 1;
    const before = words[at - 1]?.end ?? 0;
    const after = words[stop]?.start ?? Infinity;
    if (gaps.some(({ from, to }) => to >= before - TOLERANCE_S && from <= after + TOLERANCE_S)) {
      for (let index = at; index < stop; index += 1) words[index] = { ...words[index], status: 'not_judged' };
    }
    at = stop;
  }
}
