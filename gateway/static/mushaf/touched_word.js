// The word that a sheet tells about is marked, and stays in view above the sheet.

import { SIGN_PX } from './whole_lines.js';

export class TouchedWord {
  /** @type {HTMLElement | undefined} */
  #word;

  /**
   * @param {HTMLDialogElement} sheet
   * @param {(index: number) => HTMLElement | undefined} wordAt
   * @param {() => {first: number, height: number} | null} lines of the text, in pixels of the window
   * @param {() => {top: number, bottom: number}} freeArea what bars and the sheet leave of the window
   */
  constructor(sheet, wordAt, lines, freeArea) {
    Object.assign(this, { sheet, wordAt, lines, freeArea });
    new ResizeObserver(() => this.#keep()).observe(sheet); // what was heard comes later, and makes it higher
    sheet.addEventListener('close', () => this.#leave());
  }

  /** @param {number} index */
  show(index) {
    this.#word?.removeAttribute('data-touched');
    this.#word = this.wordAt(index);
    this.#word?.setAttribute('data-touched', '');
    this.#keep();
  }

  #leave() {
    this.#word?.removeAttribute('data-touched');
    this.#word = undefined;
    document.documentElement.style.removeProperty('--sheet');
  }

  #keep() {
    if (!this.#word || !this.sheet.open) return;
    // The last line, too, can stand above the sheet.
    document.documentElement.style.setProperty('--sheet', `${this.sheet.offsetHeight}px`);
    const { top, bottom } = this.freeArea();
    const { first, height } = this.lines();
    const place = this.#word.getBoundingClientRect();
    const end = first + height * Math.ceil(((place.top + place.bottom) / 2 - first) / height) + SIGN_PX; // of its line
    if (place.top >= top && end <= bottom) return;
    const by = end - bottom;
    const aboveTop = first - by - top; // negative: a line begins above the free part, and would be cut
    const rest = aboveTop < 0 ? ((aboveTop % height) + height) % height : 0;
    window.scrollBy({ top: by + rest, behavior: 'instant' });
  }
}
