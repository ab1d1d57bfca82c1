// One word: how it stands, what was heard and what was expected, one's own voice, and the way on.

import { isDeviation } from '../client/judgement.js';
import { suraName } from '../controls/chooser.js';
import { has, language, onLanguage, quranic, say, text, verseNumbers } from '../language/language.js';
import { fetchSounds } from '../passage/verses.js';
import { $, element } from '../controls/dom.js';
import { openSheet } from '../controls/sheets.js';
import { differences } from './differences.js';
import { plainUnits, written } from './sounds.js';

/**
 * @typedef {{word: import('../passage/verses.js').Word, surah: number,
 *            state: import('../client/judgement.js').Word, peeked: boolean, own: boolean | null, hidden: boolean, canRecite: boolean,
 *            play: (() => void) | null, reference: (() => void) | null}} Touched
 */

export class WordSheet {
  /** @type {Touched | null} */
  #shown = null;

  /**
   * @param {{onFrom: (word: any) => void, onPeek: (index: number) => void,
   *          onOwn: (index: number, right: boolean) => void}} listener  onOwn: the reciter's own judgement
   */
  constructor(listener) {
    $('word-own').addEventListener('click', () => {
      const own = !this.#shown.own;
      this.#shown = { ...this.#shown, own };
      listener.onOwn(this.#shown.word.index, own);
      this.#drawOwn();
    });
    $('word-play').addEventListener('click', () => this.#shown?.play?.());
    $('word-reference').addEventListener('click', () => this.#shown?.reference?.());
    $('word-from').addEventListener('click', () => {
      $('word').close();
      listener.onFrom(this.#shown.word);
    });
    $('word-peek').addEventListener('click', () => {
      listener.onPeek(this.#shown.word.index);
      $('word').close();
    });
    onLanguage(() => $('word').open && this.#draw());
  }

  /** @param {Touched} touched */
  show(touched) {
    this.#shown = touched;
    this.#draw();
    openSheet('word');
  }

  #draw() {
    const { word, state, peeked, hidden, play, reference, canRecite } = this.#shown;
    const status = peeked && state.status === 'pending' ? 'peeked' : state.status;
    const { surah } = this.#shown;
    say($('word-title'), 'word.title', { position: word.position, sura: suraName(surah), verse: verseNumbers(surah, word.ayah) });
    $('word-text').textContent = hidden ? '…' : word.text;
    $('word-text').dataset.tanwin = word.tanwin;
    for (const id of ['word', 'word-state']) $(id).dataset.status = status;
    say($('word-state-name'), `word.${status}`);
    $('word-why').replaceChildren(has(`word.why.${status}`) ? text(`word.why.${status}`) : '');
    this.#drawOwn();
    $('word-play').disabled = !play;
    $('word-reference').hidden = !reference;
    $('word-peek').hidden = !hidden;
    $('word-from').hidden = !canRecite;
    this.#drawSounds(state, hidden);
  }

  /** Null: there is nothing to disagree with. */
  #drawOwn() {
    const { own } = this.#shown;
    $('word-own').hidden = own === null;
    $('word-own').setAttribute('aria-pressed', String(own === true));
    $('word-own-why').hidden = !own;
  }

  /** The word as the text has it, and what was heard beside it. */
  async #drawSounds(state, hidden) {
    const touched = this.#shown;
    const list = $('word-sounds');
    list.replaceChildren();
    $('word-text').hidden = false;
    $('word-differs').hidden = true;
    if (hidden || state.status === 'pending') return;
    let { expected } = state;
    if (!expected) expected = await fetchSounds({ surah: touched.surah, ...touched.word }).catch(() => null);
    if (touched.word !== this.#shown.word) return;
    const [wanted, heard] = [plainUnits(expected), plainUnits(state.heard)];
    if (!heard.length) {
      list.replaceChildren(said('expected alone', '', latin(wanted)));
      return;
    }
    const found = isDeviation(state.status) ? differences(wanted, heard) : null;
    // A guess has no spelling but its sounds, and no place in the face of scripture.
    const guess = element('bdi', { class: 'arabic plain', lang: 'ar' }, ...marked(heard, 'arabic', found?.heard));
    const printed = quranic(touched.word);
    printed.classList.add('arabic');
    list.replaceChildren(said('expected', printed, latin(wanted, found?.expected)), said('heard', guess, latin(heard, found?.heard)));
    $('word-text').hidden = true; // it stands beside what was heard
    $('word-differs').replaceChildren(...(found?.changes ?? []).map(inWords));
    $('word-differs').hidden = !found;
  }
}

/** Letters of units; those that differ are underlined, as far as they stand together. @param {Set<import('./differences.js').Unit>} [differ] */
function marked(units, script, differ = new Set()) {
  const parts = [];
  for (const unit of units) {
    const differs = differ.has(unit);
    if (parts.length && parts.at(-1).differs === differs) parts.at(-1).letters += unit[script];
    else parts.push({ differs, letters: unit[script] });
  }
  return parts.map(({ differs, letters }) => (differs ? element('span', { class: 'differs' }, letters) : letters));
}

const latin = (units, differ) => element('span', { class: 'latin', lang: 'ar-Latn', dir: 'ltr' }, ...marked(units, 'latin', differ));

/** One difference, in letters of the page's language. @param {import('./differences.js').Change} change */
function inWords({ expected, heard }) {
  const kind = !heard.length ? 'missing' : !expected.length ? 'added' : 'other';
  const shown = element('p');
  say(shown, `word.differs.${kind}`, { expected: letters(expected), heard: letters(heard) });
  return shown;
}

function letters(units) {
  const { arabic, latin: transcribed } = written(units);
  return language() === 'ar'
    ? element('bdi', { class: 'letters', lang: 'ar' }, arabic) : element('bdi', { class: 'letters', lang: 'ar-Latn' }, transcribed);
}

/** @param {string} kind its first word names the sentence above it @param {Element | ''} arabic @param {Element} transcribed */
function said(kind, arabic, transcribed) {
  return element(
    'div', { class: kind },
    element('dt', {}, text(`word.${kind.split(' ')[0]}`)),
    element('dd', {}, arabic, transcribed),
  );
}
