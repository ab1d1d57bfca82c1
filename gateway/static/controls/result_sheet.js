// The outcome of a recitation, in words before numbers.

import { isDeviation, poorness } from '../client/judgement.js';
import { has, onLanguage, qualityKey, say, text } from '../language/language.js';
import { neighbours } from '../passage/verses.js';
import { inContext } from '../words/in_context.js';
import { $, element } from './dom.js';
import { passageName } from './chooser.js';
import { openSheet } from './sheets.js';

const COUNTED = ['minor_mistake', 'wrong', 'missing', 'not_judged', 'peeked', 'own'];
const MOST_WORDS = 60;
/** What is said of the whole, by the share of words that were right, from the top. */
const IN_WORDS = [[1, 'all'], [0.9, 'nearly'], [0.6, 'most'], [0, 'some']];

/**
 * @typedef {{passage: import('../passage/passage.js').Passage, printed: import('../passage/verses.js').Text,
 *            words: import('../client/judgement.js').Word[], peeked: Set<number>, own: Set<number>,
 *            outcome: import('../recitation.js').Outcome}} Recited
 */

export class ResultSheet {
  /** @type {Recited | null} */
  #recited = null;

  /** @param {{onWord: (index: number) => void, onRetry: () => void}} listener */
  constructor(listener) {
    this.listener = listener;
    $('result-retry').addEventListener('click', () => {
      $('result').close();
      listener.onRetry();
    });
    onLanguage(() => this.draw());
  }

  /** @param {Recited} recited */
  show(recited) {
    this.#recited = recited;
    this.draw();
    $('result-open').hidden = false;
    openSheet('result');
  }

  open() {
    openSheet('result');
  }

  forget() {
    this.#recited = null;
    $('result-open').hidden = true;
  }

  draw() {
    if (!this.#recited) return;
    const { passage, words, peeked, own, outcome } = this.#recited;
    const status = (index) => (peeked.has(index) && words[index].status === 'correct' ? 'peeked' : words[index].status);
    const counts = {};
    words.forEach((_, index) => { counts[status(index)] = (counts[status(index)] ?? 0) + 1; });
    counts.own = own.size;
    const all = words.length - (counts.pending ?? 0) - (counts.not_judged ?? 0);
    const heard = all - (counts.missing ?? 0);
    const elsewhere = outcome.result?.notices?.some((notice) => notice.code === 'not_this_passage') ?? false;
    this.#drawHead({ elsewhere, heard, all, counts, passage });
    $('result-counts').replaceChildren(...(elsewhere ? [] : COUNTED.filter((name) => counts[name]).map((name) => (
      element('li', { 'data-status': name }, element('span', { class: 'mark' }), text(`result.count.${name}`, { count: counts[name] }))
    ))));
    this.#drawHow(outcome);
    const again = elsewhere || !heard ? [] : words.map((_, index) => index).filter((index) => isDeviation(words[index].status));
    $('result-again').hidden = !again.length;
    $('result-words').replaceChildren(...again.slice(0, MOST_WORDS).map((index) => this.#row(index)));
  }

  #drawHead({ elsewhere, heard, all, counts, passage }) {
    const right = counts.correct ?? 0;
    $('result-right').replaceChildren();
    $('result-why').replaceChildren();
    if (elsewhere) {
      say($('result-head'), 'result.other', { passage: passageName(passage) });
      say($('result-why'), 'result.other.why');
    } else if (!heard) {
      say($('result-head'), 'result.nothing');
      say($('result-why'), 'result.nothing.why');
    } else {
      const [, share] = IN_WORDS.find(([least]) => right >= least * all);
      say($('result-head'), `result.${share}`);
      say($('result-right'), 'result.right', { right, all });
    }
  }

  #drawHow({ result, code }) {
    const lines = [];
    const poor = poorness(result?.audio_quality);
    if (poor) lines.push(text(qualityKey(poor)));
    if (result?.judged === 'live') lines.push(text('result.live'));
    else if (!result) lines.push(text(has(`error.${code}`) ? `error.${code}` : 'result.live'));
    $('result-how').replaceChildren(lines.join(' '));
  }

  #row(index) {
    const { words, printed, own } = this.#recited;
    const word = printed.words[index];
    const { status } = words[index];
    const button = element(
      'button', { type: 'button', 'data-status': status },
      inContext(word, neighbours(printed.words, index), status),
      element('span', { class: 'mark' }), element('span', { class: 'what' }, text(`word.${status}`) + (own.has(index) ? ` · ${text('word.own')}` : '')),
      element('span', { class: 'where' }, text('mushaf.verse', { number: word.ayah })),
    );
    button.addEventListener('click', () => this.listener.onWord(index));
    return element('li', {}, button);
  }
}
