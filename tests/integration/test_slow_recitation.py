"""Recitation drawn out to three times its length, heard by the bundled model: no word is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import av.filter
import numpy as np
import pytest

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.model_files import BUNDLED, locate
from asr_worker.engines.model_parts import ComputeOptions
from cli.modelling.listening import Listener, LiveWindows
from cli.sample_files import samples_folder
from shared.audio.decode import decode_file
from shared.audio.formats import SAMPLE_RATE
from shared.hearing import Hearing
from shared.recitation.live.follower import Follower
from shared.recitation.reference.passage import VerseRange, load_passage


@pytest.fixture(scope="module")
def engine() -> Iterator[CTranslate2Engine]:
    engine = CTranslate2Engine(locate(BUNDLED), ComputeOptions("cpu", "auto", 1))
    yield engine
    engine.close()


def _drawn_out(pcm16: bytes) -> bytes:
    """Three times as long at the same pitch."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=SAMPLE_RATE, format="s16", layout="mono", time_base=Fraction(1, SAMPLE_RATE)
    )
    half, two_thirds = graph.add("atempo", "0.5"), graph.add("atempo", "0.66667")
    sink = graph.add("abuffersink")
    source.link_to(half)
    half.link_to(two_thirds)
    two_thirds.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm16, "<i2")[np.newaxis], format="s16", layout="mono")
    frame.sample_rate, frame.pts = SAMPLE_RATE, 0
    graph.push(frame)
    graph.push(None)
    parts: list[bytes] = []
    while True:
        try:
            parts.append(graph.pull().to_ndarray().astype("<i2").tobytes())
        except (av.error.EOFError, av.error.BlockingIOError):
            return b"".join(parts)


@pytest.mark.parametrize(
    ("name", "verses"), [("fatiha_clean", "1:1-7"), ("ikhlas_clean", "112:1-4")], ids=["fatiha", "ikhlas"]
)
@pytest.mark.parametrize("window_s", [1.0, 2.5, None])
def test_no_word_of_a_recitation_three_times_as_slow_is_wrong(
    engine: CTranslate2Engine, name: str, verses: str, window_s: float | None
) -> None:
    slow = _drawn_out(decode_file(samples_folder() / f"{name}.opus"))
    hearings: list[Hearing]
    if window_s is None:
        hearings = Listener(engine).whole(slow)
    else:
        hearings = Listener(engine, LiveWindows(window_s)).live(slow)
    follower = Follower(load_passage(VerseRange.parse(verses)))
    for hearing in hearings:
        feedback = follower.hear(hearing)
        assert {word.status for word in feedback.words} <= {"correct", "minor_mistake", "pending"}
        assert not any(word.final for word in feedback.words if word.status == "minor_mistake")
    assert {word.status for word in follower.finish().words} == {"correct"}
