// The sheet with past recitations and the words to look at again.

import { $, element } from '../controls/dom.js';
import { passageName } from '../controls/chooser.js';
import { openSheet } from '../controls/sheets.js';
import { onSecondTouch } from '../controls/sure.js';
import { counted, date, day, language, text } from '../language/language.js';
import { parsePassage } from '../passage/passage.js';
import { inContext } from '../words/in_context.js';
import { chart } from './chart.js';
import { erase, everything, missedVerses, missedWords, mistakes, sittings } from './history.js';

const CHARTED = 30;
const LISTED = 20;
const WORDS_LISTED = 40;
const VERSES_CHARTED = 6;

/** @param {(passage: import('../passage/passage.js').Passage) => void} onPractise */
export function prepareHistory(onPractise) {
  $('history-open').addEventListener('click', () => show(onPractise));
  $('history-export').addEventListener('click', save);
  onSecondTouch($('history-erase'), 'history.erase', async () => {
    await erase();
    await show(onPractise);
  });
}

async function show(onPractise) {
  let kept;
  try {
    kept = { past: await sittings(), words: await missedWords() };
  } catch {
    $('history-body').replaceChildren(element('p', {}, text('history.unavailable')));
    openSheet('history');
    return;
  }
  draw(kept, onPractise);
  openSheet('history');
}

function draw({ past, words }, onPractise) {
  for (const id of ['history-export', 'history-erase']) $(id).disabled = !past.length;
  if (!past.length) {
    $('history-body').replaceChildren(element('p', {}, text('history.empty')));
    return;
  }
  const charted = past.slice(-CHARTED);
  const points = charted.map(({ at, right, all }) => ({ at, share: right / all }));
  const { right, all } = charted.at(-1);
  const label = text(points.length > 1 ? 'history.chart' : 'history.chart.one', { count: points.length, right, all });
  const verses = missedVerses(words).slice(0, VERSES_CHARTED);
  $('history-body').replaceChildren(
    element('h3', {}, text('history.over_time')), chart(points, label, { share: written, day, rightToLeft: language() === 'ar' }),
    element('p', { class: 'remark' }, label),
    element('h3', {}, text('history.practice')), practice(words, onPractise),
    ...(verses.length ? [element('h3', {}, text('history.verses')), byVerse(verses, onPractise)] : []),
    element('h3', {}, text('history.sittings')), list(past),
  );
}

/** A share as it is counted, as in "7 of 8". */
function written(part, whole) {
  if (part === whole) return text('history.share.all');
  return part ? text('history.share', { part, whole }) : text('history.share.none');
}

/** A word that was only peeked at has been looked at so many times. */
const howOften = (word) => (mistakes(word) ? counted('history.mistakes', mistakes(word)) : counted('history.times', word.missed));

/** How many mistakes were made in a verse, the most first. */
function byVerse(verses, onPractise) {
  const most = verses[0].mistakes;
  return element('ul', { class: 'verse-bars' }, ...verses.map(({ surah, ayah, mistakes: made }) => {
    const passage = { surah, ayah, to: ayah };
    const bar = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    bar.setAttribute('viewBox', '0 0 100 8');
    bar.setAttribute('preserveAspectRatio', 'none');
    bar.setAttribute('aria-hidden', 'true');
    const share = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    share.setAttribute('width', String((100 * made) / most));
    share.setAttribute('height', '8');
    bar.append(share);
    const button = element(
      'button', { type: 'button' }, element('span', { class: 'where' }, passageName(passage)), bar,
      element('span', { class: 'times' }, counted('history.mistakes', made)),
    );
    button.addEventListener('click', () => {
      $('history').close();
      onPractise(passage);
    });
    return element('li', {}, button);
  }));
}

function practice(words, onPractise) {
  if (!words.length) return element('p', {}, text('history.practice.none'));
  return element('ul', { class: 'word-list' }, ...words.slice(0, WORDS_LISTED).map((word) => {
    const passage = { surah: word.surah, ayah: word.ayah, to: word.ayah };
    const button = element(
      'button', { type: 'button', 'data-status': word.status, 'aria-label': text('history.practise', { passage: passageName(passage) }) },
      inContext(word, word, word.status), element('span', { class: 'mark' }),
      element('span', { class: 'what' }, text('history.practice.times', { what: text(`word.${word.status}`), often: howOften(word) })
        + (word.own ? ` · ${text('word.own')}` : '')),
      element('span', { class: 'where' }, passageName(passage)),
    );
    button.addEventListener('click', () => {
      $('history').close();
      onPractise(passage);
    });
    return element('li', {}, button);
  }));
}

function list(past) {
  return element('ul', { class: 'sittings' }, ...past.slice(-LISTED).reverse().map(({ at, passage, right, all }) => element(
    'li', {},
    element('span', {}, passageName(parsePassage(passage))),
    element('span', {}, text('history.sitting', { right, all })),
    element('time', { class: 'remark', datetime: new Date(at).toISOString() }, date(at)),
  )));
}

async function save() {
  const file = new Blob([JSON.stringify(await everything(), null, 1)], { type: 'application/json' });
  const link = element('a', { href: URL.createObjectURL(file), download: 'rattil-history.json' });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

