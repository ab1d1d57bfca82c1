// The word that a sheet tells about is marked, and stays in view above the sheet.

import { SIGN_PX } from './whole_lines.js';

const BELOW_EM = 1.4; // from the baseline down to the end of a line, marks included
const BOX_EM = 0.63; // from the baseline down to the end of a word's box

export class TouchedWord {
  /** @type {HTMLElement | undefined} */
  #word;

  /**
   * @param {HTMLDialogElement} sheet
   * @param {(index: number) => HTMLElement | undefined} wordAt
   * @param {() => {top: number, bottom: number}} freeArea what bars and the sheet leave of the window
   */
  constructor(sheet, wordAt, freeArea) {
    Object.assign(this, { sheet, wordAt, freeArea });
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
    const place = this.#word.getBoundingClientRect();
    const below = (BELOW_EM - BOX_EM) * parseFloat(getComputedStyle(this.#word).fontSize);
    const end = place.bottom + below + SIGN_PX;
    if (place.top >= top && end <= bottom) return;
    window.scrollBy({ top: end - bottom, behavior: 'instant' });
  }
}
