// The demo page: choose a passage, recite, see the words change. All wire talk is in session.js.

import { RecitationSession } from './session.js';
import { fromMicrophone, fromRecording } from './sound.js';
import { SURAS } from './suras.js';

const $ = (id) => document.getElementById(id);
const SAID = {
  correct: 'correct',
  minor_mistake: 'small mistake',
  wrong: 'wrong',
  missing: 'left out',
  pending: 'not yet recited',
};

let session = null;
let source = null;
let shown = []; // the word elements, one per reference word
let versesKnown = true;
let samples = [];

// -- passage --------------------------------------------------------------------------------------
function fillSuras() {
  for (const { number, name, verses } of SURAS) {
    $('surah').add(new Option(`${number}  ${name} (${verses})`, number));
  }
}

function chosen() {
  const passage = { surah: Number($('surah').value), ayah: Number($('ayah').value), to: Number($('to').value) };
  return { ...passage, token: $('token').value.trim() };
}

function limitVerses({ reset = false } = {}) {
  const { verses } = SURAS[Number($('surah').value) - 1];
  for (const id of ['ayah', 'to']) $(id).max = verses;
  if (reset) {
    $('ayah').value = 1;
    $('to').value = Math.min(verses, 7);
  }
  if (Number($('to').value) < Number($('ayah').value)) $('to').value = $('ayah').value;
}

async function showPassage() {
  const { surah, ayah, to } = chosen();
  if (!$('passage').checkValidity()) return;
  const asked = `${surah}:${ayah}-${to}`;
  showPassage.latest = asked;
  const verses = [];
  try {
    for (let number = ayah; number <= Math.min(to, ayah + 19); number += 1) {
      const answer = await fetch(`verses/${surah}/${number}`);
      const body = await answer.json();
      if (!answer.ok) throw new Error(body.error.message);
      verses.push(body);
    }
  } catch (error) {
    problem(`The passage cannot be shown: ${error.message}`);
    return;
  }
  if (showPassage.latest !== asked || session) return;
  const words = verses.flatMap((verse) => verse.words.map((word) => ({ word: word.text, verse_key: verse.verse_key })));
  $('attribution').textContent = verses[0]?.attribution ?? '';
  drawWords(words);
}

// -- words ----------------------------------------------------------------------------------------
function drawWords(words) {
  const parts = [];
  shown = words.map(({ word }) => {
    const element = document.createElement('span');
    element.className = 'word';
    element.textContent = word; // exactly as the source gives it
    return element;
  });
  words.forEach(({ verse_key: key }, index) => {
    parts.push(shown[index], ' ');
    if (key !== words[index + 1]?.verse_key) parts.push(verseEnd(key));
  });
  $('words').replaceChildren(...parts);
  versesKnown = true;
  paint(words.map(() => ({ status: 'pending', final: false })));
}

function verseEnd(key) {
  const element = document.createElement('span');
  element.className = 'verse-end';
  element.dir = 'ltr';
  element.textContent = `(${key}) `;
  return element;
}

function paint(states) {
  states.forEach(({ status, final }, index) => {
    const element = shown[index];
    if (!element) return;
    element.dataset.status = status;
    element.dataset.final = Boolean(final);
    element.title = SAID[status] ?? status;
    element.setAttribute('aria-label', `${element.textContent}, ${SAID[status] ?? status}`);
  });
}

// -- one recitation ---------------------------------------------------------------------------------
async function begin(openSource) {
  if (session) return;
  if (!$('passage').reportValidity()) return;
  problem('');
  $('result').hidden = true;
  busy(true);
  const mine = new RecitationSession(chosen(), { onEvent, onState: status, onFailure });
  session = mine;
  mine.start();
  try {
    const opened = await openSource((samples) => mine.push(samples));
    if (session === mine) source = opened;
    else await opened.stop();
  } catch (error) {
    mine.abandon();
    over();
    problem(error.message);
  }
}

async function stop() {
  const current = session;
  $('stop').disabled = true;
  await closeSource();
  current?.end();
}

async function closeSource() {
  const current = source;
  source = null;
  await current?.stop();
}

function over() {
  closeSource();
  session = null;
  busy(false);
}

function busy(reciting) {
  for (const id of ['record', 'play', 'file', 'surah', 'ayah', 'to', 'sample', 'token']) $(id).disabled = reciting;
  $('stop').disabled = !reciting;
  if (reciting) $('stop').focus();
}

function onEvent(event) {
  const handler = { ready, partial_result: partial, error: trouble, final_result: finished, final_result_error: failed };
  handler[event.type]?.(event);
}

function ready(event) {
  if (shown.length !== event.words.length) {
    // A passage too long to fetch beforehand: its verses are known with the first result.
    drawWords(event.words.map((word) => ({ word, verse_key: event.verse_key })));
    versesKnown = false;
  }
  if (event.gap) {
    const seconds = (event.gap.to_offset - event.gap.from_offset) / 16000;
    problem(`The service lost its memory of this session: about ${seconds.toFixed(1)} s were not judged.`);
  } else if (!event.resumed) paint(shown.map(() => ({ status: 'pending', final: false })));
}

function partial(event) {
  if (!versesKnown) drawWords(event.word_feedback);
  paint(event.word_feedback);
  const correct = event.word_feedback.filter(({ status: state }) => state === 'correct').length;
  const late = event.server_busy ? ', the service is busy' : '';
  const delay = Math.round(event.latency_ms.total_ms);
  status(`Listening: ${correct} of ${shown.length} words correct, answered in ${delay} ms${late}`, 'live');
}

function trouble(event) {
  problem(event.message);
}

function finished({ result }) {
  over();
  paint(result.word_analysis.map((word) => ({ ...word, final: word.status !== 'pending' })));
  status('Done', 'idle');
  showResult(result);
}

function failed(event) {
  over();
  status('No final result', 'idle');
  problem([event.message, event.fallback].filter(Boolean).join('. '));
}

function onFailure(message) {
  over();
  status('Stopped', 'idle');
  problem(message);
}

// -- result -----------------------------------------------------------------------------------------
function showResult(result) {
  $('score').textContent = result.accuracy_score === null ? 'nothing heard' : `${result.accuracy_score} %`;
  $('counts').textContent = Object.entries(SAID)
    .map(([state, said]) => [said, result.word_analysis.filter((word) => word.status === state).length])
    .filter(([, count]) => count)
    .map(([said, count]) => `${count} ${said}`)
    .join(', ');
  $('teacher').textContent = result.teacher_feedback_text ?? '';
  const again = result.word_analysis.filter(({ status: state }) => !['correct', 'pending'].includes(state));
  $('review').tBodies[0].replaceChildren(...again.map(reviewRow));
  $('review').hidden = !again.length;
  $('result').hidden = false;
  $('result').focus();
}

function reviewRow(word) {
  const row = document.createElement('tr');
  const cells = [word.verse_key ?? '', word.word, word.feedback ?? SAID[word.status]];
  for (const text of cells) row.insertCell().textContent = text;
  row.cells[1].lang = 'ar';
  row.cells[1].dir = 'rtl';
  row.cells[1].dataset.status = word.status;
  return row;
}

// -- page ---------------------------------------------------------------------------------------------
function status(text, kind) {
  $('status').textContent = text;
  $('status').dataset.kind = kind;
}

function problem(text) {
  $('problem').textContent = text;
  $('problem').hidden = !text;
}

async function loadSamples() {
  const answer = await fetch('samples/samples.json').catch(() => null);
  if (!answer?.ok) return; // a service without bundled samples
  samples = await answer.json();
  for (const sample of samples) $('sample').add(new Option(`${sample.about} (${sample.verses})`, sample.name));
  for (const id of ['sample-choice', 'play']) $(id).hidden = false;
}

async function playSample() {
  const sample = samples.find(({ name }) => name === $('sample').value);
  const [, surah, ayah, to] = sample.verses.match(/^(\d+):(\d+)(?:-(\d+))?$/);
  $('surah').value = surah;
  limitVerses();
  $('ayah').value = ayah;
  $('to').value = to ?? ayah;
  await showPassage();
  const answer = await fetch(`samples/${sample.file}`);
  const data = await answer.arrayBuffer();
  await begin((onSamples) => fromRecording(data, { onSamples, onEnd: stop }));
}

async function reciteFile() {
  const [file] = $('file').files;
  if (!file) return;
  const data = await file.arrayBuffer();
  $('file').value = '';
  await begin((onSamples) => fromRecording(data, { onSamples, onEnd: stop }));
}

fillSuras();
limitVerses();
showPassage();
loadSamples();
$('passage').addEventListener('submit', (event) => event.preventDefault());
$('surah').addEventListener('change', () => { limitVerses({ reset: true }); showPassage(); });
for (const id of ['ayah', 'to']) $(id).addEventListener('change', () => { limitVerses(); showPassage(); });
$('record').addEventListener('click', () => begin(fromMicrophone));
$('play').addEventListener('click', playSample);
$('file').addEventListener('change', reciteFile);
$('stop').addEventListener('click', stop);
window.addEventListener('online', () => session && status('Connection is back', 'waiting'));
// For trying out a resume by hand: Alt+Shift+B breaks the connection as a bad network would.
document.addEventListener('keydown', (event) => {
  if (event.altKey && event.shiftKey && event.code === 'KeyB') session?.dropConnection();
});
