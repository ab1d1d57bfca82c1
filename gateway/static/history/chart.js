// A calm line: the share of right words, recitation after recitation.

const WIDTH = 320;
const HEIGHT = 132;
const EDGE = 10;
const BELOW = 24; // room for the days
const LEFT = 58; // room for the scale
/** The scale begins at the highest of these shares that lies below all points; beside it the one half way to all. */
const SCALES = [[[9, 10], [19, 20]], [[3, 4], [7, 8]], [[1, 2], [3, 4]], [[0, 1], [1, 2]]];
const SVG = 'http://www.w3.org/2000/svg';

/**
 * @typedef {{share: number, at: number}} Point  share: 0 to 1; at: milliseconds since 1970
 * @param {Point[]} points oldest first
 * @param {string} label what it says, in words
 * @param {{share: (part: number, whole: number) => string, day: (at: number) => string, rightToLeft: boolean}} written
 *   rightToLeft: time runs as the language is read
 */
export function chart(points, label, { share: written, day, rightToLeft }) {
  const svg = make('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label, class: 'chart' });
  const lowest = Math.min(...points.map(({ share }) => share));
  const scale = SCALES.find(([[part, whole]]) => part / whole < lowest) ?? SCALES.at(-1);
  const floor = scale[0][0] / scale[0][1];
  const across = (position) => (rightToLeft ? WIDTH - position : position);
  const y = (share) => HEIGHT - BELOW - ((share - floor) / (1 - floor)) * (HEIGHT - BELOW - EDGE);
  const x = (index) => across(points.length < 2 ? WIDTH / 2 : LEFT + (index / (points.length - 1)) * (WIDTH - LEFT - EDGE));
  const write = (text, at, attributes) => {
    const said = make('text', { ...at, class: 'scale', ...attributes });
    said.textContent = text;
    svg.append(said);
  };
  for (const [part, whole] of [...scale, [1, 1]]) {
    const share = part / whole;
    svg.append(make('line', { x1: across(LEFT), x2: across(WIDTH - EDGE), y1: y(share), y2: y(share), class: 'grid' }));
    write(written(part, whole), { x: across(LEFT - 8), y: y(share) + 4 }, { direction: 'ltr', 'text-anchor': rightToLeft ? 'start' : 'end' });
  }
  const places = points.map(({ share }, index) => [x(index), y(share)]);
  const drawn = places.map((place) => place.join(',')).join(' ');
  svg.append(make('polygon', { points: `${places[0][0]},${y(floor)} ${drawn} ${places.at(-1)[0]},${y(floor)}`, class: 'area' }));
  svg.append(make('polyline', { points: drawn, class: 'line' }));
  places.forEach(([cx, cy], index) => svg.append(make('circle', { cx, cy, r: 3.4, class: index === points.length - 1 ? 'dot last' : 'dot' })));
  const [first, last] = rightToLeft ? ['end', 'start'] : ['start', 'end'];
  if (points.length > 1) {
    write(day(points[0].at), { x: x(0), y: HEIGHT - 5 }, { direction: 'ltr', 'text-anchor': first });
    write(day(points.at(-1).at), { x: x(points.length - 1), y: HEIGHT - 5 }, { direction: 'ltr', 'text-anchor': last });
  }
  return svg;
}

function make(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
