// What was recited when, and which words need another look.

import { isDeviation, isJudged } from '../client/judgement.js';
import { writePassage } from '../passage/passage.js';
import { neighbours } from '../passage/verses.js';
import { answer, inTransaction } from './database.js';

const KEPT_SITTINGS = 500;
const LEARNT_AFTER = 2; // times right in a row since the last mistake

/**
 * @typedef {import('../words/in_context.js').Printed} Printed
 * @typedef {{id?: number, at: number, passage: string, mode: string, seconds: number, right: number, all: number,
 *            counts: Record<string, number>, own?: string[]}} Sitting  own: keys of words that the reciter says were right
 * @typedef {{key: string, surah: number, ayah: number, position: number, text: string, tanwin?: string, status: string,
 *            missed: number, peeks?: number, streak: number, at: number, own?: boolean, before?: Printed | null, after?: Printed | null}} MissedWord
 *   missed: how often, peeks among them; own: the reciter says that it was right; before, after: its neighbours in the verse
 */

const keyOf = (surah, { ayah, position }) => `${surah}:${ayah}:${position}`;

/**
 * Keep one recitation. The reciter's own judgement stands beside the program's and changes nothing in it.
 * @param {{passage: import('../passage/passage.js').Passage, mode: string, seconds: number,
 *          printed: import('../passage/verses.js').Text, words: import('../client/judgement.js').Word[],
 *          peeked: Set<number>, own?: Set<number>, at?: number}} recited
 * @returns {Promise<number | null>} its id; null if nothing was recited
 */
export async function keep({ passage, mode, seconds, printed, words, peeked, own = new Set(), at = Date.now() }) {
  const outcome = (index) => (peeked.has(index) ? 'peeked' : words[index].status);
  const counts = {};
  words.forEach((_, index) => { counts[outcome(index)] = (counts[outcome(index)] ?? 0) + 1; });
  const recited = words.filter(({ status }) => status !== 'pending' && status !== 'not_judged').length;
  if (!recited) return null;
  return inTransaction('readwrite', async (sittings, missed) => {
    const id = await answer(sittings.add({
      at, passage: writePassage(passage), mode, seconds, right: counts.correct ?? 0, all: recited, counts,
      own: [...own].map((index) => keyOf(passage.surah, printed.words[index])),
    }));
    const known = await answer(sittings.getAllKeys());
    for (const id of known.slice(0, Math.max(0, known.length - KEPT_SITTINGS))) sittings.delete(id);
    const stored = new Map((await answer(missed.getAll())).map((word) => [word.key, word]));
    printed.words.forEach((word, index) => {
      note(missed, stored, { surah: passage.surah, word, beside: neighbours(printed.words, index), status: outcome(index), at, own: own.has(index) });
    });
    return id;
  });
}

/** What the reciter says of a word of a kept recitation: it was right, or it was not. */
export function judgeOwn(id, surah, word, right) {
  const key = keyOf(surah, word);
  return inTransaction('readwrite', async (sittings, missed) => {
    const sitting = await answer(sittings.get(id));
    if (sitting) {
      const others = (sitting.own ?? []).filter((kept) => kept !== key);
      sittings.put({ ...sitting, own: right ? [...others, key] : others });
    }
    const before = await answer(missed.get(key));
    if (before) missed.put({ ...before, own: right });
  });
}

function note(store, stored, { surah, word, beside, status, at, own }) {
  const key = keyOf(surah, word);
  const known = stored.get(key);
  if (isDeviation(status) || status === 'peeked') {
    const missed = (known?.missed ?? 0) + 1;
    const peeks = (known?.peeks ?? 0) + Number(status === 'peeked');
    const { ayah, position } = word;
    const [before, after] = [printed(beside.before), printed(beside.after)];
    store.put({ key, surah, ayah, position, ...printed(word), before, after, status, missed, peeks, streak: 0, at, own });
  } else if (known && isJudged(status)) {
    const streak = known.streak + 1;
    if (streak >= LEARNT_AFTER) store.delete(key);
    else store.put({ ...known, streak, at });
  }
}

/** What is shown of a word later. @returns {Printed | null} */
const printed = (word) => word && { text: word.text, tanwin: word.tanwin };

/** @returns {Promise<Sitting[]>} oldest first */
export const sittings = () => inTransaction('readonly', (store) => answer(store.getAll()));

/** Words to look at again, those missed most often first, those right by the reciter's own judgement last. @returns {Promise<MissedWord[]>} */
export async function missedWords() {
  const words = await inTransaction('readonly', (_, store) => answer(store.getAll()));
  return words.sort((one, other) => Number(one.own ?? false) - Number(other.own ?? false) || other.missed - one.missed || other.at - one.at);
}

/** How often a word was recited with a mistake; a word that was only peeked at never was. @param {MissedWord} word */
export const mistakes = ({ missed, peeks = 0 }) => missed - peeks;

/** Mistakes by verse, the most first. @param {MissedWord[]} words @returns {{surah: number, ayah: number, mistakes: number}[]} */
export function missedVerses(words) {
  const verses = new Map();
  for (const word of words.filter(mistakes)) {
    const { surah, ayah } = word;
    const verse = verses.get(`${surah}:${ayah}`) ?? { surah, ayah, mistakes: 0 };
    verses.set(`${surah}:${ayah}`, { ...verse, mistakes: verse.mistakes + mistakes(word) });
  }
  return [...verses.values()].sort((one, other) => other.mistakes - one.mistakes || one.surah - other.surah || one.ayah - other.ayah);
}

/** Everything, to take along. */
export async function everything() {
  return { program: 'rattil', version: 1, sittings: await sittings(), words: await missedWords() };
}

export const erase = () => inTransaction('readwrite', (store, words) => {
  store.clear();
  words.clear();
});
