// How far the ink of a word goes below the baseline: its sign stands just below it.

import { signsOf } from '../passage/tanwin.js';

const MEASURED_AT_PX = 100;
/** @type {CanvasRenderingContext2D | null} */
let pen = null;
/** @type {Map<string, number>} */
const measured = new Map();

/** @param {HTMLElement} word @returns {number} in em; the font of the text must be loaded */
export function inkBelow(word) {
  const letters = signsOf(word.firstChild.data, word.dataset.tanwin);
  const known = measured.get(letters);
  if (known !== undefined) return known;
  if (!pen) {
    pen = document.createElement('canvas').getContext('2d');
    pen.font = `${MEASURED_AT_PX}px "Rattil Quran"`;
  }
  const below = Math.max(0, pen.measureText(letters).actualBoundingBoxDescent / MEASURED_AT_PX);
  measured.set(letters, below);
  return below;
}
