"""The simulation behaves as queues do, and the sums add up."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks.capacity.costs import Costs, read_costs
from benchmarks.capacity.needs import needs, stored_bytes
from benchmarks.capacity.simulation import largest, sessions_per_worker, simulate
from gateway.settings import GatewaySettings

COSTS = Costs(batch_s=0.004, segment_s=0.005, overhead_s=0.01)


def test_an_idle_worker_takes_service_time_and_overhead() -> None:
    assert 0.015 < simulate(1, 1, COSTS) < 0.04


def test_latency_grows_with_load_and_falls_with_workers() -> None:
    few, many = simulate(50, 1, COSTS), simulate(300, 1, COSTS)
    assert few < many
    assert simulate(300, 4, COSTS) < many


def test_the_same_seed_gives_the_same_figure() -> None:
    assert simulate(100, 1, COSTS, seed=5) == simulate(100, 1, COSTS, seed=5)


def test_a_worker_holds_no_more_than_its_rate_allows() -> None:
    at_most = 2 / (COSTS.segment_s + COSTS.batch_s / COSTS.max_batch)
    assert 0.5 * at_most < sessions_per_worker(COSTS) < 1.1 * at_most


def test_the_search_finds_the_edge() -> None:
    assert largest(lambda n: n <= 37, 100) == 37
    assert largest(lambda n: n <= 37, 20) == 20
    assert largest(lambda n: False, 20) == 0


def test_ten_times_the_reciters_need_ten_times_the_machines() -> None:
    one, ten = needs(10_000, 200, COSTS), needs(100_000, 200, COSTS)
    assert one.segments_per_s == 5_000
    assert one.workers == 50
    assert ten.workers == 500
    assert ten.redis_shards == pytest.approx(10 * one.redis_shards, abs=9)
    assert ten.client_gb_s == pytest.approx(10 * one.client_gb_s)


def test_what_binds_the_shards_is_named() -> None:
    slow = msgspec.structs.replace(COSTS, redis_cpu_per_segment_s=0.01)
    assert needs(10_000, 200, slow).redis_bound == "CPU"
    hoarding = msgspec.structs.replace(COSTS, stored_bytes_per_s=32_000, session_minutes=60)
    assert needs(10_000, 200, hoarding).redis_bound == "memory"


def test_redis_holds_ended_sessions_as_well_as_live_ones() -> None:
    """1,000 reciters, 5 minutes each, 60 s kept: 1,000 half done and 200 ended, 32 kB a second."""
    audio = msgspec.structs.replace(COSTS, result_bytes=0, session_bytes=0)
    assert stored_bytes(1_000, audio) == 1_000 * 150 * 32_000 + 200 * 300 * 32_000
    assert needs(1_000, 200, audio).redis_gb == pytest.approx(6.72)


def test_an_ended_session_is_counted_as_long_as_gateways_keep_it() -> None:
    assert Costs().ended_kept_s == GatewaySettings.model_fields["session_end_grace_s"].default


def test_a_shorter_memory_needs_less_of_it() -> None:
    whole = stored_bytes(1_000, COSTS)
    assert stored_bytes(1_000, msgspec.structs.replace(COSTS, ended_kept_s=0)) < 0.75 * whole
    assert stored_bytes(1_000, msgspec.structs.replace(COSTS, stored_tail_s=30)) < 0.2 * whole
    assert stored_bytes(1_000, msgspec.structs.replace(COSTS, stored_tail_s=9_999)) == whole


def test_costs_come_from_the_other_benchmarks(tmp_path: Path) -> None:
    rates = [
        {"name": f"rattil-b{n}", "batch": n, "segments_per_s": [n / (0.01 + 0.002 * n)]} for n in (1, 4, 8)
    ]
    other = {"name": "single-lock", "batch": 1, "segments_per_s": [1.0]}
    asr = {"figures": {"configurations": [{"paths": [*rates, other]}]}}
    (tmp_path / "asr.json").write_bytes(msgspec.json.encode(asr))
    run = {"redis_us": 250.0, "store_audio": "tail"}
    (tmp_path / "bus.json").write_bytes(msgspec.json.encode({"figures": {"runs": [run]}}))
    costs = read_costs(tmp_path)
    assert costs.batch_s == pytest.approx(0.01)
    assert costs.segment_s == pytest.approx(0.002)
    assert costs.redis_cpu_per_segment_s == pytest.approx(0.00025)
    assert costs.source == ("asr.json", "bus.json")


def test_without_files_there_are_defaults(tmp_path: Path) -> None:
    assert read_costs(None) == read_costs(tmp_path) == Costs()
