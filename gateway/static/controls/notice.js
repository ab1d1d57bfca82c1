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
  #hint = null; // seen while there is nothing more urgent
  #onAct = () => {};

  /** @param {{again: () => void, choose: () => void, key: () => void}} ways */
  constructor(ways) {
    this.ways = ways;
    $('notice-action').addEventListener('click', () => {
      this.clear();
      this.#onAct();
    });
    $('notice-close').addEventListener('click', () => this.#close());
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

  /** Something calm that lasts: it waits behind every other message. @param {'quality'} group @param {string} key */
  hint(group, key) {
    this.#hint = { group, key, values: {}, way: '', kind: 'info' };
    this.#draw();
  }

  /** @param {string} group only a message of this group; all without it */
  clear(group = '') {
    const of = (message) => message && (!group || message.group === group);
    if (!of(this.#shown) && !of(this.#hint)) return;
    if (of(this.#shown)) this.#shown = null;
    if (of(this.#hint)) this.#hint = null;
    this.#draw();
  }

  /** What is seen goes; what waited behind it is seen then. */
  #close() {
    if (this.#shown) this.#shown = null;
    else this.#hint = null;
    this.#draw();
  }

  #show(message) {
    this.#shown = message;
    this.#draw();
  }

  #draw() {
    const shown = this.#shown ?? this.#hint;
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
