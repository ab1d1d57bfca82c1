// Sounds (IPA, as the service writes them) in plain letters: Arabic with vowel signs, or Latin.

const SHADDA = '\u0651';
const SUKUN = '\u0652';
const ALEF = '\u0627';
const VOWELS = {
  a: ['\u064e', 'a'],
  i: ['\u0650', 'i'],
  u: ['\u064f', 'u'],
  'a:': [`\u064e${ALEF}`, 'ā'],
  'aˤ:': [`\u064e${ALEF}`, 'ā'],
  'i:': ['\u0650\u064a', 'ī'],
  'u:': ['\u064f\u0648', 'ū'],
};
const CONSONANTS = {
  'ʔ': ['ء', '’'], b: ['ب', 'b'], t: ['ت', 't'], 'θ': ['ث', 'th'], 'ʒ': ['ج', 'j'], 'ħ': ['ح', 'ḥ'], x: ['خ', 'kh'],
  d: ['د', 'd'], 'ð': ['ذ', 'dh'], r: ['ر', 'r'], 'rˤ': ['ر', 'r'], z: ['ز', 'z'], s: ['س', 's'], 'ʃ': ['ش', 'sh'],
  'sˤ': ['ص', 'ṣ'], 'dˤ': ['ض', 'ḍ'], 'tˤ': ['ط', 'ṭ'], 'ðˤ': ['ظ', 'ẓ'], 'ʕ': ['ع', '‘'], 'ɣ': ['غ', 'gh'],
  f: ['ف', 'f'], q: ['ق', 'q'], k: ['ك', 'k'], l: ['ل', 'l'], 'lˤ': ['ل', 'l'], m: ['م', 'm'], 'm̃': ['م', 'm'],
  n: ['ن', 'n'], 'ñ': ['ن', 'n'], 'ŋ': ['ن', 'n'], h: ['ه', 'h'], w: ['و', 'w'], 'w̃': ['و', 'w'], j: ['ي', 'y'],
  'j̃': ['ي', 'y'],
};
const ECHO = 'Q'; // the echo of a stopped consonant (qalqala): how it is said, not what
const ARABIC_LETTER = /[\u0621-\u064a]/;

/** A consonant, and whether it is doubled. */
function consonant(sound) {
  if (CONSONANTS[sound]) return [CONSONANTS[sound], false];
  const half = sound.slice(0, sound.length / 2);
  return half + half === sound && CONSONANTS[half] ? [CONSONANTS[half], true] : [null, false];
}

/**
 * Consonants with the vowel after each; a vowel that begins a word has an alef.
 * @param {string | string[] | null} sounds
 * @returns {import('./differences.js').Unit[]} empty where nothing is known
 */
export function plainUnits(sounds) {
  if (!sounds || !sounds.length) return [];
  // A model without a phoneme head hears words: they are letters already.
  if (typeof sounds === 'string' && ARABIC_LETTER.test(sounds)) return [{ arabic: sounds, latin: '' }];
  const list = typeof sounds === 'string' ? sounds.split(/\s+/) : sounds;
  const units = [];
  let open = false; // the last consonant has no vowel yet
  for (const sound of list) {
    const last = units.at(-1);
    const vowel = VOWELS[sound];
    const [letter, doubled] = consonant(sound);
    if (vowel && open) {
      last.arabic += vowel[0];
      last.latin += vowel[1];
    } else if (vowel) units.push({ arabic: ALEF + vowel[0], latin: vowel[1] });
    else if (letter) {
      if (open) last.arabic += SUKUN;
      units.push({ arabic: letter[0] + (doubled ? SHADDA : ''), latin: doubled ? letter[1] + letter[1] : letter[1] });
    } else {
      if (sound !== ECHO) units.push({ arabic: '', latin: '…' });
      continue;
    }
    open = !vowel;
  }
  return units;
}

/** @param {import('./differences.js').Unit[]} units */
export const written = (units) => ({
  arabic: units.map(({ arabic }) => arabic).join(''), latin: units.map(({ latin }) => latin).join(''),
});
