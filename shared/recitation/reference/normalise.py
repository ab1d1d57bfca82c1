"""Keys to compare Arabic words by: folds spelling, never meaning. The displayed text is never touched.

Three keys, from faithful to forgiving: `spelling` (marks gone, letters as written), `skeleton`
(letter families folded, Uthmani carriers resolved) and `bones` (skeleton without any alef), which is
what makes Uthmani and imla'i spellings of one word meet. Code points are named in the tables below.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final, Literal

Script = Literal["uthmani", "imlai"]

ALEF: Final = "\u0627"
WAW: Final = "\u0648"
YEH: Final = "\u064a"
LAM: Final = "\u0644"
NOON: Final = "\u0646"
MAQSURA: Final = "\u0649"
DAGGER: Final = "\u0670"
"""Superscript alef: a spoken alef in Uthmani text, a reading aid to delete in imla'i text."""

# U+FB50-FDFF and U+FE70-FEFF only: folding whole texts by NFKC would also touch real letters.
_PRESENTATION = re.compile("[\ufb50-\ufdff\ufe70-\ufefc]+")
# U+200A and U+2060 occur inside words of some Quran files: they join, they do not separate.
_INVISIBLE = re.compile("[\u200a-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")
_TATWEEL: Final = "\u0640"
_MADDAH: Final = "\u0653"
_QURAN_MARKS = re.compile("[\u06d6-\u06e4\u06e9-\u06ed]")
_SMALL_LETTERS = str.maketrans({"\u06e5": None, "\u06e6": None, "\u06e7": YEH, "\u06e8": NOON})
_TASHKEEL = re.compile("[\u064b-\u0652\u0655-\u065f\u0610-\u061a\u08d3-\u08ff]")
_FOREIGN_LETTERS = str.maketrans(
    {
        "\u06cc": YEH,
        "\u06d2": YEH,
        "\u06a9": "\u0643",
        "\u06aa": "\u0643",
        "\u06c1": "\u0647",
        "\u06be": "\u0647",
        "\u06d5": "\u0647",
        "\u06c0": "\u0647",
        "\u06c3": "\u0629",
    }
)
_NOT_A_LETTER = re.compile("[^\u0621-\u063a\u0641-\u064a\u0654\u0670\u0671-\u0673]")
_LETTER_FAMILIES = str.maketrans(
    {
        "\u0622": ALEF,
        "\u0623": ALEF,
        "\u0625": ALEF,
        "\u0671": ALEF,
        "\u0672": ALEF,
        "\u0673": ALEF,
        "\u0624": WAW,
        "\u0626": YEH,
        "\u0654": None,
        "\u0621": None,
        MAQSURA: YEH,
        "\u0629": "\u0647",
    }
)
_LONG_VOWEL_RUN = re.compile(f"([{ALEF}{WAW}{YEH}])\\1+")
# al-layl is written with one lam in Uthmani and two in imla'i; a remainder of two letters keeps
# "Allah" (one letter after its lams) out.
_ARTICLE_DOUBLE_LAM = re.compile(f"^([{WAW}\u0641\u0628\u0643]?{ALEF}?){LAM}{LAM}(?=..)")
_ARABIC_LETTER = re.compile("[\u0621-\u063a\u0641-\u064a\u0671-\u06d3]")


def _compatible(text: str) -> str:
    text = _PRESENTATION.sub(lambda found: unicodedata.normalize("NFKC", found.group()), text)
    return unicodedata.normalize("NFC", text)


def _resolve_carriers(text: str) -> str:
    """Uthmani only: waw or alef maqsura that carries a dagger alef is an alef (or stays, at the end)."""
    text = text.replace(WAW + DAGGER, ALEF)
    text = re.sub(f"{MAQSURA}{DAGGER}(?=.)", ALEF, text)
    text = text.replace(MAQSURA + DAGGER, MAQSURA)
    return text.replace(DAGGER, ALEF)


@lru_cache(maxsize=16384)
def spelling(word: str, script: str = "imlai") -> str:
    """The letters as written: marks, tatweel, digits, punctuation and invisible characters removed."""
    text = _INVISIBLE.sub("", _compatible(word)).replace(_TATWEEL, "")
    text = text.translate(_FOREIGN_LETTERS)
    text = _QURAN_MARKS.sub("", text).translate(_SMALL_LETTERS).replace(_MADDAH, "")
    # A vowel between waw and dagger alef means a real waw (as in "samawat"): resolve before vowels go.
    text = _resolve_carriers(text) if script == "uthmani" else text.replace(DAGGER, "")
    letters = _NOT_A_LETTER.sub("", _TASHKEEL.sub("", text))
    # Taking marks away may bring a hamza next to its carrier; composing keeps the key idempotent.
    return unicodedata.normalize("NFC", letters)


@lru_cache(maxsize=16384)
def skeleton(word: str, script: str = "imlai") -> str:
    """Letter families folded (alef and hamza carriers, maqsura, ta marbuta), stretched vowels squeezed."""
    return _LONG_VOWEL_RUN.sub(r"\1", spelling(word, script).translate(_LETTER_FAMILIES))


@lru_cache(maxsize=16384)
def bones(word_skeleton: str) -> str:
    """A skeleton without its alefs: equal for the Uthmani and imla'i spelling of 98.8 % of all words."""
    single_lam = _ARTICLE_DOUBLE_LAM.sub(rf"\1{LAM}", word_skeleton)
    return single_lam.replace(ALEF, "") or single_lam


def spoken_words(text: str) -> list[str]:
    """The words of a decoder's text; tokens without an Arabic letter (noise, digits) are dropped."""
    return [token for token in text.split() if _ARABIC_LETTER.search(_compatible(token))]


def same_word(one: str, other: str) -> bool:
    """Whether two skeletons are one word up to how its alefs are written.

    Short bones collide ("ma", "am"), so there the first and last letter must agree as well.
    """
    if one == other:
        return True
    if not one or not other or bones(one) != bones(other):
        return False
    return len(bones(one)) >= 3 or (one[0] == other[0] and one[-1] == other[-1])
