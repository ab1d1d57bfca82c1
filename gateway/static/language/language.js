// The page's language: which one, its numbers and its direction, and how sentences get onto the page.

import { STRINGS } from './strings.js';

const ARABIC = { language: 'ar', direction: 'rtl', numbers: 'ar-u-nu-arab' };
const ENGLISH = { language: 'en', direction: 'ltr', numbers: 'en' };

let current = ENGLISH;
/** @type {Set<() => void>} */
const listeners = new Set();

/** @param {'browser' | 'en' | 'ar'} choice */
export function chooseLanguage(choice) {
  const wanted = choice === 'browser' ? navigator.languages?.[0] ?? 'en' : choice;
  current = wanted.toLowerCase().startsWith('ar') ? ARABIC : ENGLISH;
  document.documentElement.lang = current.language;
  document.documentElement.dir = current.direction;
  document.title = text('page.title');
  translate(document.body);
  for (const listener of listeners) listener();
}

/** @param {() => void} listener called after each change of the language */
export function onLanguage(listener) {
  listeners.add(listener);
}

export const language = () => current.language;

/** @param {number} value @param {Intl.NumberFormatOptions} options */
export function number(value, options = {}) {
  return new Intl.NumberFormat(current.numbers, options).format(value);
}

/**
 * Sura and verses, as in "78:1–40". From right to left the sura comes first, too: without a mark of direction on both sides
 * the colon makes one number of two (Unicode's bidirectional algorithm, rule W4), which is then read from the left.
 * @param {number} surah @param {number} ayah @param {number} to
 */
export function verseNumbers(surah, ayah, to = ayah) {
  const side = current === ARABIC ? '\u200f' : '';
  const verses = ayah === to ? number(ayah) : `${number(ayah)}–${number(to)}`;
  return `${number(surah)}${side}:${side}${verses}`;
}

/**
 * A sentence that counts, in the form that the language has for so many, as in `passage.verses.few`; without it, the sentence itself.
 * @param {string} key
 * @param {number} count
 */
export function counted(key, count) {
  const form = `${key}.${new Intl.PluralRules(current.language).select(count)}`;
  return text(has(form) ? form : key, { count });
}

/** A whole number as people type it, in either kind of digits; 1 for what is none. @param {string} typed */
export function readNumber(typed) {
  const digits = typed.replace(/[٠-٩]/g, (digit) => String('٠١٢٣٤٥٦٧٨٩'.indexOf(digit)));
  return /^\s*\d{1,4}\s*$/.test(digits) ? Number(digits) : 1;
}

/** @param {number} at milliseconds since 1970 */
export function date(at) {
  return new Intl.DateTimeFormat(current.numbers, { dateStyle: 'medium', timeStyle: 'short' }).format(at);
}

/** The day alone. @param {number} at milliseconds since 1970 */
export function day(at) {
  return new Intl.DateTimeFormat(current.numbers, { day: 'numeric', month: 'short' }).format(at);
}

/** Digits as verse ends carry them in the print. @param {number} value */
export const arabicDigits = (value) => String(value).replace(/\d/g, (digit) => '٠١٢٣٤٥٦٧٨٩'[Number(digit)]);

export const has = (key) => key in STRINGS[current.language];

/** The sentence for sound that is too poor to judge, by the service's reason. @param {string} reason */
export const qualityKey = (reason) => (has(`quality.${reason}`) ? `quality.${reason}` : 'quality.other');

/**
 * A sentence as text; numbers are written as the language writes them.
 * @param {string} key
 * @param {Record<string, string | number>} values
 */
export function text(key, values = {}) {
  const sentence = STRINGS[current.language][key] ?? key;
  return sentence.replace(/\{(\w+)\}/g, (_, name) => written(values[name]));
}

/**
 * A sentence as nodes: a word of the Quran in it keeps its own font and direction.
 * @param {Element} target
 * @param {string} key
 * @param {Record<string, string | number | Node>} values
 */
export function say(target, key, values = {}) {
  const sentence = STRINGS[current.language][key] ?? key;
  const parts = sentence.split(/\{(\w+)\}/).map((part, index) => {
    if (index % 2 === 0) return part;
    const value = values[part];
    return value instanceof Node ? value : written(value);
  });
  target.replaceChildren(...parts);
}

/**
 * A word of the Quran inside a sentence.
 * @param {{text: string, tanwin?: import('../passage/tanwin.js').Shape}} word
 */
export function quranic({ text: printed, tanwin = '' }) {
  const element = document.createElement('bdi');
  element.lang = 'ar';
  element.className = 'quran';
  element.textContent = printed;
  if (tanwin) element.dataset.tanwin = tanwin;
  return element;
}

function written(value) {
  return typeof value === 'number' ? number(value) : String(value ?? '');
}

/** Fill `data-say` (text), `data-say-label` (aria-label) and `data-say-hint` (placeholder). */
function translate(root) {
  for (const element of root.querySelectorAll('[data-say]')) element.textContent = text(element.dataset.say);
  for (const element of root.querySelectorAll('[data-say-label]')) {
    element.setAttribute('aria-label', text(element.dataset.sayLabel));
  }
  for (const element of root.querySelectorAll('[data-say-hint]')) {
    element.setAttribute('placeholder', text(element.dataset.sayHint));
  }
}
