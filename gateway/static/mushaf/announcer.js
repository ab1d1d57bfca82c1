// What a screen reader hears while somebody recites: mistakes and verse ends, not every word.

import { isDeviation } from '../client/judgement.js';
import { quranic, say } from '../language/language.js';

const TOGETHER_MS = 700; // what happens within this time is said in one breath
const MOST_WORDS = 3;

export class Announcer {
  #mistakes = new Map();
  #verses = new Set();
  #saidMistakes = new Set();
  #saidVerses = new Set();
  #timer = 0;

  /** @param {HTMLElement} region a polite live region */
  constructor(region) {
    this.region = region;
  }

  reset() {
    this.#saidMistakes.clear();
    this.#saidVerses.clear();
    this.region.replaceChildren();
  }

  /** @param {number[]} changed @param {import('../client/judgement.js').Word[]} words */
  take(changed, words, printed) {
    for (const index of changed) {
      const { status, final } = words[index];
      const key = `${index} ${status}`;
      if (isDeviation(status) && final && !this.#saidMistakes.has(key)) this.#mistakes.set(key, index);
    }
    const touched = new Set(changed.map((index) => printed.words[index].ayah));
    for (const verse of printed.verses) {
      if (!touched.has(verse.ayah) || this.#saidVerses.has(verse.ayah)) continue;
      if (verse.words.every(({ index }) => words[index].status !== 'pending')) this.#verses.add(verse.ayah);
    }
    if ((this.#mistakes.size || this.#verses.size) && !this.#timer) {
      this.#timer = setTimeout(() => this.#speak(words, printed), TOGETHER_MS);
    }
  }

  #speak(words, printed) {
    this.#timer = 0;
    const sentences = [];
    for (const [key, index] of [...this.#mistakes].slice(0, MOST_WORDS)) {
      this.#saidMistakes.add(key);
      const [, status] = key.split(' ');
      const what = document.createElement('span');
      say(what, `word.${status}`);
      sentences.push(line('say.mistake', { what, word: quranic(printed.words[index]) }));
    }
    for (const ayah of this.#verses) {
      this.#saidVerses.add(ayah);
      sentences.push(line('say.verse', { number: ayah }));
    }
    this.#mistakes.clear();
    this.#verses.clear();
    this.region.replaceChildren(...sentences);
  }
}

function line(key, values) {
  const said = document.createElement('p');
  say(said, key, values);
  return said;
}
