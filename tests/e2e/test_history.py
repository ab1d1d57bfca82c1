"""The checker itself must be able to say no."""

from __future__ import annotations

import pytest

from tests.e2e.history import Event, History, check


def seen(*seqs: int, finals: int = 1, lost: tuple[int, ...] = ()) -> History:
    events: list[Event] = [{"type": "ready"}]
    for seq in seqs:
        if seq in lost:
            events.append({"type": "error", "seq": seq, "code": "segment_dropped"})
        else:
            events.append({"type": "partial_result", "seq": seq, "partial_transcript": "x"})
    events.extend({"type": "final_result", "result": {"word_analysis": []}} for _ in range(finals))
    return History("client", samples_sent=1, connections=1, events=events)


def test_a_complete_history_holds() -> None:
    assert check([seen(0, 1, 2)]).ok


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        (seen(0, 2), "no outcome for seq [1]"),
        (seen(0, 1, 1, 2), "more than once for seq [1]"),
        (seen(0, 2, 1), "out of order"),
        (seen(0, 1, finals=0), "0 final results"),
        (seen(0, 1, finals=2), "2 final results"),
        (seen(0, 1, lost=(1,)), "segments lost"),
    ],
)
def test_every_kind_of_violation_is_named(history: History, complaint: str) -> None:
    verdict = check([history])
    assert not verdict.ok
    assert complaint in str(verdict)


def test_an_explicit_loss_is_counted_and_can_be_allowed() -> None:
    verdict = check([seen(0, 1, lost=(1,))], losses_allowed=True)
    assert verdict.ok
    assert verdict.lost == 1
