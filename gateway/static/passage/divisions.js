// Where the 30 parts (juz) and the 604 pages of the Madina print begin.

import { SURAS } from './suras.js';

/** Number of the first verse of each juz, counted through the whole Quran from 1. */
const JUZ_STARTS =
  '1 149 260 386 517 641 751 900 1042 1201 1328 1479 1649 1803 2030 2215 2484 2674 2876 3215 3386 3564 3733 ' +
  '4090 4265 4511 4706 5105 5242 5673';

/** Verses that begin on each page. */
const PAGE_LENGTHS =
  '7 5 11 8 5 8 11 9 4 8 7 7 5 5 8 4 7 7 7 8 7 4 8 10 6 7 5 5 4 6 6 8 5 4 5 6 3 4 8 3 4 4 3 5 5 5 7 1 4 9 6 7 7 ' +
  '8 8 7 9 9 7 6 8 9 8 7 6 11 8 8 5 4 8 8 7 6 8 6 6 5 3 5 4 3 7 4 7 7 8 6 9 5 7 5 3 7 4 8 8 6 7 6 7 7 8 8 5 3 3 ' +
  '4 4 4 6 8 5 5 4 5 7 7 6 6 6 7 6 8 5 5 7 8 10 9 8 9 8 7 9 5 8 9 4 7 9 8 6 7 6 5 4 5 6 8 11 11 8 7 6 8 6 10 6 ' +
  '8 6 8 9 16 10 7 6 6 6 4 4 7 8 9 8 11 8 8 9 8 7 5 7 9 8 6 6 7 7 6 5 5 4 7 7 7 7 4 7 7 7 6 7 5 6 5 7 6 8 6 5 8 ' +
  '9 11 8 9 8 10 9 9 8 7 7 9 9 8 8 9 9 10 7 9 11 9 10 10 8 8 7 6 9 11 6 9 8 9 8 8 5 8 5 10 6 8 6 5 8 6 9 9 10 ' +
  '15 16 20 19 20 15 8 12 8 8 12 10 8 7 8 6 9 8 8 10 7 10 10 11 11 9 8 9 11 10 8 11 11 5 7 7 11 8 8 13 9 14 13 ' +
  '11 14 13 13 13 12 19 15 25 14 13 12 11 11 15 12 10 10 14 11 9 13 15 9 9 11 11 5 10 8 7 8 8 9 9 8 6 17 10 15 ' +
  '17 15 15 15 14 10 10 7 4 5 7 10 5 3 5 9 9 12 11 12 12 10 19 20 21 23 28 25 23 24 23 21 13 9 13 9 11 8 13 12 ' +
  '10 8 8 7 7 8 7 9 11 7 7 10 8 9 7 8 7 7 11 11 10 9 8 9 9 10 11 8 9 6 11 9 10 6 9 7 8 5 8 7 4 8 11 7 7 8 9 8 9 ' +
  '9 8 7 12 8 6 13 15 13 14 16 13 24 27 25 26 24 27 29 16 10 16 19 22 10 5 11 10 9 7 9 11 7 8 9 9 8 7 9 9 8 11 ' +
  '8 11 9 9 9 8 8 10 5 7 9 13 7 12 12 11 14 13 13 16 18 21 20 13 9 10 10 9 6 8 7 11 8 10 9 9 6 8 5 5 7 7 15 20 ' +
  '16 24 21 23 17 18 26 18 24 21 22 22 24 27 27 34 26 23 8 7 6 5 6 5 10 4 6 7 8 5 6 7 9 8 7 7 9 9 5 7 7 5 12 14 ' +
  '19 27 18 26 28 29 15 18 13 15 19 18 30 28 26 20 25 31 30 25 31 42 29 25 28 27 22 32 30 23 27 29 26 27 12 18 ' +
  '21 17 14 14 15';

const juzStarts = JUZ_STARTS.split(' ').map(Number);
const pageStarts = [1];
for (const length of PAGE_LENGTHS.split(' ').map(Number)) pageStarts.push(pageStarts.at(-1) + length);

export const JUZ_COUNT = juzStarts.length;
export const PAGE_COUNT = pageStarts.length - 1;
const VERSES = pageStarts.at(-1) - 1;

/** @param {number} number @returns {import('./passage.js').Passage[]} the stretches of suras in a juz */
export function juzParts(number) {
  return parts(juzStarts[number - 1], (juzStarts[number] ?? VERSES + 1) - 1);
}

/** @param {number} number @returns {import('./passage.js').Passage[]} the stretches of suras on a page */
export function pageParts(number) {
  return parts(pageStarts[number - 1], pageStarts[number] - 1);
}

/** @param {number} surah @param {number} ayah the page on which a verse begins */
export function pageOf(surah, ayah) {
  const verse = SURAS.slice(0, surah - 1).reduce((sum, { verses }) => sum + verses, 0) + ayah;
  return pageStarts.findLastIndex((start) => start <= verse) + 1;
}

/** A stretch of verses, counted through the Quran, cut at the borders of suras. */
function parts(first, last) {
  const found = [];
  let before = 0;
  for (const { number, verses } of SURAS) {
    const ayah = Math.max(1, first - before);
    const to = Math.min(verses, last - before);
    if (ayah <= to) found.push({ surah: number, ayah, to });
    before += verses;
  }
  return found;
}
