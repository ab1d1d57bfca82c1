// The sheet with everything that is chosen once.

import { chooseLanguage, onLanguage, text } from '../language/language.js';
import { $, element } from './dom.js';
import { accessKey, prefer, preferences, setAccessKey } from './preferences.js';

const LEGEND = ['correct', 'current', 'minor_mistake', 'wrong', 'missing', 'not_judged', 'peeked'];

/** @param {(file: File) => void} onFile a recording to be judged */
export function prepareSettings(onFile) {
  for (const name of ['theme', 'size', 'language']) bindChoice(name);
  $('hesitation').checked = preferences().hesitation;
  $('hesitation').addEventListener('change', () => prefer({ hesitation: $('hesitation').checked }));
  $('key').value = accessKey();
  $('key').addEventListener('input', () => setAccessKey($('key').value.trim()));
  $('key-form').addEventListener('submit', (event) => {
    event.preventDefault();
    $('more').close();
  });
  $('file').addEventListener('change', () => {
    const [file] = $('file').files;
    $('file').value = '';
    if (file) onFile(file);
  });
  onLanguage(drawLegend);
}

function bindChoice(name) {
  for (const input of document.querySelectorAll(`input[name="${name}"]`)) {
    input.checked = input.value === preferences()[name];
    input.addEventListener('change', () => {
      prefer({ [name]: input.value });
      if (name === 'language') chooseLanguage(input.value);
      else document.documentElement.dataset[name] = input.value;
    });
  }
}

function drawLegend() {
  $('legend').replaceChildren(...LEGEND.map((status) => {
    const key = status === 'correct' || status === 'current' ? `legend.${status}` : `word.${status}`;
    return element('li', { 'data-status': status }, element('span', { class: 'mark' }), text(key));
  }));
}

/** Offer the recitations that the service brings along. */
export async function offerSamples(onSample) {
  const answer = await fetch('samples/samples.json').catch(() => null);
  if (!answer?.ok) return;
  const samples = await answer.json();
  for (const sample of samples) $('sample').add(new Option(sample.about, sample.name));
  $('sample-play').addEventListener('click', () => {
    onSample(samples.find(({ name }) => name === $('sample').value));
  });
  $('samples').hidden = false;
}
