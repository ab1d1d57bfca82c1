// A calm line: the share of right words, recitation after recitation.

const WIDTH = 320;
const HEIGHT = 96;
const EDGE = 8;
const LEFT = 34; // room for the scale
const SVG = 'http://www.w3.org/2000/svg';

/**
 * @param {number[]} shares 0 to 1, oldest first
 * @param {string} label what it says, in words
 * @param {(share: number) => string} percent
 */
export function chart(shares, label, percent) {
  const svg = make('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label, class: 'chart' });
  for (const share of [0, 0.5, 1]) {
    svg.append(make('line', { x1: LEFT, x2: WIDTH - EDGE, y1: y(share), y2: y(share), class: 'grid' }));
    const scale = make('text', { x: LEFT - 6, y: y(share) + 3, 'text-anchor': 'end', direction: 'ltr', class: 'scale' });
    scale.textContent = percent(share);
    svg.append(scale);
  }
  const points = shares.map((share, index) => [x(index, shares.length), y(share)]);
  svg.append(make('polyline', { points: points.map((point) => point.join(',')).join(' '), class: 'line' }));
  for (const [cx, cy] of points) svg.append(make('circle', { cx, cy, r: 3.2, class: 'dot' }));
  return svg;
}

const x = (index, count) => (count < 2 ? WIDTH / 2 : LEFT + (index / (count - 1)) * (WIDTH - LEFT - EDGE));
const y = (share) => HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE);

function make(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
