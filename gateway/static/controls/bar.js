// The bar: one large button, the line that says how things stand, and the level of the sound.

import { onLanguage, say } from '../language/language.js';
import { $ } from './dom.js';

const QUIETEST_DB = -60;
const LOUDEST_DB = -12;
const LEVEL_STEPS = 5; // each change of the ring costs a frame
const COUNT_DOWN_MS = 500;

export class Bar {
  #status = { key: 'status.idle', values: {} };
  #until = 0;
  #timer = 0;
  #act = 'recite';
  #name = 'bar.recite';
  #shown = '';
  #loud = -1;

  /** @param {(act: string) => void} onAct the large button: recite, continue, stop, cancel, play or pause */
  constructor(onAct) {
    $('main').addEventListener('click', () => onAct(this.#act));
    onLanguage(() => this.#draw());
  }

  /**
   * @param {'recite' | 'continue' | 'stop' | 'cancel' | 'play' | 'pause'} act what the large button does next
   * @param {string} name the sentence on it
   */
  offer(act, name = `bar.${act}`) {
    this.#act = act;
    this.#name = name;
    $('main').dataset.act = act === 'continue' ? 'recite' : act;
    $('main').toggleAttribute('data-live', act === 'stop');
    if (act !== 'stop') this.level(QUIETEST_DB);
    this.#draw();
  }

  /** @param {string} key @param {Record<string, string | number>} values */
  status(key, values = {}) {
    clearInterval(this.#timer);
    const shown = JSON.stringify([key, values]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#status = { key, values };
    this.#draw();
  }

  /** A sentence with the seconds that are left in it. */
  countDown(key, ms) {
    this.#until = performance.now() + ms;
    this.#shown = '';
    clearInterval(this.#timer);
    const left = () => {
      const seconds = Math.max(0, Math.ceil((this.#until - performance.now()) / 1000));
      this.#status = { key, values: { seconds } };
      this.#draw();
    };
    left();
    this.#timer = setInterval(left, COUNT_DOWN_MS);
  }

  /** @param {number} rmsDb */
  level(rmsDb) {
    const share = (rmsDb - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB);
    const step = Math.round(Math.max(0, Math.min(1, share)) * LEVEL_STEPS) / LEVEL_STEPS;
    if (step === this.#loud) return;
    this.#loud = step;
    $('level').style.setProperty('--loud', String(step));
  }

  /** Whether something is wrong with the sound. */
  soundAmiss(amiss) {
    document.querySelector('.bar').toggleAttribute('data-sound', amiss);
  }

  /** Whether a place at the service is waited for. */
  wait(waiting) {
    document.querySelector('.bar').toggleAttribute('data-waiting', waiting);
  }

  #draw() {
    say($('status'), this.#status.key, this.#status.values);
    say($('main-name'), this.#name);
  }
}
