"""Utterances: every sample is stored once, speech is looked at whole, whatever the detector says."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.session.endpointer import FRAME, EndpointPolicy
from gateway.session.segmenter import Position, Window
from gateway.session.utterances import TAIL, UtterancePolicy, Utterances
from shared.audio.formats import SAMPLE_RATE

STEP, LONGEST = SAMPLE_RATE, 8 * SAMPLE_RATE
POLICY = UtterancePolicy(endpoint=EndpointPolicy(silence=SAMPLE_RATE // 2))


def noise(seconds: float) -> bytes:
    samples = np.random.default_rng(1).integers(-3000, 3000, round(seconds * SAMPLE_RATE))
    return samples.astype("<i2").tobytes()


def speech_at(*spans: tuple[float, float], seconds: float) -> list[float]:
    """What a perfect detector says of every whole frame."""
    frames = [i * FRAME / SAMPLE_RATE for i in range(round(seconds * SAMPLE_RATE) // FRAME)]
    return [1.0 if any(begin <= at < end for begin, end in spans) else 0.0 for at in frames]


def cut_all(segmenter: Utterances) -> list[Window]:
    windows = []
    while window := segmenter.cut():
        windows.append(window)
    return windows


def run(pcm: bytes, probabilities: list[float], chunk: int, policy: UtterancePolicy = POLICY) -> list[Window]:
    """The whole session in chunks of so many samples; the detector is one chunk late."""
    segmenter, windows, judged = Utterances(Position(STEP, LONGEST), policy), [], 0
    for start in range(0, len(pcm) // 2, chunk):
        segmenter.feed(pcm[2 * start : 2 * (start + chunk)])
        ready = start // FRAME
        segmenter.note_speech(probabilities[judged:ready])
        judged = max(judged, ready)
        windows += cut_all(segmenter)
    segmenter.note_speech(probabilities[judged:])
    segmenter.end()
    return windows + cut_all(segmenter)


def test_an_utterance_is_looked_at_again_until_it_ends() -> None:
    windows = run(noise(6), speech_at((1.0, 3.5), seconds=6), 1600)
    looks = [window for window in windows if window.seq is not None]
    assert [window.final for window in looks] == [False, False, False, True]
    assert len({window.start_sample for window in looks}) == 1
    begin, end = looks[-1].start_sample, looks[-1].start_sample + len(looks[-1].pcm) // 2
    assert begin <= SAMPLE_RATE <= begin + SAMPLE_RATE // 2
    assert 3.5 * SAMPLE_RATE <= end <= 3.5 * SAMPLE_RATE + TAIL + FRAME


def test_silence_costs_no_segment() -> None:
    windows = run(noise(10), speech_at(seconds=10), 1600)
    assert [window.seq for window in windows] == [None] * len(windows)
    assert windows[-1].after.ended


def test_without_interim_results_only_last_looks_are_decoded() -> None:
    policy = UtterancePolicy(interim=False, endpoint=POLICY.endpoint)
    windows = run(noise(8), speech_at((1.0, 3.0), (4.5, 6.0), seconds=8), 1600, policy)
    assert [window.final for window in windows if window.seq is not None] == [True, True]


def test_speech_without_a_pause_is_cut_at_a_quiet_moment() -> None:
    pcm = bytearray(noise(20))
    quiet = slice(2 * 7 * SAMPLE_RATE, 2 * (7 * SAMPLE_RATE + 1600))
    pcm[quiet] = bytes(3200)
    windows = run(bytes(pcm), speech_at((0.0, 20.0), seconds=20), 1600)
    first = next(window for window in windows if window.final)
    end = first.start_sample + len(first.pcm) // 2
    assert 7 * SAMPLE_RATE <= end <= 7 * SAMPLE_RATE + 1600


def test_a_flush_ends_the_utterance_at_once() -> None:
    segmenter = Utterances(Position(STEP, LONGEST), POLICY)
    segmenter.feed(noise(1.5))
    segmenter.note_speech([1.0] * (int(1.5 * SAMPLE_RATE) // FRAME))
    segmenter.flush()
    looks = [window for window in cut_all(segmenter) if window.seq is not None]
    assert [window.final for window in looks] == [True]
    assert looks[0].after.cut == round(1.5 * SAMPLE_RATE)


def flush_waits(segmenter: Utterances) -> bool:
    return segmenter.flush_requested


def test_a_flush_waits_for_what_the_detector_has_not_judged_yet() -> None:
    segmenter, spoken = Utterances(Position(STEP, LONGEST), POLICY), speech_at((0.5, 2.0), seconds=2)
    segmenter.feed(noise(2))
    segmenter.flush()
    for probability in spoken:
        assert flush_waits(segmenter)
        assert not [window for window in cut_all(segmenter) if window.final]
        segmenter.note_speech([probability])
    looks = [window for window in cut_all(segmenter) if window.seq is not None]
    assert [(window.final, window.after.cut) for window in looks] == [(True, 2 * SAMPLE_RATE)]
    assert not flush_waits(segmenter)


def test_a_flush_in_silence_is_done_once_it_is_judged_and_cuts_nothing_that_comes_later() -> None:
    segmenter = Utterances(Position(STEP, LONGEST), POLICY)
    segmenter.feed(noise(0.5))
    segmenter.flush()
    assert flush_waits(segmenter)
    segmenter.note_speech(speech_at(seconds=0.5))
    assert [window.seq for window in cut_all(segmenter)] == [None]
    assert not flush_waits(segmenter)
    segmenter.feed(noise(1.5))
    segmenter.note_speech([1.0] * (int(1.5 * SAMPLE_RATE) // FRAME))
    assert [window.final for window in cut_all(segmenter)] == [False]


def test_the_end_waits_for_what_the_detector_has_not_judged_yet() -> None:
    segmenter, pcm = Utterances(Position(STEP, LONGEST), POLICY), noise(4)
    segmenter.feed(pcm)
    segmenter.end()
    assert cut_all(segmenter) == []
    segmenter.note_speech(speech_at((0.5, 1.5), (2.5, 3.5), seconds=4))
    windows = cut_all(segmenter)
    assert [window.final for window in windows if window.seq is not None and window.final] == [True, True]
    assert windows[-1].after.ended


SPANS = st.lists(st.tuples(st.floats(0, 9), st.floats(0.1, 9)), max_size=4)


@settings(max_examples=60)
@given(spans=SPANS, chunk=st.integers(1, 9000), seconds=st.floats(0.1, 10), interim=st.booleans())
def test_every_sample_is_stored_once_and_speech_is_in_a_last_look(
    spans: list[tuple[float, float]], chunk: int, seconds: float, interim: bool
) -> None:
    pcm = noise(seconds)
    probabilities = speech_at(*[(begin, begin + length) for begin, length in spans], seconds=seconds)
    policy = UtterancePolicy(interim=interim, endpoint=POLICY.endpoint)
    windows = run(pcm, probabilities, max(chunk, len(pcm) // 400), policy)
    assert b"".join(window.fresh for window in windows) == pcm
    seqs = [window.seq for window in windows if window.seq is not None]
    assert seqs == list(range(windows[-1].after.next_seq))
    assert windows[-1].after.ended
    assert all(window.pcm.endswith(window.fresh) for window in windows)
    last_looks = [window for window in windows if window.final and window.seq is not None]
    covered = [(look.start_sample, look.start_sample + len(look.pcm) // 2) for look in last_looks]
    run_of = 0
    for frame, probability in enumerate(probabilities):
        run_of = run_of + 1 if probability > 0.5 else 0
        if run_of >= POLICY.endpoint.onset:
            at = frame * FRAME
            assert any(begin <= at < end for begin, end in covered)


@settings(max_examples=30)
@given(cut_after=st.integers(1, 12), chunk=st.integers(400, 5000))
def test_a_resumed_session_goes_on_where_the_last_window_ended(cut_after: int, chunk: int) -> None:
    pcm, probabilities = noise(9), speech_at((1.0, 3.0), (4.5, 7.0), seconds=9)
    windows = run(pcm, probabilities, chunk)[:cut_after]
    position = windows[-1].after
    kept = pcm[2 * position.next_start : 2 * position.cut]
    segmenter = Utterances(position, POLICY, kept)
    segmenter.feed(pcm[2 * position.cut :])
    segmenter.note_speech(probabilities[position.cut // FRAME :])
    segmenter.end()
    rest = cut_all(segmenter)
    assert b"".join(window.fresh for window in [*windows, *rest]) == pcm


SHARING = UtterancePolicy(endpoint=EndpointPolicy(silence=SAMPLE_RATE // 2), shared=SAMPLE_RATE // 2)


def sharing() -> Utterances:
    return Utterances(Position(STEP, 5 * SAMPLE_RATE), SHARING)


def fed(segmenter: Utterances, pcm: bytes, probabilities: list[float]) -> list[Window]:
    """In pieces of 0.1 s, each judged at once."""
    windows, judged = [], 0
    for start in range(0, len(pcm) // 2, 1600):
        segmenter.feed(pcm[2 * start : 2 * (start + 1600)])
        ready = (start + 1600) // FRAME
        segmenter.note_speech(probabilities[judged:ready])
        judged = ready
        windows += cut_all(segmenter)
    return windows


def test_windows_that_share_audio_follow_each_other_without_a_hole_while_speech_goes_on() -> None:
    segmenter = sharing()
    windows = fed(segmenter, noise(14), speech_at((1.0, 14.0), seconds=14))
    segmenter.end()
    looks = [window for window in (*windows, *cut_all(segmenter)) if window.seq is not None]
    ends = [window.start_sample + len(window.pcm) // 2 for window in looks]
    assert all(later - earlier <= STEP for earlier, later in itertools.pairwise(ends))
    finals = [window for window in looks if window.final]
    assert [len(window.pcm) // 2 for window in finals[:-1]] == [5 * SAMPLE_RATE] * (len(finals) - 1)
    for earlier, later in itertools.pairwise(finals):
        assert later.start_sample == earlier.start_sample + 5 * SAMPLE_RATE - SHARING.shared
    stored = b"".join(window.fresh for window in windows)
    assert len(stored) // 2 == windows[-1].after.cut


def test_a_flush_within_speech_shares_audio_too_and_a_second_one_finds_nothing_new() -> None:
    segmenter = sharing()
    fed(segmenter, noise(4), speech_at((0.5, 4.0), seconds=4))
    segmenter.flush()
    (last,) = cut_all(segmenter)
    assert last.final
    assert last.after.speaking
    assert last.after.next_start == last.after.cut - SHARING.shared
    segmenter.flush()
    assert cut_all(segmenter) == []
    assert not segmenter.flush_requested


def test_nothing_is_shared_across_a_pause() -> None:
    probabilities = speech_at((0.5, 2.0), (4.0, 6.0), seconds=8)
    looks = [window for window in fed(sharing(), noise(8), probabilities) if window.seq is not None]
    first = next(window for window in looks if window.final)
    second = next(window for window in looks if window.seq == (first.seq or 0) + 1)
    assert second.start_sample > first.start_sample + len(first.pcm) // 2 + SAMPLE_RATE


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from([0.0, 1.0]), min_size=8, max_size=40),
    st.integers(400, 40_000),
    st.lists(st.integers(0, 20), max_size=4),
)
def test_every_sample_is_stored_once_where_windows_share(
    blocks: list[float], chunk: int, flushes: list[int]
) -> None:
    seconds = len(blocks) / 2
    pcm = noise(seconds)
    probabilities = [
        blocks[min(i * FRAME * 2 // SAMPLE_RATE, len(blocks) - 1)] for i in range(len(pcm) // 2 // FRAME)
    ]
    segmenter, windows, judged = sharing(), [], 0
    for number, start in enumerate(range(0, len(pcm) // 2, chunk)):
        segmenter.feed(pcm[2 * start : 2 * (start + chunk)])
        ready = min(start + chunk, len(pcm) // 2) // FRAME
        segmenter.note_speech(probabilities[judged:ready])
        judged = max(judged, ready)
        if number in flushes:
            segmenter.flush()
        windows += cut_all(segmenter)
    segmenter.end()
    windows += cut_all(segmenter)
    assert b"".join(window.fresh for window in windows) == pcm
    assert windows[-1].after.ended
    assert [window.seq for window in windows if window.seq is not None] == list(
        range(windows[-1].after.next_seq)
    )
