"""`rattil bench asr`: segments per second and word error rate of the ways to decode live windows.

Read it like this: `speedup` is the median rate of a way over that of the single lock, in the same
process, on the same cores, in interleaved rounds. One pinned core shows what a core is worth; all
cores show what the machine is worth. The stage table says where the time of one segment goes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
from rich.console import Console

from asr_worker.engines.model_files import read_card
from benchmarks.asr.cuda import cuda_devices, cuda_table, measure_cuda
from benchmarks.asr.rounds import RoundsFigures, RoundsOrder, Voice
from benchmarks.asr.stages import STAGES
from benchmarks.figures import median
from benchmarks.machine import ROOT, available_cores
from benchmarks.report import Report, Table
from cli.modelling import recordings

BATCHES = (1, 4, 8, 16)
BASELINE = "single-lock"
NO_CUDA = "no CUDA device: the models of base and large-v3-turbo shape were not measured"


def run_asr(
    model: Path, console: Console, *, quick: bool, voices: Sequence[recordings.Recording] = ()
) -> Report:
    """Measure on one pinned core, then (not with `quick`) on all of them.

    `voices`: recordings without mistakes for the error rates, in place of the bundled ones.
    """
    cores = sorted(os.sched_getaffinity(0))
    samples = ("ikhlas_clean",) if quick else ("fatiha_clean", "ikhlas_clean")
    rounds = 3 if quick else 5
    configurations = [(1, cores[-1:])]
    if len(cores) > 1 and not quick:
        configurations.append((len(cores), cores))
    measured: list[RoundsFigures] = []
    for threads, pinned in configurations:
        console.print(f"{threads} thread(s) on cores {pinned} …", style="dim")
        order = RoundsOrder(str(model), threads, BATCHES, rounds, samples, _given(voices))
        measured.append(_in_own_process(order, pinned))
    report = _report(model, measured)
    if not cuda_devices():
        return replace(report, notes=[*report.notes, NO_CUDA])
    rates = measure_cuda(model, quick=quick)
    figures = {**report.figures, "cuda": msgspec.to_builtins(rates)}
    return replace(report, tables=[*report.tables, cuda_table(rates)], figures=figures)


def _given(voices: Sequence[recordings.Recording]) -> tuple[Voice, ...]:
    return tuple(Voice(str(voice.path.resolve()), str(voice.verses)) for voice in voices)


def _in_own_process(order: RoundsOrder, cores: Sequence[int]) -> RoundsFigures:
    """NumPy's and CTranslate2's threads are fixed when they load: hence a process per configuration."""
    threads = str(order.threads)
    # One BLAS thread: the products outside of the engine are small, threads that spin for them only cost.
    fixed = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.asr.rounds"],
        input=msgspec.json.encode(order),
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
        env={**os.environ, **fixed},
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return msgspec.json.decode(done.stdout, type=RoundsFigures)


def _report(model: Path, measured: Sequence[RoundsFigures]) -> Report:
    one_core = measured[0]
    best = max(
        (path for path in one_core.paths if path.name.startswith("rattil")),
        key=lambda path: median(path.segments_per_s),
    )
    baseline = next(path for path in one_core.paths if path.name == BASELINE)
    card = read_card(model)
    return Report(
        name="asr",
        headline={
            "speedup_vs_single_lock": speedups(one_core)[best.name],
            "ms_per_segment_3s_b8": round(median(one_core.compared_ms), 2),
            "wer_rattil": best.wer,
            "wer_single_lock": baseline.wer,
            "text_wer_rattil": best.text_wer,
            "text_wer_single_lock": baseline.text_wer,
        },
        tables=[table for figures in measured for table in (_rates(figures), _stages(figures))],
        figures={"configurations": msgspec.to_builtins(measured), "cores": available_cores()},
        model=f"{card.name} {card.version}".strip(),
    )


def speedups(figures: RoundsFigures) -> dict[str, float]:
    """Median rate of each way over that of the single lock."""
    rates = {path.name: median(path.segments_per_s) for path in figures.paths}
    return {name: rate / rates[BASELINE] for name, rate in rates.items()}


def _rates(figures: RoundsFigures) -> Table:
    times = speedups(figures)
    rows = []
    for path in figures.paths:
        rate = median(path.segments_per_s)
        spread = f"{min(path.segments_per_s):.2f}-{max(path.segments_per_s):.2f}"
        rows.append(
            [
                path.name,
                f"{rate:.2f}",
                spread,
                f"{1000 / rate:.1f}",
                f"{times[path.name]:.1f}x",
                f"{path.wer:.3f}",
                f"{path.text_wer:.3f}",
            ]
        )
    return Table(
        f"{figures.windows} windows of 2.5 s (overlap 0.5 s), {figures.threads} thread(s)",
        ("way", "segments/s", "range", "ms/segment", "speedup", "WER", "text WER"),
        rows,
        "median of interleaved rounds; WER: words that the alignment does not find correct, by phones "
        "where the way gives them (rattil, single-lock), else by text; text WER: of the decoder's text; "
        f"both on {figures.judged} recordings",
    )


def _stages(figures: RoundsFigures) -> Table:
    rows = [
        [
            f"{split.window_s:g} s, batch {split.batch}",
            *(f"{split.ms[stage]:.1f}" for stage in STAGES),
            f"{split.total_ms:.1f}",
        ]
        for split in figures.stages
    ]
    return Table(
        f"Rattil's milliseconds per segment, {figures.threads} thread(s)", ("", *STAGES, "total"), rows
    )
