// No half line at the lower edge of the screen: once the page rests, a line that does not fit is covered until it does.
// A sign in its place says that the text goes on.

const REST_MS = 140;

export class LastLine {
  #timer = 0;

  /**
   * @param {HTMLElement} cover
   * @param {HTMLElement} mushaf
   * @param {() => {first: number, height: number, last: number} | null} lines of the text, in pixels of the window
   * @param {() => {top: number, bottom: number}} freeArea what bars leave of the window
   */
  constructor(cover, mushaf, lines, freeArea) {
    Object.assign(this, { cover, mushaf, lines, freeArea });
    window.addEventListener('scroll', () => this.#wait(), { passive: true });
    window.addEventListener('resize', () => this.#wait());
    const sizes = new ResizeObserver(() => this.#settle());
    sizes.observe(mushaf);
    sizes.observe(document.querySelector('.bar'));
  }

  #wait() {
    this.cover.hidden = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#settle(), REST_MS);
  }

  #settle() {
    const { bottom } = this.freeArea();
    const lines = this.lines();
    const height = cutOff(lines, bottom);
    // What the keyboard goes to comes to stand above the cover.
    const below = `${Math.ceil(window.innerHeight - bottom + (lines?.height ?? 0))}px`;
    const page = document.documentElement.style;
    if (page.scrollPaddingBlockEnd !== below) page.scrollPaddingBlockEnd = below;
    this.cover.hidden = height < 1;
    if (this.cover.hidden) return;
    const paper = this.mushaf.getBoundingClientRect();
    const { clientLeft, clientWidth } = this.mushaf; // within the border
    Object.assign(this.cover.style, {
      left: `${paper.left + clientLeft}px`, width: `${clientWidth}px`, top: `${bottom - height}px`, height: `${height}px`,
    });
  }
}

/** Pixels of the line that the edge cuts. @param {{first: number, height: number, last: number} | null} lines */
function cutOff(lines, edge) {
  if (!lines || edge >= lines.last || edge < lines.first + lines.height) return 0;
  return (edge - lines.first) % lines.height;
}
