// What was recited when, and which words need another look.

import { isDeviation, isJudged } from '../client/judgement.js';
import { writePassage } from '../passage/passage.js';
import { answer, inTransaction } from './database.js';

const KEPT_SITTINGS = 500;
const LEARNT_AFTER = 2; // times right in a row since the last mistake

/**
 * @typedef {{id?: number, at: number, passage: string, mode: string, seconds: number, right: number, all: number,
 *            counts: Record<string, number>}} Sitting
 * @typedef {{key: string, surah: number, ayah: number, position: number, text: string, status: string,
 *            missed: number, streak: number, at: number}} MissedWord
 */

/**
 * Keep one recitation.
 * @param {{passage: import('../passage/passage.js').Passage, mode: string, seconds: number,
 *          printed: import('../passage/verses.js').Text, words: import('../client/judgement.js').Word[],
 *          peeked: Set<number>, at?: number}} recited
 */
export async function keep({ passage, mode, seconds, printed, words, peeked, at = Date.now() }) {
  const outcome = (index) => (peeked.has(index) ? 'peeked' : words[index].status);
  const counts = {};
  words.forEach((_, index) => { counts[outcome(index)] = (counts[outcome(index)] ?? 0) + 1; });
  const recited = words.filter(({ status }) => status !== 'pending' && status !== 'not_judged').length;
  if (!recited) return;
  await inTransaction('readwrite', async (sittings, missed) => {
    sittings.add({
      at, passage: writePassage(passage), mode, seconds, right: counts.correct ?? 0, all: recited, counts,
    });
    const known = await answer(sittings.getAllKeys());
    for (const id of known.slice(0, Math.max(0, known.length - KEPT_SITTINGS))) sittings.delete(id);
    const stored = new Map((await answer(missed.getAll())).map((word) => [word.key, word]));
    printed.words.forEach((word, index) => note(missed, stored, passage.surah, word, outcome(index), at));
  });
}

function note(store, stored, surah, word, status, at) {
  const key = `${surah}:${word.ayah}:${word.position}`;
  const before = stored.get(key);
  if (isDeviation(status) || status === 'peeked') {
    const missed = (before?.missed ?? 0) + 1;
    const { ayah, position, text } = word;
    store.put({ key, surah, ayah, position, text, status, missed, streak: 0, at });
  } else if (before && isJudged(status)) {
    const streak = before.streak + 1;
    if (streak >= LEARNT_AFTER) store.delete(key);
    else store.put({ ...before, streak, at });
  }
}

/** @returns {Promise<Sitting[]>} oldest first */
export const sittings = () => inTransaction('readonly', (store) => answer(store.getAll()));

/** Words to look at again, those missed most often first. @returns {Promise<MissedWord[]>} */
export async function missedWords() {
  const words = await inTransaction('readonly', (_, store) => answer(store.getAll()));
  return words.sort((one, other) => other.missed - one.missed || other.at - one.at);
}

/** Everything, to take along. */
export async function everything() {
  return { program: 'rattil', version: 1, sittings: await sittings(), words: await missedWords() };
}

export const erase = () => inTransaction('readwrite', (store, words) => {
  store.clear();
  words.clear();
});
