// Whole lines fill the window: what would be left of it below them becomes room between them and around the head of the text.

/** Height of the strip that says that the text goes on. */
export const SIGN_PX = 16;
const LEAST_EM = 2.8; // lines closer than this would touch
const MOST_STRETCHED = 1.2;
const TIGHTER_PX = 10; // the head may be set closer by so much

export class WholeLines {
  #fitted = '';

  /**
   * @param {HTMLElement} mushaf
   * @param {() => {first: number} | null} lines of the text, in pixels of the window
   * @param {() => {top: number, bottom: number}} freeArea what bars leave of the window
   */
  constructor(mushaf, lines, freeArea) {
    Object.assign(this, { mushaf, lines, freeArea });
    // Not when a message comes or the bar grows: what is read stays where it is.
    new ResizeObserver(() => this.#key() !== this.#fitted && this.fit()).observe(mushaf);
    window.addEventListener('resize', () => this.#key() !== this.#fitted && this.fit());
  }

  /** For a text that was just drawn, before it is seen. */
  fit() {
    this.#fitted = this.#key();
    const { style } = this.mushaf;
    for (const name of ['--line-height', '--air', '--after']) style.removeProperty(name);
    const verses = this.mushaf.querySelector('.verses');
    if (!verses) return;
    const { top, bottom } = this.freeArea();
    const least = LEAST_EM * parseFloat(getComputedStyle(verses).fontSize);
    const height = lineHeight(bottom - top - SIGN_PX, least);
    const set = (line, air) => {
      style.setProperty('--line-height', `${line}px`);
      style.setProperty('--air', `${air}px`);
      return this.lines();
    };
    const edge = bottom - window.scrollY; // as it is at the beginning of the text
    // All of it is in view, or is if it is set a little closer.
    if (set(height, 0).last <= edge || set(least, -TIGHTER_PX).last <= edge) return;
    set(height, airAbove(edge - SIGN_PX - set(height, 0).first, height));
    style.setProperty('--after', `${height}px`); // the end, too, can be reached by whole lines
  }

  /** What the layout depends on. */
  #key() {
    const verses = this.mushaf.querySelector('.verses');
    return `${window.innerWidth} ${window.innerHeight} ${verses && getComputedStyle(verses).fontSize}`;
  }
}

/** The height that fills what is free with whole lines. @param {number} free @param {number} least */
export function lineHeight(free, least) {
  const stretched = free / Math.max(1, Math.floor(free / least));
  return stretched > MOST_STRETCHED * least ? least : Math.max(least, stretched);
}

/** Pixels by which lines begin lower, or a little higher, so that a whole one ends at the edge. @param {number} room from the first line to the edge */
export function airAbove(room, height) {
  const left = ((room % height) + height) % height;
  return left > height - TIGHTER_PX ? left - height : left;
}
