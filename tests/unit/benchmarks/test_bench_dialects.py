"""What a message has heard in each wire format, and how late that is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from benchmarks.dialects.bench import DialectLevel, DialectRun, level_of, report_of
from benchmarks.dialects.sessions import Noted
from benchmarks.dialects.wires import PEER_WIRES, WIRES, Answer, Seen

SEEN = Seen(2, 7.0, 5.5)


@pytest.mark.parametrize(
    ("wire", "message", "answer"),
    [
        ("recite", {"type": "partial_result", "seq": 1}, Answer(4.5)),
        ("verify", {"type": "partial_result"}, Answer(4.25)),
        ("stream", {"type": "result", "data": {"end_time": 1.5}}, Answer(1.5)),
        ("stream", {"type": "ping", "data": {}}, Answer(reply='{"type":"pong"}')),
        ("transcriptions", {"type": "transcript.partial", "end": 3.0}, Answer(3.0)),
        ("transcriptions", {"type": "transcript.final", "end": 3.0}, Answer()),
        ("deepgram", {"type": "Results", "is_final": False, "start": 1.0, "duration": 2.5}, Answer(3.5)),
        ("deepgram", {"type": "Results", "is_final": True, "start": 1.0, "duration": 2.5}, Answer()),
        ("whisperlive", {"segments": [{"end": "1.000"}, {"end": "2.500"}]}, Answer(2.5)),
        ("whisperlive", {"status": "WAIT", "message": 2}, Answer(trouble="2")),
        ("committed_messages", {"type": "flushed"}, Answer(done=True)),
        ("committed_messages", {"type": "final"}, Answer()),
        ("committed_lines", "", Answer(done=True)),
        ("committed_lines", "0 900 words\n", Answer()),
        ("committed_lines", "# no_capacity: later\n", Answer(trouble="# no_capacity: later")),
        (
            "realtime",
            {"type": "conversation.item.input_audio_transcription.completed"},
            Answer(done=True),
        ),
        ("realtime", {"type": "input_audio_buffer.committed"}, Answer()),
    ],
)
def test_what_a_message_of_a_dialect_has_heard(wire: str, message: Any, answer: Answer) -> None:
    assert WIRES[wire].read(message, SEEN) == answer


def test_errors_of_every_dialect_are_trouble() -> None:
    for name in ("recite", "verify", "stream", "transcriptions", "committed_messages", "realtime"):
        assert WIRES[name].read({"type": "error", "code": "no_capacity"}, SEEN).trouble
    assert WIRES["deepgram"].read({"type": "Error"}, SEEN).trouble


def test_peers_are_read_in_their_favour() -> None:
    whisperlive, livekit = PEER_WIRES["whisperlive"].read, PEER_WIRES["whisperlivekit"].read
    assert whisperlive({"segments": [{"text": "a"}]}, SEEN) == Answer(5.5)
    behind = {"lines": [], "buffer_transcription": "a", "remaining_time_transcription": 1.5}
    assert livekit(behind, SEEN) == Answer(5.5)
    assert livekit({"lines": [], "remaining_time_transcription": 0}, SEEN) == Answer()


def test_audio_goes_in_as_the_wire_wants_it() -> None:
    pcm = np.array([0, 16384], np.int16).tobytes()
    assert np.frombuffer(WIRES["whisperlive"].frame(pcm), np.float32).tolist() == [0.0, 0.5]  # type: ignore[arg-type]
    assert WIRES["recite"].frame(pcm) == pcm
    assert json.loads(WIRES["realtime"].frame(pcm)) == {
        "type": "input_audio_buffer.append",
        "audio": "AAAAQA==",
    }


def test_a_delay_runs_from_the_frame_that_had_the_last_heard_sample() -> None:
    noted = Noted()
    noted.heard(1.0, 1.25)
    noted.heard(1.95, 2.1)
    noted.heard(1.5, 3.0)  # nothing that was not heard before
    noted.closed(5.0)
    assert [round(delay, 6) for delay in noted.delays_s] == [0.25, 0.1]
    assert round(noted.longest_silence_s, 6) == 2.9


def test_a_level_is_held_if_all_of_it_was_quick_and_answered() -> None:
    good = level_of(2, [Noted([0.1, 0.2]), Noted([0.3])])
    assert good.served()
    assert good.p95_ms == 300
    assert not level_of(1, [Noted([0.6])]).served()
    assert not level_of(1, [Noted()]).served()
    assert not level_of(1, [Noted([0.1], unanswered=1)]).served()
    assert not level_of(1, [Noted([0.1], longest_silence_s=7.0)]).served()
    assert not level_of(1, [Noted([0.1], trouble="closed")]).served()


def run(name: str, best: int, *, peer: bool) -> DialectRun:
    """Holds `best` within 500 ms, and twice as many (one, if nobody) within 3 s."""
    quick, late = (
        DialectLevel(sessions, 100, p95_ms, 3000, 10, 0, 1.0, 1.0, "")
        for sessions, p95_ms in ((best, 200), (max(1, 2 * best), 2900))
    )
    return DialectRun(name, "interim result", peer, [quick, late] if best else [late])


def test_the_headline_has_every_dialect_and_the_least_ratio() -> None:
    own = [run("deepgram", 12, peer=False), run("recite", 40, peer=False)]
    report = report_of([*own, run("A", 0, peer=True), run("B", 1, peer=True)], "whisper-base")
    assert report.headline == {
        "deepgram": 12,
        "recite": 40,
        "best_peer": 1,
        "least_ratio": 12.0,
        "best_peer_3s": 2,
        "least_ratio_3s": 12.0,
    }
    assert [row[:3] for row in report.tables[0].rows] == [
        ["deepgram", "12", "24"],
        ["recite", "40", "80"],
        ["A", "0", "1"],
        ["B", "1", "2"],
    ]
    assert "best_peer" not in report_of(own, "whisper-base").headline


def test_a_peer_that_did_not_start_is_a_row_that_says_so() -> None:
    dead = DialectRun("A", "interim result", True, [], "the peer did not start")
    report = report_of([run("recite", 4, peer=False), dead], "whisper-base")
    assert report.tables[0].rows[1][-1] == "the peer did not start"
