// The text: fetched by range, exactly as the service gives it.

import { sura } from './suras.js';
import { tanwinShape } from './tanwin.js';

/**
 * @typedef {{text: string, verseKey: string, ayah: number, position: number, index: number, tanwin: import('./tanwin.js').Shape}} Word
 *   position: from 1 within its verse; index: from 0 within the passage; tanwin: how the print draws it
 * @typedef {{ayah: number, key: string, words: Word[]}} Verse
 * @typedef {{verses: Verse[], words: Word[], attribution: string}} Text
 */

/** What follows the last verse of a sura begins with this letter: the basmala, and sura 9. */
const NEXT_SURA = 'ب';

/** An error with a code that the page has a sentence for. */
export class TextError extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

async function getJson(address) {
  let answer;
  try {
    answer = await fetch(address);
  } catch {
    throw new TextError('text_unavailable');
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok || !body) throw new TextError(body?.error?.code ?? 'text_unavailable');
  return body;
}

/** @param {import('./passage.js').Passage} passage @returns {Promise<Text>} raises `TextError` */
export async function fetchText({ surah, ayah, to }) {
  // One verse more: how the last word is drawn depends on the word after it.
  const last = Math.min(to + 1, sura(surah).verses);
  const body = await getJson(`verses/${surah}?from=${ayah}&to=${last}`);
  const following = body.verses.flatMap(({ words }) => words).concat(NEXT_SURA).slice(1);
  let index = 0;
  const verses = body.verses.filter((verse) => verse.ayah <= to).map((verse) => ({
    ayah: verse.ayah,
    key: verse.verse_key,
    words: verse.words.map((text, at) => ({
      text, verseKey: verse.verse_key, ayah: verse.ayah, position: at + 1, tanwin: tanwinShape(text, following[index]), index: index++,
    })),
  }));
  return { verses, words: verses.flatMap(({ words }) => words), attribution: body.attribution };
}

/** The words beside one, of the same verse. @param {Word[]} words @param {number} index @returns {{before: Word | null, after: Word | null}} */
export function neighbours(words, index) {
  const inVerse = (other) => (other?.ayah === words[index].ayah ? other : null);
  return { before: inVerse(words[index - 1]), after: inVerse(words[index + 1]) };
}

/** The basmala as the source prints it in 1:1. */
export async function fetchBasmala() {
  const body = await getJson('verses/1?from=1&to=1');
  return body.verses[0].words;
}

/** The sounds (IPA) of one word in connected reading. @returns {Promise<string[]>} */
export async function fetchSounds({ surah, ayah, position }) {
  const body = await getJson(`verses/${surah}/${ayah}`);
  return body.words[position - 1].phonemes;
}
