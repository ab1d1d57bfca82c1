"""The training run in several one-thread processes that average their gradients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

from asr_worker.engines.ctc_head import CtcHead
from shared.audio.features import FeatureConfig, log_mel
from training.audio import Floats
from training.taught.learn import Head, Plan, Run
from training.taught.network import begun, load, save
from training.taught.pretrained import Front, fit_front, whisper_variables
from training.taught.speech import Speech
from training.taught.windows import Cutter
from training.workers import free_port

FINE = FeatureConfig(n_mels=80, hop_length=160)
COARSE = FeatureConfig(n_mels=80, hop_length=320)
FRONT_WINDOW = 48_000
FRONT_STEPS = 400


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker needs to know."""

    work: Path
    teacher: Path
    start: Path
    checkpoint: Path
    plan: Plan
    processes: int


def begin(work: Path, teacher: Path, layers: int, file: Path) -> None:
    """Write the weights that training starts from: Whisper's encoder behind fitted convolutions."""
    variables = whisper_variables()
    ears = begun(variables, teacher, layers)
    speech = Speech.open(work)
    rng = np.random.default_rng(1)
    pairs = []
    for _ in range(60):
        pieces: list[Floats] = []
        while len(pieces) < 8:
            piece = speech.samples(int(rng.integers(len(speech.clips))))[:FRONT_WINDOW]
            if piece.size == FRONT_WINDOW:
                pieces.append(piece * np.float32(10.0 ** rng.uniform(-1.2, 0.3)))
        coarse, fine = (
            np.stack([log_mel(piece, config)[:, : FRONT_WINDOW // config.hop_length] for piece in pieces])
            for config in (COARSE, FINE)
        )
        pairs.append((coarse, fine))
    off = fit_front(ears.encoder, Front(variables), pairs, FRONT_STEPS)
    print(f"front: {off:.4f} of the variance of Whisper's convolutions is lost", flush=True)
    save(ears, file)


def _work(rank: int, job: Job, port: int) -> None:
    torch.set_num_threads(1)
    if job.processes > 1:
        address = f"tcp://127.0.0.1:{port}"
        distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=job.processes)
    torch.manual_seed(job.plan.seed)
    ears = load(job.start)
    stored = CtcHead.load(job.teacher / "ctc_head.npz")
    head = Head(torch.from_numpy(stored.weight), torch.from_numpy(stored.bias))
    run = Run(ears, job.plan, head, job.checkpoint, lead=rank == 0)
    run.learn(Cutter(Speech.open(job.work), stored, job.plan.seed * 1000 + 10 * run.progress.step + rank))


def train(job: Job) -> None:
    """Run one training job to its end; resumes from its checkpoint."""
    share = replace(job.plan, seconds_per_step=job.plan.seconds_per_step / job.processes)
    job = replace(job, plan=share)
    if job.processes == 1:
        _work(0, job, 0)
        return
    start: Any = spawn
    start(_work, (job, free_port()), nprocs=job.processes)
