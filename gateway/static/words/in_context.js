// A word of the Quran between its neighbours: a verse is not learnt by single words.

import { element } from '../controls/dom.js';
import { quranic } from '../language/language.js';

/**
 * @typedef {{text: string, tanwin?: import('../passage/tanwin.js').Shape}} Printed
 * @param {Printed} word
 * @param {Printed | null | undefined} before @param {Printed | null | undefined} after  its neighbours in the verse, where it has any
 * @param {string} status how the word stands
 */
export function inContext(word, { before, after }, status) {
  const itself = quranic(word);
  itself.classList.add('itself');
  const parts = [before && neighbour(before), itself, after && neighbour(after)].filter(Boolean);
  const spaced = parts.flatMap((part, at) => (at ? [' ', part] : [part]));
  return element('span', { class: 'context', dir: 'rtl', 'data-status': status }, ...spaced);
}

/** A screen reader says the word alone. */
function neighbour(word) {
  const shown = quranic(word);
  shown.setAttribute('aria-hidden', 'true');
  return shown;
}
