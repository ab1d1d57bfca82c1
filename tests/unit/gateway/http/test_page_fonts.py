"""The page's fonts carry every word that is shown in them, with its marks."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
import uharfbuzz
from fontTools.pens.recordingPen import RecordingPen
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


def shaped(name: str, word: str, features: dict[str, bool] | None = None) -> list[tuple[str, int, int, int]]:
    """Each glyph of a word from right to left: its name, where it stands across and up, how far it goes."""
    opened, shaper = font(name)
    text = uharfbuzz.Buffer()
    text.add_str(word)
    text.guess_segment_properties()
    uharfbuzz.shape(shaper, text, features or {})
    order = opened.getGlyphOrder()
    placed = [
        (order[glyph.codepoint], at.x_offset, at.y_offset, at.x_advance)
        for glyph, at in zip(text.glyph_infos, text.glyph_positions, strict=True)
    ]
    return placed[::-1]


def unknown(name: str, words: Iterable[str]) -> list[str]:
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


@cache
def every_word() -> frozenset[str]:
    """The different words of the text."""
    return frozenset(
        word
        for surah, count in enumerate(verse_counts(), start=1)
        for ayah in range(1, count + 1)
        for word in printed_words(VerseRef(surah, ayah))
    )


def test_the_font_of_the_text_has_every_word_and_verse_end() -> None:
    words = every_word()
    digits = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    ends = {f"\u00a0\u06dd{str(ayah).translate(digits)}" for ayah in range(1, max(verse_counts()) + 1)}
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


def outline(name: str) -> list[tuple[str, list[tuple[float, float]]]]:
    """A glyph of the font of the text, its lowest and leftmost point at nought, as wide as one."""
    opened, _ = font("AmiriQuran.woff2")
    pen = RecordingPen()
    opened.getGlyphSet()[name].draw(pen)
    points = [point for _, group in pen.value for point in group]
    left, low = (min(point[axis] for point in points) for axis in (0, 1))
    width = max(point[0] for point in points) - left
    return [
        (step, [(round((x - left) / width, 1), round((y - low) / width, 1)) for x, y in group])
        for step, group in pen.value
    ]


def test_a_sukun_is_an_open_head_and_no_rounded_zero() -> None:
    """In the source the zero of letters that are not said is another sign: the two must be told apart."""
    named = font("AmiriQuran.woff2")[0].getBestCmap()
    assert outline(named[0x0652]) == outline(named[0x06E1])
    assert outline(named[0x0652]) != outline(named[0x06DF])
    marks = [glyph for glyph, _, _, advance in shaped("AmiriQuran.woff2", "يَأْ") if not advance]
    smaller = marks[-1]  # above the hamza
    assert smaller not in named.values()
    assert outline(smaller) == outline(named[0x06E1])


SUCCESSIVE = {"\u064b": "\u08f0", "\u064c": "\u08f1", "\u064d": "\u08f2"}
WITH_MEEM = {"\u064b": "\u064e\u06e2", "\u064c": "\u064f\u06e2", "\u064d": "\u0650\u06ed"}


@pytest.mark.parametrize(("feature", "signs"), [("ss11", SUCCESSIVE), ("ss12", WITH_MEEM)])
def test_a_tanwin_is_drawn_like_the_signs_that_unicode_has_for_its_shapes(
    feature: str, signs: dict[str, str]
) -> None:
    words = [word for word in every_word() if signs.keys() & set(word)]
    assert len(words) > 3000
    other = [
        word
        for word in words
        if sorted(shaped("AmiriQuran.woff2", word, {feature: True}))
        != sorted(
            shaped("AmiriQuran.woff2", re.sub("[\u064b-\u064d]", lambda sign: signs[sign.group()], word))
        )
    ]
    assert other == []
    assert not [word for word in words if shaped("AmiriQuran.woff2", word, {feature: True}) == plain(word)]


def plain(word: str) -> list[tuple[str, int, int, int]]:
    return shaped("AmiriQuran.woff2", word)


@pytest.mark.parametrize("word", ["عِندَهُۥٓ", "تَأْوِيلَهُۥٓ"])
def test_a_small_waw_stands_on_the_line_and_its_madda_above_it(word: str) -> None:
    opened, _ = font("AmiriQuran.woff2")
    named, glyphs = opened.getBestCmap(), opened["glyf"]
    waw, madda = named[0x06E5], named[0x0653]
    up = {glyph: y for glyph, _, y, _ in shaped("AmiriQuran.woff2", word)}
    assert up[waw] == 0
    assert glyphs[madda].yMin + up[madda] > glyphs[waw].yMax


def test_the_font_of_names_has_every_name() -> None:
    script = (STATIC / "passage" / "suras.js").read_text(encoding="utf-8")
    quoted = re.findall(r"'([^']*)'", script.partition("ARABIC_NAMES =")[2].partition(";")[0])
    names = set("".join(quoted).split("|"))
    assert len(names) == 114
    assert unknown("Amiri-Bold.woff2", names | {"سورة", "رتّل"}) == []


@pytest.mark.parametrize("name", ["ReadexPro.woff2", "ReadexPro-SemiBold.woff2"])
def test_the_plain_font_has_every_sentence_and_every_sound(name: str) -> None:
    sentences = (STATIC / "language" / "strings.js").read_text(encoding="utf-8").partition("STRINGS")[2]
    sounds = (STATIC / "words" / "sounds.js").read_text(encoding="utf-8")
    names = (STATIC / "passage" / "suras.js").read_text(encoding="utf-8")
    letters = set(sentences + names + "".join(re.findall(r"'([^']+)'\]", sounds))) - {"\n"}
    known = set(map(chr, font(name)[0].getBestCmap()))
    assert {"ṣ", "ū", "ذ"} <= letters
    assert letters - known == set()


@pytest.mark.parametrize("name", ["AmiriQuran", "Amiri", "ReadexPro"])
def test_fonts_carry_their_licence(name: str) -> None:
    licence = (STATIC / "fonts" / f"OFL-{name}.txt").read_text(encoding="utf-8")
    assert "SIL Open Font License, Version 1.1" in licence


def test_a_stop_mark_touches_no_letter_and_no_vowel_of_its_word() -> None:
    """The style sheet lowers it, and moves it into the space between words."""
    style = (STATIC / "styles" / "mushaf.css").read_text(encoding="utf-8")
    rule = style.partition(".stop-mark { position: relative;")[2].partition("}")[0]
    down, beside, padding = (round(1000 * float(share)) for share in re.findall(r"(\.\d+)em", rule))
    left = beside + padding
    words = {word for word in every_word() if re.search(" [\u06d6-\u06dc]$", word)}
    assert len(words) > 1000
    assert [word for word in sorted(words) if touched(word, down, left)] == []


def touched(word: str, down: int, left: int) -> bool:
    """Whether the ink of the stop mark, moved so far, meets that of the word; in thousandths of an em."""
    opened, _ = font("AmiriQuran.woff2")
    glyphs = opened["glyf"]
    pen, boxes = 0, []
    for name, x, y, advance in reversed(shaped("AmiriQuran.woff2", word)):
        glyph = glyphs[name]
        if glyph.numberOfContours:
            boxes.append(
                (pen + x + glyph.xMin, y + glyph.yMin, pen + x + glyph.xMax, y + glyph.yMax),
            )
        pen += advance
    (x0, y0, x1, y1), *others = boxes
    mark = (x0 - left, y0 - down, x1 - left, y1 - down)
    return any(
        mark[0] < box[2] and box[0] < mark[2] and mark[1] < box[3] and box[1] < mark[3] for box in others
    )
