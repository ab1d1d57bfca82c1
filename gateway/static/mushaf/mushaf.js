// The text on the page: drawn once, then only the words that changed are touched.

import { onLanguage, say, text } from '../language/language.js';
import { isOpening } from '../passage/passage.js';
import { inkBelow } from './ink.js';
import { basmalaLine, gap, head, nameVerses, part, printedWord, verseEnd } from './printed.js';
import { setLines } from './set_lines.js';

const NO_BREAK_SPACE = '\u00a0';
const MARKED = new Set(['minor_mistake', 'wrong', 'missing', 'not_judged']);
const BELOW_EM = 0.55; // from the border of two lines down to the middle between the marks of the upper one and the ink of the lower

/** @typedef {import('../client/judgement.js').Word} Shown */

export class Mushaf {
  /** @type {HTMLElement[]} */
  #words = [];
  /** @type {import('../passage/verses.js').Text | null} */
  #text = null;
  #passage = null;
  #current = -1;
  #focusable = 0;
  #set = ''; // the layout that lines were set for

  /**
   * @param {HTMLElement} root
   * @param {(index: number) => void} onTouch a word was touched, or opened by the keyboard
   */
  constructor(root, onTouch) {
    this.root = root;
    this.onTouch = onTouch;
    root.addEventListener('click', (event) => this.#touched(event));
    root.addEventListener('keydown', (event) => this.#key(event));
    onLanguage(() => this.#name());
    new ResizeObserver(() => this.#set !== this.#layout && this.#setLines()).observe(root);
  }

  get text() {
    return this.#text;
  }

  /** Where the lines of the text stand in the window, marks included; null without a text. */
  get lines() {
    const verses = this.root.querySelector('.verses');
    if (!verses) return null;
    const { fontSize, lineHeight } = getComputedStyle(verses);
    const { top, bottom } = verses.getBoundingClientRect();
    const below = BELOW_EM * parseFloat(fontSize);
    return { first: top + below, height: parseFloat(lineHeight), last: bottom + below };
  }

  /** @param {number} index @returns {HTMLElement | undefined} */
  element(index) {
    return this.#words[index];
  }

  /**
   * @param {import('../passage/passage.js').Passage} passage
   * @param {import('../passage/verses.js').Text} printed
   * @param {string[] | null} basmala its words, where the line stands above the passage
   */
  draw(passage, printed, basmala) {
    this.#passage = passage;
    this.#text = printed;
    this.#words = [];
    this.#current = -1;
    const verses = part('p', 'verses');
    for (const verse of printed.verses) verses.append(this.#verse(verse), gap());
    verses.lastChild.remove(); // after it the last line would count as a full one
    const parts = [head(passage), verses];
    if (basmala) parts.splice(1, 0, basmalaLine(basmala));
    if (isOpening(passage)) verses.firstElementChild.classList.add('alone');
    this.root.replaceChildren(...parts);
    this.#setLines();
    this.#focusable = 0;
    if (this.#words[0]) this.#words[0].tabIndex = 0;
    this.#name();
  }

  /**
   * Show how words stand.
   * @param {number[]} indexes @param {Shown[]} words @param {Set<number>} peeked
   * @param {Set<number>} own words that are right by the reciter's own judgement
   */
  paint(indexes, words, peeked, own) {
    for (const index of indexes) {
      const target = this.#words[index];
      if (!target) continue;
      const { status, final } = words[index];
      target.dataset.status = status;
      target.dataset.final = String(final);
      target.toggleAttribute('data-peeked', peeked.has(index));
      target.toggleAttribute('data-own', own.has(index));
      if (MARKED.has(status) || peeked.has(index)) placeSign(target);
      this.#describe(index);
    }
  }

  /** Mark the word to recite now; -1 for none. */
  mark(index) {
    if (index === this.#current) return;
    this.#words[this.#current]?.removeAttribute('aria-current');
    this.#current = index;
    this.#words[index]?.setAttribute('aria-current', 'true');
  }

  /** Words are hidden until they are recited or peeked. */
  hide(hidden) {
    this.root.toggleAttribute('data-hidden', hidden);
    this.#words.forEach((_, index) => this.#describe(index));
  }

  /** Show a hidden word for good. */
  reveal(index) {
    if (!this.#words[index]) return;
    this.#words[index].setAttribute('data-peeked', '');
    placeSign(this.#words[index]);
    this.#describe(index);
  }

  /** The verse that is played now; 0 for none. */
  markVerse(ayah) {
    for (const verse of this.root.querySelectorAll('.verse[data-playing]')) verse.removeAttribute('data-playing');
    if (ayah) this.root.querySelector(`.verse[data-ayah="${ayah}"]`)?.setAttribute('data-playing', '');
  }

  focus(index) {
    if (!this.#words[index]) return;
    if (this.#words[this.#focusable]) this.#words[this.#focusable].tabIndex = -1;
    this.#focusable = index;
    this.#words[index].tabIndex = 0;
    this.#words[index].focus({ preventScroll: true });
  }

  isHidden(index) {
    const { status = 'pending' } = this.#words[index]?.dataset ?? {};
    return this.root.hasAttribute('data-hidden') && status === 'pending'
      && !this.#words[index].hasAttribute('data-peeked');
  }

  /** What decides where lines end. */
  get #layout() {
    const verses = this.root.querySelector('.verses');
    return verses ? `${verses.clientWidth} ${getComputedStyle(verses).fontSize}` : '';
  }

  #setLines() {
    this.#set = this.#layout;
    const verses = this.root.querySelector('.verses');
    if (verses) setLines(verses);
  }

  #verse(verse) {
    const shown = part('span', 'verse');
    shown.dataset.ayah = String(verse.ayah);
    shown.setAttribute('role', 'group');
    const words = verse.words.map((word) => this.#word(word));
    // The sign of the end stays with the last word: neither stands alone at the edge of a line.
    const tail = part('span', 'tail');
    const end = verseEnd(verse.ayah);
    const joint = part('span', 'joint');
    joint.textContent = NO_BREAK_SPACE;
    tail.append(words.at(-1), joint, end);
    for (const word of words.slice(0, -1)) shown.append(word, gap());
    shown.append(tail);
    return shown;
  }

  #word(word) {
    const shown = printedWord(word);
    this.#words.push(shown);
    return shown;
  }

  #name() {
    if (!this.#passage) return;
    this.root.setAttribute('aria-label', text('mushaf.label'));
    nameVerses(this.root, this.#passage);
    for (const verse of this.root.querySelectorAll('.verse')) {
      verse.setAttribute('aria-label', text('mushaf.verse', { number: Number(verse.dataset.ayah) }));
    }
    this.#words.forEach((_, index) => this.#describe(index));
  }

  /** A screen reader hears the word itself, and its state where there is something to say. */
  #describe(index) {
    const word = this.#words[index];
    const { status } = word.dataset;
    const hidden = this.isHidden(index);
    if (hidden) word.setAttribute('aria-label', text('mushaf.hidden'));
    else word.removeAttribute('aria-label');
    const said = word.hasAttribute('data-peeked') && status === 'pending' ? 'peeked' : status;
    if (hidden || said === 'pending' || said === 'correct') word.removeAttribute('aria-describedby');
    else word.setAttribute('aria-describedby', word.hasAttribute('data-own') ? `state-${said} state-own` : `state-${said}`);
  }

  #touched(event) {
    const word = event.target.closest('.word');
    if (word && this.root.contains(word)) this.onTouch(Number(word.dataset.index));
  }

  #key(event) {
    const word = event.target.closest('.word');
    if (!word) return;
    const index = Number(word.dataset.index);
    // Right to left: the next word is on the left.
    const step = { ArrowLeft: 1, ArrowRight: -1, ArrowDown: 5, ArrowUp: -5 }[event.key];
    if (step) this.#step(event, Math.max(0, Math.min(this.#words.length - 1, index + step)));
    else if (event.key === 'Home') this.#step(event, 0);
    else if (event.key === 'End') this.#step(event, this.#words.length - 1);
    else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.onTouch(index);
    }
  }

  #step(event, index) {
    event.preventDefault();
    this.focus(index);
    this.#words[index].scrollIntoView({ block: 'nearest' });
  }
}

/** Below the ink of its word; the style sheet draws it. @param {HTMLElement} word */
function placeSign(word) {
  if (!word.style.length) word.style.setProperty('--depth', `${inkBelow(word)}em`);
}

/** The states that words are described by, once per page, in the page's language. */
export function drawStates(root, states) {
  const draw = () => {
    root.replaceChildren(...states.map((state) => {
      const said = document.createElement('span');
      said.id = `state-${state}`;
      say(said, `word.${state}`);
      return said;
    }));
  };
  onLanguage(draw);
}
