"""The languages that multilingual Whisper models know: their codes and their English names."""

from __future__ import annotations

from collections.abc import Mapping

_TABLE = """
af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, be belarusian, bg bulgarian,
bn bengali, bo tibetan, br breton, bs bosnian, ca catalan, cs czech, cy welsh, da danish, de german, el greek,
en english, es spanish, et estonian, eu basque, fa persian, fi finnish, fo faroese, fr french, gl galician,
gu gujarati, ha hausa, haw hawaiian, he hebrew, hi hindi, hr croatian, ht haitian creole, hu hungarian,
hy armenian, id indonesian, is icelandic, it italian, ja japanese, jw javanese, ka georgian, kk kazakh,
km khmer, kn kannada, ko korean, la latin, lb luxembourgish, ln lingala, lo lao, lt lithuanian, lv latvian,
mg malagasy, mi maori, mk macedonian, ml malayalam, mn mongolian, mr marathi, ms malay, mt maltese,
my myanmar, ne nepali, nl dutch, nn nynorsk, no norwegian, oc occitan, pa punjabi, pl polish, ps pashto,
pt portuguese, ro romanian, ru russian, sa sanskrit, sd sindhi, si sinhala, sk slovak, sl slovenian,
sn shona, so somali, sq albanian, sr serbian, su sundanese, sv swedish, sw swahili, ta tamil, te telugu,
tg tajik, th thai, tk turkmen, tl tagalog, tr turkish, tt tatar, uk ukrainian, ur urdu, uz uzbek,
vi vietnamese, yi yiddish, yo yoruba, yue cantonese, zh chinese
"""

_ENTRIES = (entry.split(maxsplit=1) for entry in _TABLE.split(","))
NAMES: Mapping[str, str] = {code: name.strip() for code, name in _ENTRIES}
"""Code to name: ISO 639-1 where there is one; `jw` is what these models call Javanese."""
_CODES = {name: code for code, name in NAMES.items()} | {"jv": "jw", "fil": "tl"}


def language_code(given: str) -> str | None:
    """The code for a code, a code with a region (`en-US`) or an English name; None if it is not known."""
    plain = given.strip().lower().replace("_", "-")
    first = plain.partition("-")[0]
    for candidate in (plain, first):
        if candidate in NAMES:
            return candidate
        if candidate in _CODES:
            return _CODES[candidate]
    return None
