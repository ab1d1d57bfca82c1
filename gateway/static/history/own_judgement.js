// What the reciter says of marked words: kept beside the program's judgement, in which it changes nothing.

import { judgeOwn, keep } from './history.js';

export class OwnJudgement {
  /** The id of the recitation in the history; null before it is kept, and where a browser keeps nothing. */
  #sitting = Promise.resolve(null);
  /** @type {Set<number>} indexes of words that were right, the reciter says */
  right;

  /** @param {Iterable<number>} right */
  constructor(right = []) {
    this.right = new Set(right);
  }

  /** Keep the recitation that was judged. @param {Omit<Parameters<typeof keep>[0], 'own'>} recited */
  keepWith(recited) {
    // A browser that stores nothing here: the history sheet says so when it is opened.
    this.#sitting = keep({ ...recited, own: this.right }).catch(() => null);
  }

  /** @param {number} surah @param {import('../passage/verses.js').Word} word @param {boolean} right */
  say(surah, word, right) {
    if (right) this.right.add(word.index);
    else this.right.delete(word.index);
    this.#sitting = this.#sitting.then(async (id) => {
      if (id !== null) await judgeOwn(id, surah, word, right).catch(() => {});
      return id;
    });
  }
}
