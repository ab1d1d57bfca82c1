// The page: puts its parts together. What each part does is in its folder.

import { Bar } from './controls/bar.js';
import { Chooser, passageName } from './controls/chooser.js';
import { $ } from './controls/dom.js';
import { serviceReachable } from './controls/network.js';
import { offerListening, prepareModes, showMode } from './controls/modes.js';
import { Notice } from './controls/notice.js';
import { preferences, prefer, unfinished, keepUnfinished } from './controls/preferences.js';
import { ResultSheet } from './controls/result_sheet.js';
import { offerSamples, prepareSettings } from './controls/settings.js';
import { openSheet, prepareSheets } from './controls/sheets.js';
import { onSecondTouch } from './controls/sure.js';
import { prepareHistory } from './history/history_sheet.js';
import { chooseLanguage, onLanguage } from './language/language.js';
import { Announcer } from './mushaf/announcer.js';
import { Follower } from './mushaf/follow.js';
import { LastLine } from './mushaf/last_line.js';
import { Mushaf, drawStates } from './mushaf/mushaf.js';
import { TouchedWord } from './mushaf/touched_word.js';
import { WholeLines } from './mushaf/whole_lines.js';
import { hasBasmala, parsePassage, writePassage } from './passage/passage.js';
import { fetchBasmala, fetchText } from './passage/verses.js';
import { Reciting } from './reciting.js';
import { Reference } from './sound/reference.js';
import { WordSheet } from './words/word_sheet.js';

const FONT_WAIT_MS = 3000;
const FIRST = { surah: 1, ayah: 1, to: 7 };

/** @type {import('./passage/passage.js').Passage} */
let passage = FIRST;
/** @type {import('./passage/verses.js').Text | null} */
let printed = null;
let reference = null;
let asked = 0;

prepareSheets();
drawStates($('states'), ['minor_mistake', 'wrong', 'missing', 'not_judged', 'peeked', 'own']);

const notice = new Notice({
  again: () => (printed ? reciting.start() : showPassage(passage)),
  choose: () => chooser.open(passage),
  key: () => {
    openSheet('more');
    $('key').focus();
  },
});
const mushaf = new Mushaf($('mushaf'), (index) => touch(index));
const follower = new Follower(
  (index) => mushaf.element(index), freeArea, () => mushaf.lines, (away) => { $('come-back').hidden = !away; },
);
new LastLine($('last-line'), $('mushaf'), () => mushaf.lines, freeArea);
const wholeLines = new WholeLines($('mushaf'), () => mushaf.lines, freeArea);
const touched = new TouchedWord($('word'), (index) => mushaf.element(index), () => mushaf.lines, freeArea);
const bar = new Bar((act) => {
  if (act === 'play') playReference(passage.ayah);
  else if (act === 'pause') reference.stop();
  else reciting.act(act);
});
const results = new ResultSheet({ onWord: (index) => goTo(index), onRetry: () => reciting.start() });
const reciting = new Reciting({
  bar, mushaf, follower, notice, results, announcer: new Announcer($('announcer')), onIdle: idle,
});
const chooser = new Chooser((chosen) => leaveFor(chosen));
const words = new WordSheet({
  onFrom: (word) => leaveFor({ ...passage, ayah: word.ayah }, { recite: true }),
  onPeek: (index) => reciting.peek(index),
  onOwn: (index, right) => reciting.judgeOwn(index, right),
});

// -- the passage ------------------------------------------------------------------------------------
async function showPassage(chosen) {
  asked += 1;
  const mine = asked;
  passage = chosen;
  nameThePassage();
  prefer({ passage: writePassage(chosen) });
  try {
    const [text, basmala] = await Promise.all([
      fetchText(chosen),
      hasBasmala(chosen) ? fetchBasmala() : null,
      fontsReady(),
    ]);
    if (mine !== asked) return;
    printed = text;
    mushaf.draw(chosen, text, basmala);
    $('attribution').textContent = text.attribution;
    notice.clear('error');
    reciting.passageIs(chosen, text);
    idle();
    wholeLines.fit();
  } catch (error) {
    if (mine !== asked) return;
    printed = null;
    notice.error(error.code ?? 'other', { code: error.message });
  }
}

function leaveFor(chosen, { recite = false } = {}) {
  reference?.stop();
  reciting.leave();
  results.forget();
  window.scrollTo({ top: 0 });
  return showPassage(chosen).then(() => recite && printed && reciting.start());
}

function nameThePassage() {
  $('passage-name').textContent = passageName(passage);
  const address = new URL(location.href);
  address.searchParams.set('verses', writePassage(passage));
  if (preferences().mode === 'read') address.searchParams.delete('mode');
  else address.searchParams.set('mode', preferences().mode);
  history.replaceState(null, '', address);
}

/** Text is drawn once its letters are there: nothing moves afterwards. */
function fontsReady() {
  const fonts = Promise.all([document.fonts.load('16px "Rattil Quran"', 'ب'), document.fonts.load('700 16px "Rattil Name"', 'س')]);
  return Promise.race([fonts.catch(() => null), new Promise((resolve) => setTimeout(resolve, FONT_WAIT_MS))]);
}

// -- modes ------------------------------------------------------------------------------------------
const mode = () => preferences().mode;

function chooseMode(chosen) {
  prefer({ mode: chosen });
  showMode();
  if (chosen !== 'listen') reference?.stop();
  nameThePassage();
  idle();
}

/** What the bar offers while nobody recites. */
function idle() {
  mushaf.hide(mode() === 'memorise');
  document.documentElement.dataset.mode = mode();
  if (mode() === 'listen') {
    bar.offer(reference?.playing ? 'pause' : 'play');
    if (!reference?.playing) bar.status('mode.listen.hint');
    return;
  }
  const cutOff = reciting.cutOff;
  bar.offer(cutOff ? 'continue' : 'recite');
  if (cutOff) bar.status('status.resumable');
  else bar.status(mode() === 'memorise' ? 'status.memorise' : 'status.idle');
  serviceReachable().then((reachable) => {
    if (!reachable && !reciting.running) bar.status('status.offline');
  });
}

function touch(index) {
  const word = printed.words[index];
  if (mode() === 'listen' && reference) playReference(word.ayah);
  else if (mushaf.isHidden(index)) reciting.peek(index);
  else {
    words.show({
      word,
      surah: passage.surah,
      ...reciting.about(index),
      hidden: false,
      reference: reference && (() => reference.play(passage.surah, word.ayah, word.ayah)),
    });
    touched.show(index);
  }
}

function goTo(index) {
  $('result').close();
  mushaf.element(index).scrollIntoView({ block: 'center' });
  mushaf.focus(index);
  touch(index);
}

function playReference(ayah) {
  notice.clear();
  reference.play(passage.surah, ayah, passage.to);
}

function referencePlays(ayah) {
  mushaf.markVerse(ayah);
  if (mode() !== 'listen') return;
  bar.offer(ayah ? 'pause' : 'play');
  if (!ayah) return void idle();
  bar.status('status.listening', { number: ayah });
  const first = printed?.words.find((word) => word.ayah === ayah);
  if (first) follower.moveTo(first.index);
}

// -- trying it without a microphone -------------------------------------------------------------------
async function reciteSample(sample) {
  $('more').close();
  await leaveFor(parsePassage(sample.verses));
  const answer = await fetch(`samples/${sample.file}`).catch(() => null);
  if (!answer?.ok) return notice.error('text_unavailable');
  return reciting.start(await answer.arrayBuffer());
}

async function reciteFile(file) {
  $('more').close();
  await reciting.start(await file.arrayBuffer());
}

// -- the whole ----------------------------------------------------------------------------------------
/** What bars and an open sheet leave of the window. */
function freeArea() {
  // On a phone on its side a message stands over the text; elsewhere it is a part of the bar.
  const messages = $('notice').hidden || getComputedStyle($('notice')).position !== 'fixed' ? 0 : $('notice').getBoundingClientRect().bottom;
  const top = Math.max(document.querySelector('.top').getBoundingClientRect().bottom, messages);
  const below = document.querySelector('.bar').getBoundingClientRect();
  const bottom = below.top > top ? below.top : window.innerHeight;
  const sheet = document.querySelector('dialog.sheet[open]');
  return { top, bottom: sheet ? Math.min(bottom, sheet.getBoundingClientRect().top) : bottom, sheet: Boolean(sheet) };
}

async function loadService() {
  const answer = await fetch('page.json').catch(() => null);
  if (!answer?.ok) return;
  const service = await answer.json();
  if (service.samples) offerSamples(reciteSample);
  if (!service.reference) return;
  reference = new Reference(service.reference.extension, referencePlays, () => notice.error('reference_missing'));
  offerListening();
  if (mode() === 'listen') idle();
}

function firstMode(address) {
  const wanted = address.get('mode');
  const chosen = ['read', 'memorise', 'listen'].includes(wanted) ? wanted : preferences().mode;
  prefer({ mode: chosen });
  prepareModes(chooseMode);
}

function begin() {
  const address = new URLSearchParams(location.search);
  const saved = unfinished();
  firstMode(address);
  onLanguage(() => {
    nameThePassage();
    if (!reciting.running) idle();
  });
  prepareSettings(reciteFile);
  prepareHistory((chosen) => leaveFor(chosen));
  $('choose').addEventListener('click', () => chooser.open(passage));
  $('more-open').addEventListener('click', () => openSheet('more'));
  $('result-open').addEventListener('click', () => results.open());
  $('come-back').addEventListener('click', () => follower.comeBack());
  $('hint').addEventListener('click', () => reciting.peekNext());
  onSecondTouch($('cancel'), 'bar.discard', () => reciting.discard());
  for (const name of ['online', 'offline']) {
    window.addEventListener(name, () => {
      reciting.networkChanged(name === 'online');
      if (!reciting.running) idle();
      if (name === 'online' && !printed) showPassage(passage);
    });
  }
  const addressed = address.get('verses');
  const wanted = parsePassage(addressed) ?? parsePassage(preferences().passage) ?? FIRST;
  if (saved && saved.passage !== writePassage(wanted)) keepUnfinished(null);
  chooseLanguage(preferences().language);
  loadService();
  showPassage(wanted).then(() => {
    if (addressed && printed && !parsePassage(addressed)) notice.error('unknown_verse');
  });
  if ('serviceWorker' in navigator) navigator.serviceWorker.register('service-worker.js').catch(() => {});
}

begin();
// For tests, and for trying out a resume by hand: Alt+Shift+B breaks the connection as a bad network would.
document.addEventListener('keydown', (event) => {
  if (event.altKey && event.shiftKey && event.code === 'KeyB') reciting.dropConnection();
});
