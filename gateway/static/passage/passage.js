// A passage: consecutive verses of one sura, and how it is written.

import { SURAS, sura } from './suras.js';

/** @typedef {{surah: number, ayah: number, to: number}} Passage */

const WRITTEN = /^(\d{1,3})(?::(\d{1,3})(?:-(\d{1,3}))?)?$/;

/**
 * Read "78:1-40", "78:5" or "78" (a whole sura).
 * @param {string | null} text
 * @returns {Passage | null} null for what is no passage of the Quran
 */
export function parsePassage(text) {
  const found = WRITTEN.exec((text ?? '').trim());
  if (!found) return null;
  const surah = Number(found[1]);
  if (surah < 1 || surah > SURAS.length) return null;
  const ayah = found[2] ? Number(found[2]) : 1;
  const to = found[3] ? Number(found[3]) : found[2] ? ayah : sura(surah).verses;
  return 1 <= ayah && ayah <= to && to <= sura(surah).verses ? { surah, ayah, to } : null;
}

/** As in addresses and in the history. @param {Passage} passage */
export function writePassage({ surah, ayah, to }) {
  return ayah === to ? `${surah}:${ayah}` : `${surah}:${ayah}-${to}`;
}

/** @param {Passage} one @param {Passage} other */
export function samePassage(one, other) {
  return one.surah === other.surah && one.ayah === other.ayah && one.to === other.to;
}

/** Whether its first verse is the basmala, which the print gives a line of its own. */
export const isOpening = ({ surah, ayah }) => surah === 1 && ayah === 1;

/** Whether the basmala line stands above it: every sura from its first verse, but 1 (it is its verse) and 9. */
export function hasBasmala({ surah, ayah }) {
  return ayah === 1 && surah !== 1 && surah !== 9;
}
