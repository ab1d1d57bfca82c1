"""What a finding shows and settles for the first time, in either kind of session."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.interpreters.recitation.interpreter import RecitationInterpreter, SeenWords
from gateway.interpreters.transcription.interpreter import TranscriptionInterpreter
from gateway.session.interpreter import Said
from shared.hearing import HeardWord
from shared.ids import ConnectionId, Epoch, SessionId, TraceId
from shared.protocol.segments import Priority, SegmentResult
from shared.recitation.grading.policy import DEFAULT
from shared.recitation.live.feedback import WordFeedback, WordStatus
from shared.recitation.live.follower import Follower
from shared.transcription.utterances import UtteranceAssembler
from tests.unit.gateway.speech import FATIHA


def word(status: WordStatus = "pending", final: bool = False, end_ms: int | None = None) -> WordFeedback:
    return WordFeedback(0, "w", "1:1", status, final, end_ms=end_ms)


def test_a_word_is_shown_once_and_settled_once() -> None:
    seen = SeenWords([word(), word()])
    assert seen.look([word("correct", end_ms=500), word()]) == Said((8000,), ())
    assert seen.look([word("wrong", end_ms=520), word("correct", True, 1000)]) == Said((16_000,), (16_000,))
    assert seen.look([word("correct", True, 520), word("correct", True, 1100)]) == Said((), (8320,))
    assert seen.look([word("pending"), word("correct", True, 1100)]) == Said()
    assert seen.look([word("correct", True, 900), word("correct", True, 1100)]) == Said()


@pytest.mark.parametrize("silent", [word("missing", True), word("not_judged", True), word("pending")])
def test_what_was_not_said_has_no_time(silent: WordFeedback) -> None:
    assert SeenWords([word()]).look([silent]) == Said()


def heard(seq: int, words: Sequence[tuple[str, int, int]], priority: Priority = "partial") -> SegmentResult:
    """A window of 2 s from `seq` seconds on; times of words in ms of the session."""
    start_ms = seq * 1000
    return SegmentResult(
        session_id=SessionId("s"),
        connection_id=ConnectionId("c"),
        epoch=Epoch("e"),
        seq=seq,
        start_sample=start_ms * 16,
        samples=32_000,
        trace_id=TraceId("t"),
        outcome="result",
        text=" ".join(text for text, _, _ in words),
        words=tuple(HeardWord(text, begin - start_ms, end - start_ms) for text, begin, end in words),
        script="uthmani",
        priority=priority,
    )


SPOKEN = [(one.spelling, 500 * at, 500 * at + 400) for at, one in enumerate(FATIHA.words[:12])]


def windows() -> list[SegmentResult]:
    return [
        heard(seq, [one for one in SPOKEN if seq * 1000 <= one[1] and one[2] <= seq * 1000 + 2000])
        for seq in range(5)
    ]


def test_every_word_of_a_recitation_is_told_once_also_after_a_move() -> None:
    for moves_after in (-1, 0, 2, 3):
        interpreter = RecitationInterpreter(Follower(FATIHA))
        shown: list[int] = []
        settled: list[int] = []
        for result in windows():
            said = interpreter.hear(result).said
            shown, settled = [*shown, *said.shown], [*settled, *said.settled]
            if result.seq == moves_after:
                interpreter = RecitationInterpreter(Follower.restore(FATIHA, DEFAULT, interpreter.snapshot()))
        last = interpreter.finish()
        final = [one for one in last.feedback.words if one.final and one.status != "missing"]
        rest = RecitationInterpreter(Follower.restore(FATIHA, DEFAULT, interpreter.snapshot()))
        assert len(shown) == len(set(shown)) == 12, moves_after
        assert len(settled) == len(set(settled)) <= len(final)
        assert rest.finish().said == Said()


def test_every_word_of_a_transcript_is_told_once_also_after_a_move() -> None:
    one, two, three = ("one", 100, 400), ("two", 500, 900), ("three", 1200, 1600)
    looks = [heard(0, [one]), heard(0, [one, two]), heard(0, [one, two, three]), heard(0, [one, two, three])]
    for moves_after in (-1, 0, 1, 2):
        interpreter = TranscriptionInterpreter()
        said = []
        for number, look in enumerate(looks):
            said.append(interpreter.hear(look).said)
            if number == moves_after:
                assembler = UtteranceAssembler.restore(interpreter.snapshot())
                interpreter = TranscriptionInterpreter(assembler)
        said.append(interpreter.hear(heard(0, [], "final")).said)
        assert [one.shown for one in said] == [(6400,), (14_400,), (25_600,), (), ()], moves_after
        assert [end for one in said for end in one.settled] == [6400, 14_400, 25_600]


def test_the_next_utterance_counts_from_its_own_first_word() -> None:
    interpreter = TranscriptionInterpreter()
    assert interpreter.hear(heard(0, [("one", 100, 400)], "final")).said == Said((6400,), (6400,))
    assert interpreter.hear(heard(3, [("two", 3100, 3400)])).said == Said((54_400,), ())
    assert interpreter.hear(heard(3, [("two", 3100, 3400)], "final")).said == Said((), (54_400,))
