// How far the ink of a word goes below its baseline: a mark stands close under it, and touches no letter.

const MEASURED_AT_PX = 100;
/** @type {CanvasRenderingContext2D | null} */
let pen = null;
/** @type {Map<string, number>} */
const measured = new Map();

/** @param {string} letters of one word @returns {number} in em; the font of the text must be loaded */
export function inkBelow(letters) {
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
