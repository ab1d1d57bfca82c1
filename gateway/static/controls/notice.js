// The one place where the page says that something is amiss, and what to do.

import { has, onLanguage, say } from '../language/language.js';
import { $ } from './dom.js';

/** What helps, by code; what is not listed here can only be tried again, or passes by itself. */
const WAYS = {
  unauthorised: 'key', close_4502: 'key',
  passage_too_long: 'choose', unknown_verse: 'choose', close_1008: 'choose',
  no_capacity: '', no_worker: '', storage_full: '', router_unavailable: '', bus_unavailable: '', unavailable: '', draining: '', state_lost: '',
  superseded: '', internal: '', close_4501: '', unsupported_codec: '',
};

export class Notice {
  #shown = null;
  #onAct = () => {};

  /** @param {{again: () => void, choose: () => void, key: () => void}} ways */
  constructor(ways) {
    this.ways = ways;
    $('notice-action').addEventListener('click', () => {
      this.clear();
      this.#onAct();
    });
    $('notice-close').addEventListener('click', () => this.clear());
    onLanguage(() => this.#draw());
  }

  /** Something that ended or prevented a recitation. @param {string} code */
  error(code, values = {}) {
    const key = has(`error.${code}`) ? `error.${code}` : 'error.other';
    this.#show({ group: 'error', key, values: { code, ...values }, way: WAYS[code] ?? 'again' });
  }

  /** Something that the reciter should know meanwhile. @param {'sound' | 'service'} group @param {string} key */
  tell(group, key, values = {}, kind = 'warn') {
    this.#show({ group, key, values, way: '', kind });
  }

  /** @param {string} group only a message of this group; all without it */
  clear(group = '') {
    if (group && this.#shown?.group !== group) return;
    this.#shown = null;
    this.#draw();
  }

  #show(message) {
    this.#shown = message;
    this.#draw();
  }

  #draw() {
    const shown = this.#shown;
    $('notice').hidden = !shown;
    if (!shown) {
      $('notice-text').replaceChildren();
      return;
    }
    $('notice').dataset.kind = shown.kind ?? 'warn';
    $('notice').dataset.code = shown.key;
    say($('notice-text'), shown.key, shown.values);
    $('notice-action').hidden = !shown.way;
    if (!shown.way) return;
    say($('notice-action'), `notice.${shown.way}`);
    this.#onAct = this.ways[shown.way];
  }
}
