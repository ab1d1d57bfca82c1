// On a phone a line has three or four words. Where lines end is chosen for the whole text, so that all of them are nearly full; what is
// left in a line is shared by its spaces. On wider screens the browser sets lines.

const NARROW = '(max-width: 34rem)';
const MOST_STRETCHED = 3; // spaces; a line that would need more keeps its sides free
const ALONE = 40; // what a line of one word costs

/** @param {HTMLElement} verses what `Mushaf` draws: words, ends of verses beside their last word, and spaces in elements of their own */
export function setLines(verses) {
  const spaces = [...verses.querySelectorAll('.gap')];
  for (const space of spaces) {
    space.style.removeProperty('word-spacing');
    space.removeAttribute('data-end');
  }
  if (!matchMedia(NARROW).matches) return;
  const units = [...verses.querySelectorAll('.verse:not(.alone) > .word, .verse:not(.alone) > .tail')];
  const between = spaces.slice(spaces.length - units.length + 1); // an opening verse stands on a line of its own, before these
  if (!between.length) return;
  const widths = units.map((unit) => unit.getBoundingClientRect().width);
  const natural = Math.max(...between.slice(0, 12).map((space) => space.getBoundingClientRect().width)); // at the end of a line it has none
  // A pixel less: a part of one must not break a line that is full.
  const own = parseFloat(getComputedStyle(verses).wordSpacing) || 0;
  let first = 0;
  for (const { end, stretched } of lineEnds(widths, natural, verses.clientWidth - 1)) {
    for (const space of between.slice(first, end)) space.style.wordSpacing = `${own + (stretched - 1) * natural}px`;
    between[end]?.setAttribute('data-end', '');
    first = end + 1;
  }
}

/**
 * The lines of a text whose ragged sides are least in sum. Pure.
 * @param {number[]} widths of words @param {number} space as wide as it is by itself @param {number} room of a line
 * @returns {{end: number, stretched: number}[]} for each line its last word, and how many times as wide its spaces are
 */
export function lineEnds(widths, space, room) {
  const best = [{ cost: 0, from: -1, stretched: 1 }]; // of the first so many words
  for (let count = 1; count <= widths.length; count += 1) {
    best.push({ cost: Infinity, from: count - 1, stretched: 1 });
    let width = -space;
    for (let from = count - 1; from >= 0; from -= 1) {
      width += widths[from] + space;
      if (width > room && from < count - 1) break;
      const line = lineCost({ width, spaces: count - from - 1, last: count === widths.length }, space, room);
      const cost = best[from].cost + line.cost;
      if (cost < best[count].cost) best[count] = { cost, from, stretched: line.stretched };
    }
  }
  const lines = [];
  for (let count = widths.length; count > 0; count = best[count].from) lines.unshift({ end: count - 1, stretched: best[count].stretched });
  return lines;
}

function lineCost({ width, spaces, last }, space, room) {
  if (!spaces) return { cost: ALONE, stretched: 1 };
  if (last) return { cost: 0, stretched: 1 };
  const wanted = 1 + (room - width) / (spaces * space);
  return { cost: (wanted - 1) ** 2, stretched: Math.min(wanted, MOST_STRETCHED) };
}
