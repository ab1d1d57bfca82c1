// How the Madina print draws a tanwin: by the letter that is recited after it. The source has one sign for all three.

const TANWIN = /[\u064b-\u064d]/;
const LETTER = /[\u0621-\u063a\u0641-\u064a\u0671]/;
const OF_THE_THROAT = 'ءاأإآؤئهعحغخ'; // the sound of the n stays clear before these

/** @typedef {'' | 'successive' | 'meem'} Shape  '': one above the other, or no tanwin at all */

/** @param {string} word @param {string} [following] the word after it, of the next verse too @returns {Shape} */
export function tanwinShape(word, following = '') {
  if (!TANWIN.test(word)) return '';
  const [letter = ''] = LETTER.exec(following) ?? [];
  if (letter === 'ب') return 'meem';
  return !letter || letter === 'ٱ' || OF_THE_THROAT.includes(letter) ? '' : 'successive';
}

/** The same word with the signs that a shape draws, to measure it by; never shown. @param {string} word @param {Shape} shape */
export function signsOf(word, shape) {
  return word.replace(TANWIN, (sign) => (shape ? SIGNS[shape][sign.charCodeAt(0) - 0x064b] : sign));
}

const SIGNS = { successive: ['\u08f0', '\u08f1', '\u08f2'], meem: ['\u064e\u06e2', '\u064f\u06e2', '\u0650\u06ed'] };
