"""Keys: idempotent, blind to marks, and the same for both scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.recitation.alignment.word_similarity import is_slip, letters_apart, similarity
from shared.recitation.reference.normalise import bones, same_word, skeleton, spelling, spoken_words
from shared.recitation.reference.opening_letters import OPENINGS, opening_at, spoken_letters
from shared.recitation.reference.orthography import spells
from tests.unit.recitation.reciter import passage

ARABIC = st.text(st.characters(min_codepoint=0x0600, max_codepoint=0x06FF), max_size=12)
ANYTHING = st.one_of(
    ARABIC, st.text(max_size=12), st.text(st.characters(min_codepoint=0xFB50, max_codepoint=0xFEFF))
)
SCRIPTS = st.sampled_from(["uthmani", "imlai"])


@given(ANYTHING, SCRIPTS)
def test_keys_are_idempotent(text: str, script: str) -> None:
    key = skeleton(text, script)
    assert skeleton(key, script) == key
    assert spelling(spelling(text, script), script) == spelling(text, script)


@given(ARABIC, SCRIPTS)
def test_keys_never_grow(text: str, script: str) -> None:
    assert len(skeleton(text, script)) <= len(text)
    assert len(bones(skeleton(text, script))) <= len(skeleton(text, script))


@pytest.mark.parametrize(
    ("uthmani", "imlai"),
    [
        ("ٱلْعَـٰلَمِينَ", "العالمين"),
        ("مَـٰلِكِ", "مالك"),
        ("ٱلصَّلَوٰةَ", "الصلاة"),
        ("سَمَـٰوَٰتٍ", "سماوات"),
        ("ذَٰلِكَ", "ذلك"),
        ("هَـٰذَا", "هذا"),
        ("إِلَـٰهَ", "إله"),
        ("ٱلرَّحْمَـٰنِ", "الرَّحْمَٰنِ"),
        ("أُو۟لَـٰٓئِكَ", "أولئك"),
        ("ٱلَّيْلِ", "الليل"),
        ("مُوسَىٰ", "موسى"),
        ("وَعَلَىٰٓ", "وعلى"),
        ("ٱلتَّوْرَىٰةَ", "التوراة"),
        ("إِبْرَٰهِـۧمَ", "إبراهيم"),
        ("دَاوُۥدَ", "داود"),
        ("ٱلنَّبِيِّـۧنَ", "النبيين"),
        ("نُـۨجِى", "ننجي"),
        ("شَىْءٍ", "شيء"),
        ("يَسْـَٔلُونَكَ", "يسألونك"),
        ("ءَامَنُوا۟", "آمنوا"),
        ("كِتَـٰبٌ", "كتـــاب"),
        ("رَحْمَةً", "رحمه"),
    ],
)
def test_both_scripts_meet(uthmani: str, imlai: str) -> None:
    assert same_word(skeleton(uthmani, "uthmani"), skeleton(imlai, "imlai"))


@pytest.mark.parametrize(
    ("one", "other"), [("ما", "أم"), ("من", "آمنا"), ("لا", "أل"), ("قال", "قيل"), ("", "ا")]
)
def test_different_words_stay_different(one: str, other: str) -> None:
    assert not same_word(skeleton(one), skeleton(other))
    assert similarity(skeleton(one), skeleton(other)) < 1.0


def test_letters_of_other_languages_fold_and_noise_goes() -> None:
    assert skeleton("کتاب‌ی") == skeleton("كتابي")
    assert spelling("ﷲ") == "الله"
    assert skeleton("النفااااثات") == skeleton("النفاثات")
    assert spoken_words("الحمد 12 hello ، لله ۝") == ["الحمد", "لله"]


def test_displayed_words_have_a_key_and_stay_untouched() -> None:
    for word in passage("36").words:
        assert word.skeleton
        assert not set(word.spelling) & set(" \u200b")
    assert passage("1:1").words[0].display == "بِسْمِ"


def test_slips_are_confusable_letters_or_long_vowels() -> None:
    assert is_slip("سراط", "صراط")
    assert is_slip("قل", "كل")
    assert is_slip("مالك", "ملك")
    assert not is_slip("من", "عن")
    assert not is_slip("قلم", "كلب")
    assert letters_apart("المستقيم", "المستكيم") == 1


def test_openings_are_heard_joined_spaced_or_named() -> None:
    assert opening_at(["الم"], OPENINGS) == ("الم", 1)
    assert opening_at(["ا", "ل", "م", "ذلك"], OPENINGS) == ("الم", 3)
    assert opening_at(["الف", "لام", "ميم"], OPENINGS) == ("الم", 3)
    assert opening_at(["كتاب"], OPENINGS) is None
    assert opening_at([], OPENINGS) is None
    assert len(OPENINGS) == 14
    assert all(len(way) == len(opening) for opening in OPENINGS for way in spoken_letters(opening))


def test_every_opening_is_in_the_text() -> None:
    first = {
        passage(verse).words[0].skeleton for verse in ("2:1", "7:1", "10:1", "13:1", "19:1", "20:1", "26:1")
    }
    first |= {
        passage(verse).words[0].skeleton for verse in ("27:1", "36:1", "38:1", "40:1", "42:2", "50:1", "68:1")
    }
    assert first == OPENINGS


@pytest.mark.parametrize(
    ("display", "imlai"),
    [
        ("يَسْتَهْزِءُونَ", "يستهزئون"),
        ("ٱلْمَلَؤُا۟", "الملأ"),
        ("جَآءُو", "جاءوا"),
        ("رَءَا", "رأى"),
        ("وَٱلْأَفْـِٔدَةَ", "والأفئدة"),
        ("ٱلصَّلَوٰةَ", "الصلاة"),
        ("أُو۟لَـٰٓئِكَ", "أولئك"),
        ("هَـٰٓؤُلَآءِ", "هؤلاء"),
        ("ٱلَّيْلِ", "الليل"),
        ("ٱلَّذِينَ", "الذين"),
        ("يَرَوْا۟", "يروا"),
        ("وَيَبْصُۜطُ", "ويبسط"),
        ("ٱلتَّوْرَىٰةَ", "التوراة"),
        ("إِلَىٰ", "إلى"),
        ("سَمَـٰوَٰتٍ", "سماوات"),
    ],
)
def test_imlai_spellings_of_an_uthmani_word(display: str, imlai: str) -> None:
    assert spells(skeleton(imlai), display)


@pytest.mark.parametrize(
    ("display", "other"),
    [("قُلْ", "قال"), ("عَذَابَ", "عذب"), ("أَعْمَلَ", "عمل"), ("إِلَىٰ", "ال"), ("ٱعْبُدُوا۟", "اعبد"), ("فَمَا", "فأما")],
)
def test_other_words_with_the_same_consonants_are_told_apart(display: str, other: str) -> None:
    assert not spells(skeleton(other), display)


def test_every_word_spells_itself() -> None:
    for word in passage("18:1-30").words:
        assert spells(word.skeleton, word.spelling)
