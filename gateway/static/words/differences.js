// Where what was heard differs from what was expected: by consonants with their vowels.

const MOST = 2; // more of them say only that it was something else

/**
 * @typedef {{arabic: string, latin: string}} Unit
 * @typedef {{expected: Unit[], heard: Unit[]}} Change  one of the two may be empty: left out, or heard in addition
 * @param {Unit[]} expected @param {Unit[]} heard
 * @returns {{changes: Change[], expected: Set<Unit>, heard: Set<Unit>} | null} the sets: units that differ; null where too little is alike to compare
 */
export function differences(expected, heard) {
  const alike = commonUnits(expected, heard);
  if (2 * alike.length < Math.max(expected.length, heard.length)) return null;
  const changes = [];
  let [left, right] = [0, 0];
  for (const [one, other] of [...alike, [expected.length, heard.length]]) {
    if (one > left || other > right) changes.push({ expected: expected.slice(left, one), heard: heard.slice(right, other) });
    [left, right] = [one + 1, other + 1];
  }
  if (!changes.length || changes.length > MOST) return null;
  return {
    changes,
    expected: new Set(changes.flatMap((change) => change.expected)),
    heard: new Set(changes.flatMap((change) => change.heard)),
  };
}

/** Places of the longest common sequence. @param {Unit[]} one @param {Unit[]} other @returns {[number, number][]} */
function commonUnits(one, other) {
  const most = Array.from({ length: one.length + 1 }, () => new Array(other.length + 1).fill(0));
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = other.length - 1; j >= 0; j -= 1) {
      most[i][j] = same(one[i], other[j]) ? 1 + most[i + 1][j + 1] : Math.max(most[i + 1][j], most[i][j + 1]);
    }
  }
  const places = [];
  let [i, j] = [0, 0];
  while (i < one.length && j < other.length) {
    if (same(one[i], other[j])) places.push([i++, j++]);
    else if (most[i + 1][j] >= most[i][j + 1]) i += 1;
    else j += 1;
  }
  return places;
}

const same = (one, other) => one.latin === other.latin;
