"""The grader for engines that give text only: compares words by skeleton."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.hearing import Hearing
from shared.recitation.alignment.reference_units import MoveCosts, ReferenceUnits
from shared.recitation.alignment.text_units import HeardToken, text_reference
from shared.recitation.alignment.visits import Visit
from shared.recitation.alignment.word_similarity import is_slip, letters_apart
from shared.recitation.grading.grader import CORRECT, MINOR, WRONG, Grade, Verdict
from shared.recitation.grading.policy import FeedbackPolicy, FitLimits, WordGrading
from shared.recitation.live.transcript import heard_tokens, join_words
from shared.recitation.reference.normalise import bones, same_word, skeleton
from shared.recitation.reference.opening_letters import OPENINGS, opening_at
from shared.recitation.reference.orthography import spells
from shared.recitation.reference.passage import Passage

_JOINED_ABOVE: Final = frozenset(("يا", "ويا", "ها"))
"""Vocatives and attention particles: words of their own in imla'i, joined to the next in Uthmani."""


class TextGrader:
    """Units are heard words, spelled as the Uthmani reference spells them."""

    def __init__(self, passage: Passage, policy: FeedbackPolicy) -> None:
        self._passage = passage
        self._policy = policy
        self._reference, self._skeletons = text_reference(passage.range)
        self._vocabulary = frozenset(self._skeletons)
        self._by_bones: dict[str, list[str]] = {}
        for word in self._vocabulary:
            self._by_bones.setdefault(bones(word), []).append(word)
        self._openings = tuple(sorted(OPENINGS & {w.skeleton for w in passage.words if w.position <= 2}))

    @property
    def reference(self) -> ReferenceUnits[HeardToken]:
        return self._reference

    @property
    def costs(self) -> MoveCosts:
        return self._policy.word_moves

    @property
    def replaced_share(self) -> float:
        return 1.0

    @property
    def fit_limits(self) -> FitLimits:
        return self._policy.word_fit

    @property
    def settle_units(self) -> int:
        return self._policy.settle_heard_words

    @property
    def settle_batch(self) -> int:
        return self._policy.settle_heard_words

    def units(self, hearing: Hearing) -> list[HeardToken]:
        return heard_tokens(hearing)

    def join(
        self, old: Sequence[HeardToken], new: Sequence[HeardToken], overlap: tuple[int, int]
    ) -> tuple[int, list[HeardToken]]:
        return join_words(old, new, overlap)

    def composed(self, units: Sequence[HeardToken]) -> list[tuple[HeardToken, int]]:
        """Opening letters said one by one become one word, and so do words the reference writes joined."""
        words: list[tuple[HeardToken, int]] = []
        at = 0
        while at < len(units):
            word, taken = self._compose_at(units, at)
            words.append((word, taken))
            at += taken
        return words

    def _compose_at(self, units: Sequence[HeardToken], at: int) -> tuple[HeardToken, int]:
        tokens = [unit.skeleton for unit in units[at : at + 5]]
        opening = opening_at(tokens, self._openings)
        if opening is not None:
            return _merged(units[at : at + opening[1]], opening[0]), opening[1]
        if len(tokens) > 1 and (tokens[0] in _JOINED_ABOVE or not self._vocabulary.intersection(tokens[:2])):
            joined = tokens[0] + tokens[1]
            same = [word for word in self._by_bones.get(bones(joined), ()) if same_word(word, joined)]
            if same:
                return _merged(units[at : at + 2], min(same)), 2
        return units[at], 1

    def too_slow(self, units: Sequence[HeardToken]) -> bool:
        return False  # a word is heard as a whole, or not

    def judge(self, visit: Visit, units: Sequence[HeardToken], noise: float | None) -> Verdict | None:
        heard = units[visit.first_unit]
        index = self._reference.word_index[visit.word]
        expected = self._passage.words[index].spelling if index is not None else self._skeletons[visit.word]
        grade, apart = grade_word(heard.skeleton, expected, self._policy.words)
        return Verdict(
            grade=grade,
            error=min(100, round(100 * apart / max(1, len(self._skeletons[visit.word])))),
            confidence=heard.certainty,
            heard=heard.text,
            start_ms=heard.start_ms,
            end_ms=heard.end_ms,
        )

    def judge_with_strays(
        self, own: Verdict, visit: Visit, units: Sequence[HeardToken], noise: float | None
    ) -> Verdict | None:
        return None

    def may_be_stray(self, units: Sequence[HeardToken]) -> bool:
        return False

    def judge_replaced(self, units: Sequence[HeardToken]) -> Verdict:
        said = _merged(units, "")
        return Verdict(WRONG, 100, said.certainty, said.text, said.start_ms, said.end_ms)

    def extra(self, units: Sequence[HeardToken]) -> str | None:
        return " ".join(unit.text for unit in units)

    def saved_position(self, position: int) -> int:
        return position

    def position(self, saved: int) -> int:
        return saved

    def expected(self, index: int) -> str:
        return self._passage.words[index].spelling

    def expected_as(self, index: int, heard: str) -> str:
        return self.expected(index)


def grade_word(heard: str, display: str, policy: WordGrading) -> tuple[Grade, int]:
    """Grade a heard skeleton against an Uthmani word; also how many letters they are apart."""
    if spells(heard, display):
        return CORRECT, 0
    expected = skeleton(display, "uthmani")
    apart = letters_apart(heard, expected)
    letters = len(expected)
    if (apart == 1 and letters >= policy.one_letter_from) or (
        apart <= 2 and letters >= policy.two_letters_from
    ):
        return MINOR, apart
    return (MINOR if is_slip(heard, expected) else WRONG), apart


def _merged(units: Sequence[HeardToken], spelled: str) -> HeardToken:
    return HeardToken(
        " ".join(unit.text for unit in units),
        spelled,
        units[0].start_ms,
        units[-1].end_ms,
        min(unit.certainty for unit in units),
    )
