// What is printed: a word with its signs, the end of a verse, the head of a sura.

import { arabicDigits, language, say } from '../language/language.js';
import { sura } from '../passage/suras.js';

const VERSE_END = '\u06dd'; // for those who copy the text; the page draws a medallion
const STOP_MARKS = /( [\u06d6-\u06dc](?: [\u06d6-\u06dc])*)$/;

/** A word exactly as the source gives it; a stop mark only gets an element of its own. @param {import('../passage/verses.js').Word} word */
export function printedWord(word) {
  const shown = part('span', 'word');
  const [letters, marks = ''] = word.text.split(STOP_MARKS);
  shown.append(letters);
  if (marks) shown.append(stopMark(marks));
  if (word.tanwin) shown.dataset.tanwin = word.tanwin;
  shown.dataset.index = String(word.index);
  shown.dataset.status = 'pending';
  shown.setAttribute('role', 'button');
  shown.tabIndex = -1;
  return shown;
}

/** The space between two words. */
export function gap() {
  const space = part('span', 'gap');
  space.textContent = ' ';
  return space;
}

/** The medallion with the number of a verse. @param {number} ayah */
export function verseEnd(ayah) {
  const end = part('span', 'verse-end');
  const [sign, digits] = [part('span', 'sign'), part('span', 'digits')];
  sign.textContent = VERSE_END;
  digits.textContent = arabicDigits(ayah);
  digits.toggleAttribute('data-long', ayah > 99);
  end.append(sign, digits);
  end.setAttribute('aria-hidden', 'true');
  return end;
}

function stopMark(marks) {
  const shown = part('span', 'stop-mark');
  shown.textContent = marks;
  return shown;
}

/** The title of a sura; where a passage begins in its middle, a running head: the name, and which verses these are. */
export function head(passage) {
  const inside = passage.ayah > 1;
  const shown = part('h2', inside ? 'running-head' : 'banner');
  const name = part('span', 'sura-name');
  name.lang = 'ar';
  name.textContent = `سورة ${sura(passage.surah).arabic}`;
  shown.append(name);
  if (inside) shown.append(part('span', 'head-verses'));
  return shown;
}

/** Says in the page's language which verses a running head is for. @param {Element} shown the text, with its head */
export function nameVerses(shown, { ayah, to }) {
  const verses = shown.querySelector('.head-verses');
  if (!verses) return;
  verses.lang = language();
  if (ayah === to) say(verses, 'mushaf.verse', { number: ayah });
  else say(verses, 'mushaf.verses', { from: ayah, to });
}

/** @param {string[]} words of the basmala */
export function basmalaLine(words) {
  const line = part('p', 'basmala');
  line.textContent = words.join(' ');
  return line;
}

/** @param {string} tag @param {string} className */
export function part(tag, className) {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}
