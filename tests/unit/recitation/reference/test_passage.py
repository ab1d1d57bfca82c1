"""Verses by number: what exists, what is refused and how, and what a word carries."""

from __future__ import annotations

from collections import Counter

import pytest
from quranic_phonemizer.model.address import VerseRef as CorpusVerse
from quranic_phonemizer.riwayat import hafs

from shared.errors import BadRequest, UnknownVerse
from shared.recitation.alignment.phoneme_costs import INVENTORY, UNKNOWN
from shared.recitation.reference.normalise import skeleton
from shared.recitation.reference.passage import (
    VerseRange,
    VerseRef,
    load_passage,
    printed_words,
    verse_counts,
    verses_in,
    words_in,
)
from tests.unit.recitation.reciter import passage


def test_the_quran_has_114_suras_and_6236_verses() -> None:
    assert len(verse_counts()) == 114
    assert sum(verse_counts()) == 6236
    assert (verses_in(1), verses_in(2), verses_in(114)) == (7, 286, 6)


@pytest.mark.parametrize(
    ("text", "first", "last", "shown"),
    [
        ("1:5", (1, 5), (1, 5), "1:5"),
        ("1:1-7", (1, 1), (1, 7), "1:1-7"),
        ("112:1-114:6", (112, 1), (114, 6), "112:1-114:6"),
        ("112", (112, 1), (112, 4), "112:1-4"),
        (" 2:255 ", (2, 255), (2, 255), "2:255"),
    ],
)
def test_ranges_are_read_and_written(
    text: str, first: tuple[int, int], last: tuple[int, int], shown: str
) -> None:
    verses = VerseRange.parse(text)
    assert (verses.first, verses.last, str(verses)) == (first, last, shown)
    assert VerseRange.parse(str(verses)) == verses


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("115:1", "numbered 1 to 114"),
        ("0", "numbered 1 to 114"),
        ("1:8", "verses 1 to 7"),
        ("1:0", "verses 1 to 7"),
        ("112:1-5", "verses 1 to 4"),
        ("999", "numbered 1 to 114"),
    ],
)
def test_unknown_verses_are_named_with_the_limits(text: str, says: str) -> None:
    with pytest.raises(UnknownVerse, match=says):
        VerseRange.parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "write 1:5"),
        ("one", "write 1:5"),
        ("1:x", "write 1:5"),
        ("1:1-7-9", "write 1:5"),
        ("-1:1", "write 1:5"),
        ("1:" + "9" * 500, "write 1:5"),
        ("2:5-2:1", "backwards"),
        ("1:1-114:6", "at most 300"),
        ("2:1-3:20", "at most 300"),
    ],
)
def test_other_nonsense_is_refused_with_advice(text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        VerseRange.parse(text)


def test_a_hand_made_range_is_checked_too() -> None:
    with pytest.raises(UnknownVerse):
        load_passage(VerseRange(VerseRef(1, 1), VerseRef(1, 9)))


def test_of() -> None:
    assert VerseRange.of(1, 5) == VerseRange.parse("1:5")
    assert VerseRange.of(1, 1, 7) == VerseRange.parse("1:1-7")
    assert [verse.key for verse in VerseRange.parse("113:4-114:2").verses()] == [
        "113:4",
        "113:5",
        "114:1",
        "114:2",
    ]


def test_words_carry_text_place_key_and_sounds() -> None:
    words = passage("112:4-113:1").words
    assert [word.index for word in words] == list(range(9))
    assert [(word.verse.key, word.position) for word in words[4:6]] == [("112:4", 5), ("113:1", 1)]
    assert words[5].display == "قُلْ"
    assert words[5].skeleton == "قل"
    assert words[5].phones == ("q", "u", "l")


def test_the_basmala_is_part_of_a_verse_only_where_it_is_in_the_text() -> None:
    assert passage("1:1").words[0].skeleton == "بسم"
    assert passage("27:30").words[4].skeleton == "بسم"
    assert passage("112:1").words[0].skeleton == "قل"


@pytest.mark.parametrize("verses", ["1", "18:1-20", "19:1-30", "36", "55", "67", "109:1-114:6"])
def test_every_reference_sound_is_in_the_inventory(verses: str) -> None:
    sounds = {symbol for word in passage(verses).words for symbol in word.phones}
    assert sounds <= set(INVENTORY) - {UNKNOWN}
    assert all(word.phones for word in passage(verses).words)


@pytest.mark.parametrize("verses", ["1:1-7", "2:1-5", "112:1-114:6", "19:1", "36"])
def test_words_are_counted_without_loading_them(verses: str) -> None:
    wanted = VerseRange.parse(verses)
    assert words_in(wanted) == len(load_passage(wanted).words)


def test_a_range_is_its_verses_one_after_the_other() -> None:
    """Loaded by verse: no verse's sounds depend on its neighbours, since the reciter stops between them."""
    whole = load_passage(VerseRange.parse("2:1-6")).words
    alone = [word for ayah in range(1, 7) for word in load_passage(VerseRange.of(2, ayah)).words]
    assert [(w.verse, w.position, w.display, w.phones) for w in whole] == [
        (w.verse, w.position, w.display, w.phones) for w in alone
    ]
    assert [word.index for word in whole] == list(range(len(whole)))


def test_every_word_is_shown_as_the_corpus_prints_it() -> None:
    """All words, read past our own code; the signs are counted so that none can get lost on the way."""
    source = hafs.corpus(hafs.DEFAULT_STOP_EDITION)
    shown = Counter[str]()
    words = 0
    for surah, count in enumerate(verse_counts(), start=1):
        for ayah in range(1, count + 1):
            printed = printed_words(VerseRef(surah, ayah))
            assert printed == tuple(text for _, text in source.words(CorpusVerse(surah, ayah)))
            shown.update("".join(printed))
            words += len(printed)
    assert words == 77_433
    stops = {"\u06d6": 1651, "\u06d7": 511, "\u06d8": 21, "\u06da": 2083, "\u06db": 6}
    sajda, quarter = {"\u06e9": 15}, {"\u06de": 199}
    assert {sign: shown[sign] for sign in stops | sajda | quarter} == stops | sajda | quarter


@pytest.mark.parametrize("verses", ["2:253-257", "2:26", "32:15", "36:50-54", "75:26-28", "112:1-114:6"])
def test_a_passage_shows_the_printed_words_and_compares_the_words_alone(verses: str) -> None:
    wanted = VerseRange.parse(verses)
    words = passage(verses).words
    assert [word.display for word in words] == [w for verse in wanted.verses() for w in printed_words(verse)]
    for word in words:
        assert not set(word.spelling) & set(" \u06d6\u06d7\u06d8\u06da\u06db\u06de\u06e9")
        assert skeleton(word.display, "uthmani") == skeleton(word.spelling, "uthmani") == word.skeleton
