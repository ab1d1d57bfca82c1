// No half line at the lower edge of what is free: once the page rests, a line that does not fit is covered until it does.
// Whenever the text goes on below, a sign says so, in a strip of its own above the edge.

import { SIGN_PX } from './whole_lines.js';

const REST_MS = 140;
const NEARLY_PX = 1; // lines are laid out in parts of a pixel
const UNDER_SHEET_PX = 20; // as round as its corners are

export class LastLine {
  #timer = 0;

  /**
   * @param {HTMLElement} cover
   * @param {HTMLElement} mushaf
   * @param {() => {first: number, height: number, last: number} | null} lines of the text, in pixels of the window
   * @param {() => {top: number, bottom: number, sheet: boolean}} freeArea what bars and a sheet leave of the window
   */
  constructor(cover, mushaf, lines, freeArea) {
    Object.assign(this, { cover, mushaf, lines, freeArea });
    window.addEventListener('scroll', () => this.#wait(), { passive: true });
    window.addEventListener('resize', () => this.#wait());
    const sizes = new ResizeObserver(() => this.#settle());
    sizes.observe(mushaf);
    sizes.observe(document.querySelector('.bar'));
    for (const sheet of document.querySelectorAll('dialog.sheet')) sizes.observe(sheet);
  }

  #wait() {
    this.cover.hidden = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#settle(), REST_MS);
  }

  #settle() {
    const { top, bottom, sheet } = this.freeArea();
    const lines = this.lines();
    // Where not even one line has room, it is better cut than never seen; around a sheet it is not there to be read.
    const room = lines && (sheet || bottom - top > lines.height + SIGN_PX);
    const height = (room && cutOff(lines, bottom)) || (sheet && this.#cutOffHead(bottom)) || 0;
    // What the keyboard goes to comes to stand above the cover.
    const below = `${Math.ceil(window.innerHeight - bottom + (lines?.height ?? 0))}px`;
    const page = document.documentElement.style;
    if (page.scrollPaddingBlockEnd !== below) page.scrollPaddingBlockEnd = below;
    this.cover.hidden = height < 1;
    if (this.cover.hidden) return;
    const paper = this.mushaf.getBoundingClientRect();
    const border = this.mushaf.clientLeft + 1; // it is drawn in parts of a pixel
    const under = sheet ? UNDER_SHEET_PX : 0;
    Object.assign(this.cover.style, {
      left: `${paper.left + border}px`, width: `${paper.width - 2 * border}px`, top: `${bottom - height}px`, height: `${height + under}px`,
    });
    this.cover.style.setProperty('--under', `${under}px`);
  }

  /** Pixels of the name of the sura, or of the basmala, that a sheet cuts. */
  #cutOffHead(edge) {
    const parts = [...this.mushaf.children].map((part) => part.getBoundingClientRect());
    const cut = parts.slice(0, -1).find(({ top, bottom }) => top < edge && bottom > edge);
    return cut ? edge - cut.top : 0;
  }
}

/** Pixels of the strip with the sign, and of the line above it that would be cut. @param {{first: number, height: number, last: number}} lines */
function cutOff({ first, height, last }, edge) {
  const above = edge - SIGN_PX - first;
  if (edge >= last || edge <= first) return 0;
  if (above < 0) return edge - first;
  const cut = (above + NEARLY_PX) % height;
  return SIGN_PX + Math.max(0, cut - NEARLY_PX);
}
