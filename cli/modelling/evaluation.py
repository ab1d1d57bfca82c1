"""Measures a model on recordings: decoder text, sounds, and word states as a reciter would see them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cli.modelling.listening import Listener
from cli.modelling.measures import Rates, Tally
from cli.modelling.recordings import Recording
from shared.audio.decode import decode_file
from shared.audio.formats import SAMPLE_RATE
from shared.recitation.grading.policy import DEFAULT, FeedbackPolicy
from shared.recitation.reference.passage import load_passage
from shared.recitation.report.review import review


class Evaluation(msgspec.Struct, frozen=True):
    """Figures by reciter and over all. `ms_per_window`: the engine's time for one window decoded in
    batches of 16 on this machine, features, sounds and text included."""

    model: str
    version: str
    device: str
    compute_type: str
    window_s: float
    overlap_s: float
    reciters: dict[str, Rates]
    all: Rates
    windows: int
    ms_per_window: float
    realtime_factor: float


def evaluate(
    listener: Listener,
    recordings: Iterable[Recording],
    policy: FeedbackPolicy = DEFAULT,
) -> Evaluation:
    """Hear every recording whole and live. Raises `BadAudio` for a file, `DecodeFailed`."""
    tallies: dict[str, Tally] = {}
    windows = 0
    for recording in recordings:
        pcm = decode_file(recording.path)
        passage = load_passage(recording.verses)
        whole, live = listener.whole(pcm), listener.live(pcm)
        windows += len(whole) + len(live)
        tally = tallies.setdefault(recording.reciter, Tally())
        tally.add(passage, len(pcm) / 2 / SAMPLE_RATE, whole, live)
        tally.judge(review(passage, live, policy))
    total = Tally()
    for tally in tallies.values():
        total.merge(tally)
    engine = listener.engine.capabilities
    return Evaluation(
        model=engine.model,
        version=engine.version,
        device=engine.device,
        compute_type=engine.compute_type,
        window_s=listener.live_windows.window_s,
        overlap_s=listener.live_windows.overlap_s,
        reciters={reciter: tally.rates() for reciter, tally in tallies.items()},
        all=total.rates(),
        windows=windows,
        ms_per_window=round(listener.engine_s * 1000 / max(1, windows), 2),
        realtime_factor=round(listener.engine_s / max(1e-9, listener.audio_s), 4),
    )
