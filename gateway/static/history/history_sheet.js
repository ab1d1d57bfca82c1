// The sheet with past recitations and the words to look at again.

import { $, element } from '../controls/dom.js';
import { percent } from '../controls/bar.js';
import { passageName } from '../controls/chooser.js';
import { openSheet } from '../controls/sheets.js';
import { date, quranic, text } from '../language/language.js';
import { parsePassage } from '../passage/passage.js';
import { chart } from './chart.js';
import { erase, everything, missedWords, sittings } from './history.js';

const CHARTED = 30;
const LISTED = 20;
const WORDS_LISTED = 40;

/** @param {(passage: import('../passage/passage.js').Passage) => void} onPractise */
export function prepareHistory(onPractise) {
  $('history-open').addEventListener('click', () => show(onPractise));
  $('history-export').addEventListener('click', save);
  $('history-erase').addEventListener('click', () => eraseIfSure(onPractise));
  $('history').addEventListener('close', () => unsure());
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
  const shares = past.slice(-CHARTED).map(({ right, all }) => right / all);
  const label = text('history.chart', { count: shares.length, latest: percent(shares.at(-1)) });
  $('history-body').replaceChildren(
    chart(shares, label, percent), element('p', { class: 'remark' }, label),
    element('h3', {}, text('history.practice')), practice(words, onPractise),
    element('h3', {}, text('history.sittings')), list(past),
  );
}

function practice(words, onPractise) {
  if (!words.length) return element('p', {}, text('history.practice.none'));
  return element('ul', { class: 'word-list' }, ...words.slice(0, WORDS_LISTED).map((word) => {
    const passage = { surah: word.surah, ayah: word.ayah, to: word.ayah };
    const button = element(
      'button', { type: 'button', 'data-status': word.status, 'aria-label': text('history.practise', { passage: passageName(passage) }) },
      quranic(word.text), element('span', { class: 'mark' }),
      element('span', { class: 'what' }, text('history.practice.times', { what: text(`word.${word.status}`), times: word.missed })),
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

async function eraseIfSure(onPractise) {
  if (!('sure' in $('history-erase').dataset)) {
    $('history-erase').dataset.sure = '';
    $('history-erase').textContent = text('history.erase.sure');
    return;
  }
  unsure();
  await erase();
  await show(onPractise);
}

function unsure() {
  delete $('history-erase').dataset.sure;
  $('history-erase').textContent = text('history.erase');
}
