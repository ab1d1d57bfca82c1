"""CTC head: decoding, alternatives and alignment."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from asr_worker.engines.ctc_head import CtcHead, Floats, forced_alignment

SYMBOLS = ("<blank>", "a", "b", "n")


def head() -> CtcHead:
    return CtcHead(np.eye(4, dtype=np.float32), np.zeros(4, dtype=np.float32), SYMBOLS, blank=0, frame_ms=40)


def posteriors(rows: list[list[float]]) -> Floats:
    return np.log(np.array(rows, dtype=np.float32))


def frames(*winners: int, confidence: float = 0.91) -> Floats:
    rows = np.full((len(winners), 4), (1 - confidence) / 3, dtype=np.float32)
    rows[np.arange(len(winners)), winners] = confidence
    return np.log(rows)


def test_repeats_merge_and_blanks_part() -> None:
    heard = head().greedy(frames(0, 1, 1, 0, 1, 2, 0))
    assert [phone.symbol for phone in heard] == ["a", "a", "b"]
    assert [(phone.start_ms, phone.end_ms) for phone in heard] == [(40, 120), (160, 200), (200, 240)]


def test_alternatives_are_likely_sounds_only() -> None:
    heard = head().greedy(posteriors([[0.2, 0.5, 0.26, 0.04], [0.3, 0.6, 0.03, 0.07]]))
    assert len(heard) == 1
    assert heard[0].confidence == pytest.approx(0.6, abs=1e-3)
    assert [symbol for symbol, _ in heard[0].alternatives] == ["b", "n"]
    assert [chance for _, chance in heard[0].alternatives] == pytest.approx([0.26, 0.07], abs=1e-3)


def test_nothing_heard_in_nothing() -> None:
    assert head().greedy(np.zeros((0, 4), dtype=np.float32)) == []
    assert head().greedy(frames(0, 0, 0)) == []


def test_log_probs_sum_to_one() -> None:
    states = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    logs = head().log_probs(states)
    np.testing.assert_allclose(np.exp(logs).sum(axis=-1), 1.0, rtol=1e-5)


def test_a_head_survives_its_file(tmp_path: Path) -> None:
    head().save(tmp_path / "head.npz")
    loaded = CtcHead.load(tmp_path / "head.npz")
    assert loaded.symbols == SYMBOLS
    assert loaded.blank == 0
    assert loaded.frame_ms == 40
    np.testing.assert_array_equal(loaded.weight, head().weight)


def test_a_head_of_wrong_size_is_refused(tmp_path: Path) -> None:
    CtcHead(np.eye(4, dtype=np.float32), np.zeros(4, dtype=np.float32), SYMBOLS[:3], 0, 40).save(
        tmp_path / "head.npz"
    )
    with pytest.raises(ValueError, match="differ in size"):
        CtcHead.load(tmp_path / "head.npz")


def test_alignment_finds_the_sounds() -> None:
    spans = head().align(frames(0, 1, 1, 0, 0, 2, 3, 3, 0), [1, 2, 3])
    assert [(span.start_frame, span.end_frame) for span in spans] == [(1, 3), (5, 6), (6, 8)]
    assert all(span.mean_logprob == pytest.approx(np.log(0.91), abs=1e-3) for span in spans)


def test_equal_neighbours_need_a_blank_between() -> None:
    spans = head().align(frames(1, 1, 1), [1, 1])
    assert [(span.start_frame, span.end_frame) for span in spans] == [(0, 1), (2, 3)]
    with pytest.raises(ValueError, match="do not fit"):
        head().align(frames(1, 1), [1, 1])


def test_alignment_is_the_best_of_all_paths() -> None:
    rng = np.random.default_rng(3)
    wanted = [2, 1, 1]
    for _ in range(20):
        logs = head().log_probs(rng.normal(size=(6, 4)).astype(np.float32))
        best = max(
            sum(float(logs[frame, sign]) for frame, sign in enumerate(path))
            for path in itertools.product(range(4), repeat=6)
            if [sign for sign, _ in itertools.groupby(path) if sign] == wanted
        )
        spans = forced_alignment(logs, wanted, 0)
        found = sum((span.end_frame - span.start_frame) * span.mean_logprob for span in spans)
        covered = {frame for span in spans for frame in range(span.start_frame, span.end_frame)}
        found += sum(float(logs[frame, 0]) for frame in range(6) if frame not in covered)
        assert found == pytest.approx(best, abs=1e-4)


def test_nothing_to_align() -> None:
    assert head().align(frames(0, 1), []) == []
    with pytest.raises(ValueError, match="0 frames"):
        head().align(frames(), [1])
