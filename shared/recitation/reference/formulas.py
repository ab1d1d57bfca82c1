"""What is said around a passage and is neither right nor wrong: isti'adha, basmala, sadaqa.

The aligner treats them as optional words: free to say, free to leave out, never graded, never extra.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from shared.recitation.reference.passage import Passage


class FormulaWord(NamedTuple):
    """One optional word: its skeleton for text engines, its connected sounds for phoneme engines."""

    skeleton: str
    phones: tuple[str, ...]


def _word(skeleton: str, phones: str) -> FormulaWord:
    return FormulaWord(skeleton, tuple(phones.split()))


ISTIADHA: Final = (
    _word("اعوذ", "ʔ a ʕ u: ð u"),
    _word("بالله", "b i ll a: h i"),
    _word("من", "m i n a"),
    _word("الشيطان", "ʃʃ a j tˤ aˤ: n i"),
    _word("الرجيم", "rˤrˤ a ʒ i: m"),
)
"""a'udhu billahi mina sh-shaytani r-rajim, said before any recitation (16:98)."""

BASMALA: Final = (
    _word("بسم", "b i s m i"),
    _word("الله", "ll a: h i"),
    _word("الرحمان", "rˤrˤ a ħ m a: n i"),
    _word("الرحيم", "rˤrˤ a ħ i: m"),
)
"""Said at the start of every sura but the ninth; part of the text only in 1:1 and 27:30."""

SADAQA: Final = (
    _word("صدق", "sˤ a d a q a"),
    _word("الله", "lˤlˤ aˤ: h u"),
    _word("العظيم", "l ʕ a ðˤ i: m"),
)
"""sadaqa llahu l-'azim, a customary closing."""


class Slot(NamedTuple):
    """One word in the order of recitation: of the passage (`word_index`), or of an optional formula.

    `opens` is false inside a formula, where a reciter cannot begin.
    """

    word_index: int | None
    skeleton: str
    phones: tuple[str, ...]
    opens: bool = True
    pronunciations: tuple[tuple[str, ...], ...] = ()


def recitation_order(passage: Passage) -> list[Slot]:
    """The passage with every formula that may be said around it."""
    slots: list[Slot] = []
    for word in passage.words:
        begins_sura = word.position == 1 and word.verse.ayah == 1
        if not slots:
            slots.extend(_optional(ISTIADHA))
        if (begins_sura and word.verse.surah != 1) or (word.index == 0 and not begins_sura):
            slots.extend(_optional(BASMALA))
        slots.append(Slot(word.index, word.skeleton, word.phones, pronunciations=word.pronunciations))
    slots.extend(_optional(SADAQA))
    return slots


def _optional(formula: tuple[FormulaWord, ...]) -> list[Slot]:
    return [Slot(None, word.skeleton, word.phones, at == 0) for at, word in enumerate(formula)]
