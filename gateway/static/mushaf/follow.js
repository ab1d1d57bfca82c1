// Keeping the reciter's place in view, without ever moving the page under a reader's eyes.

const READING_MS = 400; // scrolls within this time after our own are ours
const TOP_SHARE = 0.12; // the word may stand anywhere between these shares of the free height
const BOTTOM_SHARE = 0.62;
const REST_SHARE = 0.28; // and is brought to here

export class Follower {
  #index = -1;
  #away = false;
  #ours = 0;

  /**
   * @param {(index: number) => HTMLElement | undefined} wordAt
   * @param {() => {top: number, bottom: number}} freeArea what bars leave of the window, in pixels
   * @param {() => {first: number, height: number} | null} lines of the text, in pixels of the window
   * @param {(away: boolean) => void} onAway the reader has scrolled away from the reciter's place, or is back
   */
  constructor(wordAt, freeArea, lines, onAway) {
    this.wordAt = wordAt;
    this.freeArea = freeArea;
    this.lines = lines;
    this.onAway = onAway;
    for (const gesture of ['wheel', 'touchmove']) {
      window.addEventListener(gesture, () => this.#ownMove(), { passive: true });
    }
    window.addEventListener('keydown', (event) => {
      if (['PageUp', 'PageDown', 'ArrowUp', 'ArrowDown', 'Home', 'End'].includes(event.key)) this.#ownMove();
    });
    window.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    window.addEventListener('resize', () => this.#keep());
  }

  /** The reciter is at this word now; -1: nobody recites. */
  moveTo(index) {
    this.#index = index;
    if (index < 0) this.#setAway(false);
    else this.#keep();
  }

  /** Go back to the reciter's place. */
  comeBack() {
    this.#setAway(false);
    this.#keep(true);
  }

  #keep(always = false) {
    const word = this.wordAt(this.#index);
    if (!word || this.#away) return;
    const place = word.getBoundingClientRect();
    const { top, bottom } = this.freeArea();
    const free = bottom - top;
    const middle = (place.top + place.bottom) / 2;
    // Where the end of the text is in view, there is nothing to move for.
    const lowest = (this.lines()?.last ?? Infinity) <= bottom ? bottom : top + BOTTOM_SHARE * free;
    if (!always && middle > top + TOP_SHARE * free && middle < lowest) return;
    const by = this.#wholeLines(top, middle - (top + REST_SHARE * free));
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#ours = performance.now();
    window.scrollBy({ top: by, behavior: calm ? 'instant' : 'smooth' });
  }

  /** The nearest way that leaves no half line at the upper edge. */
  #wholeLines(top, by) {
    const lines = this.lines();
    if (!lines) return by;
    const whole = by - remainder(top - lines.first + by, lines.height);
    // The page may end before: by so many lines less, then.
    const most = document.documentElement.scrollHeight - window.innerHeight - window.scrollY;
    return whole - lines.height * Math.ceil(Math.max(0, whole - most) / lines.height);
  }

  #ownMove() {
    if (this.#index >= 0) this.#ours = -Infinity;
  }

  #scrolled() {
    if (this.#index < 0) return;
    if (performance.now() - this.#ours < READING_MS) {
      this.#ours = performance.now(); // a smooth scroll of ours still runs
      return;
    }
    this.#setAway(!this.#inView());
  }

  #inView() {
    const place = this.wordAt(this.#index)?.getBoundingClientRect();
    const { top, bottom } = this.freeArea();
    return !place || (place.bottom > top && place.top < bottom);
  }

  #setAway(away) {
    if (away === this.#away) return;
    this.#away = away;
    this.onAway(away);
  }
}

/** What is left of `value` beside the nearest multiple of `step`. */
const remainder = (value, step) => value - step * Math.round(value / step);
