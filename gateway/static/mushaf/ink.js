// How far ink goes below the baseline: the signs of a line stand clear of all that is printed in it.

import { signsOf } from '../passage/tanwin.js';

const MEASURED_AT_PX = 100;
const SAME_LINE_PX = 4; // boxes of one line begin at the same height, but for rounding
/** @type {CanvasRenderingContext2D | null} */
let pen = null;
/** @type {Map<string, number>} */
const measured = new Map();

/** @param {HTMLElement} word @returns {number} in em; the font of the text must be loaded */
function inkBelow(word) {
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

/** The deepest ink in the line of a word. @param {HTMLElement[]} words @param {number} index @returns {number} in em */
export function inkOfLine(words, index) {
  const top = words[index].offsetTop;
  const inLine = (at) => words[at] && Math.abs(words[at].offsetTop - top) < SAME_LINE_PX;
  let [first, last] = [index, index];
  while (inLine(first - 1)) first -= 1;
  while (inLine(last + 1)) last += 1;
  return Math.max(...words.slice(first, last + 1).map(inkBelow));
}
