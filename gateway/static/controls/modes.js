// How to recite: one button in the bar says it, a sheet lets choose.

import { onLanguage, say } from '../language/language.js';
import { $ } from './dom.js';
import { preferences } from './preferences.js';
import { closeSheet, openSheet } from './sheets.js';

/** @typedef {'read' | 'memorise' | 'listen'} Mode */

const choices = () => document.querySelectorAll('#modes [data-mode]');

/** @param {(mode: Mode) => void} onChoose */
export function prepareModes(onChoose) {
  $('mode-open').addEventListener('click', () => openSheet('modes'));
  for (const choice of choices()) {
    choice.addEventListener('click', () => {
      closeSheet('modes');
      onChoose(choice.dataset.mode);
    });
  }
  onLanguage(showMode);
}

/** The mode that is chosen now, in the bar and in the sheet. */
export function showMode() {
  const { mode } = preferences();
  say($('mode-name'), `mode.${mode}`);
  for (const choice of choices()) choice.setAttribute('aria-pressed', String(choice.dataset.mode === mode));
}

/** Nothing is to be chosen while somebody recites. @param {boolean} locked */
export function lockModes(locked) {
  $('mode-open').hidden = locked;
}

export function offerListening() {
  document.querySelector('#modes [data-mode="listen"]').hidden = false;
}
