"""From what reciters noted to figures: which segments were due, which came, how late. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from benchmarks.load.reciter import Arrival
from benchmarks.speech import OVERLAP_S
from shared.audio.formats import SAMPLE_RATE


class SegmentLatency(msgspec.Struct, frozen=True, array_like=True):
    """One answered segment: from its last sample sent to its result received, ms."""

    session: int
    seq: int
    sent_s: float
    latency_ms: float
    inference_ms: int


class LoadFigures(msgspec.Struct, frozen=True):
    """What a whole run saw.

    `due`: segments whose last sample was sent. `lost`: of these, neither result nor error came.
    `failed`: answered with an error, by code. `duplicates`, `disordered`: must be 0.
    `unreported`: sessions that ended with neither a refusal nor a close code.
    """

    sessions: int
    accepted: int
    refused: dict[str, int]
    closed: dict[str, int]
    troubles: dict[str, int]
    due: int
    lost: int
    duplicates: int
    disordered: int
    failed: dict[str, int]
    unreported: int
    events: int
    late_frames_p99_ms: float
    session_ids: list[str]
    segments: list[SegmentLatency]

    def latencies_ms(self) -> list[float]:
        """All latencies, in no particular order."""
        return [segment.latency_ms for segment in self.segments]


def segment_ends(samples: int, window_s: float, overlap_s: float = OVERLAP_S) -> list[int]:
    """The last sample (exclusive) of every whole window within so many samples of one session."""
    window, step = round(window_s * SAMPLE_RATE), round((window_s - overlap_s) * SAMPLE_RATE)
    return list(range(window, samples + 1, step))


def ends_of_answered(
    samples: int, window_s: float, arrivals: Sequence[Arrival], overlap_s: float = OVERLAP_S
) -> list[int]:
    """As `segment_ends`, but segments are as long as their answers say: a gateway under pressure cuts
    several windows as one."""
    told = {arrival.seq: arrival.buffer_ms * SAMPLE_RATE // 1000 for arrival in arrivals}
    window, overlap = round(window_s * SAMPLE_RATE), round(overlap_s * SAMPLE_RATE)
    ends: list[int] = []
    start = 0
    while (end := start + (told.get(len(ends)) or window)) <= samples:
        ends.append(end)
        start = end - overlap
    return ends


def session_latencies(
    session: int,
    window_s: float,
    frame_samples: int,
    sent_s: Sequence[float],
    arrivals: Sequence[Arrival],
) -> tuple[list[SegmentLatency], int]:
    """Latencies of one session's answered segments, and how many segments were due."""
    ends = ends_of_answered(len(sent_s) * frame_samples, window_s, arrivals)
    found: list[SegmentLatency] = []
    for arrival in arrivals:
        if arrival.code or arrival.seq >= len(ends):
            continue
        last_frame = -(-ends[arrival.seq] // frame_samples) - 1
        latency_ms = 1000 * (arrival.at_s - sent_s[last_frame])
        found.append(
            SegmentLatency(session, arrival.seq, sent_s[last_frame], latency_ms, arrival.inference_ms)
        )
    return found, len(ends)


def order_faults(arrivals: Sequence[Arrival]) -> tuple[int, int]:
    """(duplicates, results that came before one with a smaller seq)."""
    seqs = [arrival.seq for arrival in arrivals]
    duplicates = len(seqs) - len(set(seqs))
    disordered = sum(1 for before, after in pairwise(seqs) if after < before)
    return duplicates, disordered


def unanswered(due: int, arrivals: Sequence[Arrival]) -> int:
    """Due segments that nothing came for."""
    return due - len({arrival.seq for arrival in arrivals} & set(range(due)))


def failures(arrivals: Sequence[Arrival]) -> Counter[str]:
    """Segments answered with an error, by its code."""
    return Counter(arrival.code for arrival in arrivals if arrival.code)
