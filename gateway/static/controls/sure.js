// A button for what cannot be undone: the first touch asks, the second one does it.

import { text } from '../language/language.js';

/**
 * @param {HTMLElement} button
 * @param {string} key its sentence; `key.sure` is what it asks
 * @param {() => void} act
 */
export function onSecondTouch(button, key, act) {
  const unsure = () => {
    if (!('sure' in button.dataset)) return;
    delete button.dataset.sure;
    button.textContent = text(key);
  };
  button.addEventListener('click', () => {
    if ('sure' in button.dataset) {
      unsure();
      act();
      return;
    }
    button.dataset.sure = '';
    button.textContent = text(`${key}.sure`);
  });
  button.addEventListener('blur', unsure);
  document.addEventListener('pointerdown', (event) => !button.contains(event.target) && unsure());
}
