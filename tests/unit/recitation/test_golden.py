"""Every golden recitation, by every kind of engine: each word must get exactly the state written there."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from shared.recitation.live.feedback import Feedback
from shared.recitation.reference.passage import Passage
from shared.recitation.report.review import review
from tests.unit.recitation.reciter import Engine, Said, passage, recite

GOLDEN = Path(__file__).parents[2] / "golden"
ENGINES: tuple[Engine, ...] = ("sounds", "words", "timed words")


class Case(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    verses: str
    said: list[Said]
    expect: dict[str, str | list[str]]
    extra_words: int | None
    note: str = ""
    pending_from: str = ""
    repeats: int | None = None
    engines: tuple[Engine, ...] = ENGINES
    completed: bool | None = None


def cases() -> list[tuple[str, Case]]:
    files = sorted(GOLDEN.glob("*.json"))
    return [
        (file.stem, case)
        for file in files
        for case in msgspec.json.decode(file.read_bytes(), type=list[Case])
    ]


@pytest.mark.parametrize(
    ("case", "engine"),
    [
        pytest.param(case, engine, id=f"{theme}: {case.title} ({engine})")
        for theme, case in cases()
        for engine in case.engines
    ],
)
def test_golden(case: Case, engine: Engine) -> None:
    reference = passage(case.verses)
    feedback = review(reference, recite(case.said, engine))
    assert _surprises(case, reference, feedback) == {}
    if case.extra_words is not None:
        assert len(feedback.extra_words) == case.extra_words, feedback.extra_words
    if case.repeats is not None:
        assert len(feedback.repeats) == case.repeats, feedback.repeats
    if case.completed is not None:
        assert feedback.completed is case.completed


def _surprises(case: Case, reference: Passage, feedback: Feedback) -> dict[str, tuple[str, object]]:
    """Words whose state is not the expected one: what they got, what they should have got."""
    surprises: dict[str, tuple[str, object]] = {}
    reached = True
    for word, shown in zip(reference.words, feedback.words, strict=True):
        key = f"{word.verse.key}:{word.position}"
        reached = reached and key != case.pending_from
        wanted = case.expect.get(key, "correct" if reached else "pending")
        if shown.status not in ([wanted] if isinstance(wanted, str) else wanted):
            surprises[key] = (shown.status, wanted)
    return surprises


def test_there_are_enough_cases() -> None:
    assert len(cases()) >= 25
