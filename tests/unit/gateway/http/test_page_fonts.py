"""The page's fonts carry every word that is shown in them, with its marks."""

from __future__ import annotations

import io
import re
from functools import cache
from pathlib import Path

import pytest
import uharfbuzz
from fontTools.ttLib import TTFont

from shared.recitation.reference.passage import VerseRef, printed_words, verse_counts

STATIC = Path(__file__).parents[4] / "gateway" / "static"
STACKED = {"ccmp", "mark", "mkmk"}
"""The features that put marks on letters and on one another."""


@cache
def font(name: str) -> tuple[TTFont, uharfbuzz.Font]:
    opened = TTFont(STATIC / "fonts" / name)
    opened.flavor = None
    plain = io.BytesIO()
    opened.save(plain)
    return opened, uharfbuzz.Font(uharfbuzz.Face(plain.getvalue()))


def unknown(name: str, words: set[str]) -> list[str]:
    """Words that the font has no glyph for, or a part of."""
    _, shaper = font(name)
    found = []
    for word in sorted(words):
        text = uharfbuzz.Buffer()
        text.add_str(word)
        text.guess_segment_properties()
        uharfbuzz.shape(shaper, text)
        if any(glyph.codepoint == 0 for glyph in text.glyph_infos):
            found.append(word)
    return found


def test_the_font_of_the_text_has_every_word_and_verse_end() -> None:
    counts = verse_counts()
    words = {
        word
        for surah, count in enumerate(counts, start=1)
        for ayah in range(1, count + 1)
        for word in printed_words(VerseRef(surah, ayah))
    }
    digits = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    ends = {f"\u00a0\u06dd{str(ayah).translate(digits)}" for ayah in range(1, max(counts) + 1)}
    assert len(words) > 20_000
    assert unknown("AmiriQuran.woff2", words | ends) == []


def test_marks_are_put_on_letters_and_on_one_another() -> None:
    opened, _ = font("AmiriQuran.woff2")
    features = {
        record.FeatureTag
        for table in ("GSUB", "GPOS")
        for record in opened[table].table.FeatureList.FeatureRecord
    }
    assert features >= STACKED


def test_the_font_of_names_has_every_name() -> None:
    script = (STATIC / "passage" / "suras.js").read_text(encoding="utf-8")
    quoted = re.findall(r"'([^']*)'", script.partition("ARABIC_NAMES =")[2].partition(";")[0])
    names = set("".join(quoted).split("|"))
    assert len(names) == 114
    assert unknown("Amiri-Bold.woff2", names | {"سورة", "رتّل"}) == []


@pytest.mark.parametrize("name", ["AmiriQuran", "Amiri"])
def test_fonts_carry_their_licence(name: str) -> None:
    licence = (STATIC / "fonts" / f"OFL-{name}.txt").read_text(encoding="utf-8")
    assert "SIL Open Font License, Version 1.1" in licence
