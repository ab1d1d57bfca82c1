"""The real speech detector on synthesised speech and on noise: where it is, in whatever pieces it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from gateway.session.endpointer import FRAME, Endpointer, EndpointPolicy
from gateway.vad import silero
from gateway.vad.silero import SileroDetector
from shared.audio.decode import decode_file
from shared.audio.formats import SAMPLE_RATE

SAMPLE = Path(__file__).parents[3] / "samples" / "morning.opus"


async def judged(pcm: bytes, chunk: int, detector: SileroDetector) -> list[float]:
    """All probabilities of one session that sends `chunk` bytes at a time."""
    found: list[float] = []
    complete = asyncio.Event()
    whole = len(pcm) // (2 * FRAME)

    def take(probabilities: Sequence[float]) -> None:
        found.extend(probabilities)
        if len(found) >= whole:
            complete.set()

    stream = detector.open(take)
    for start in range(0, len(pcm), chunk):
        stream.feed(pcm[start : start + chunk])
    async with asyncio.timeout(60):
        await complete.wait()
    stream.close()
    return found


async def test_two_utterances_are_found_and_the_pause_between_them() -> None:
    detector = SileroDetector()
    try:
        found = await judged(decode_file(SAMPLE), 6400, detector)
    finally:
        await detector.close()
    changes = Endpointer(EndpointPolicy()).judge(found)
    assert [change.speaking for change in changes] == [True, False, True, False]
    starts = [change.sample / SAMPLE_RATE for change in changes if change.speaking]
    assert starts[0] == pytest.approx(0.55, abs=0.2)


async def test_sessions_do_not_hear_one_another_and_pieces_do_not_matter() -> None:
    speech = decode_file(SAMPLE)
    noise = np.random.default_rng(1).normal(0, 50, len(speech) // 2).astype("<i2").tobytes()
    alone = SileroDetector()
    together = SileroDetector()
    try:
        expected = await judged(speech, 100_000, alone)
        first, second, quiet = await asyncio.gather(
            judged(speech, 999, together), judged(speech, 20_000, together), judged(noise, 6400, together)
        )
    finally:
        await alone.close()
        await together.close()
    assert first == pytest.approx(expected, abs=1e-4)
    assert second == pytest.approx(expected, abs=1e-4)
    assert max(quiet) < 0.5


async def test_a_detector_that_fails_calls_everything_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("no model")

    monkeypatch.setattr(silero, "SileroModel", broken)
    detector = SileroDetector()
    try:
        assert await judged(bytes(2 * FRAME * 5), 1000, detector) == [1.0] * 5
    finally:
        await detector.close()
