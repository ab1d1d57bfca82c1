"""What a worker loads when nobody says how."""

from __future__ import annotations

import pytest

from asr_worker.engines.loading import engine_threads, load_engine
from asr_worker.engines.scripted import ScriptedEngine
from asr_worker.settings import WorkerSettings


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 3), (5, 4), (64, 4)])
def test_one_core_is_left_to_the_rest_of_the_worker(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert engine_threads(0) == threads


def test_what_is_set_is_taken() -> None:
    assert engine_threads(7) == 7


def test_the_scripted_engine_needs_no_model() -> None:
    assert isinstance(load_engine(WorkerSettings(engine="scripted")), ScriptedEngine)
