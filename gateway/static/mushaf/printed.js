// What is printed: a word with its signs, the end of a verse, the head of a sura.

import { arabicDigits } from '../language/language.js';
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

/** The name of the sura; smaller where a passage begins in its middle. @param {import('../passage/passage.js').Passage} passage */
export function banner({ surah, ayah }) {
  const shown = part('h2', 'banner');
  const name = part('span', 'sura-name');
  name.lang = 'ar';
  name.textContent = `سورة ${sura(surah).arabic}`;
  shown.append(name);
  if (ayah > 1) shown.dataset.part = '';
  return shown;
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
