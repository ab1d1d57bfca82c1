"""The training run in several one-thread processes that average their gradients."""

from __future__ import annotations

from collections.abc import Sequence
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
from training.cache import FEATURES
from training.export import HEAD_FILE
from training.restore import Variables
from training.student import Shape
from training.taught.learn import Head, Plan, Run
from training.taught.network import Ears, begun, exported, load, save
from training.taught.pretrained import ENCODER, Front, fit_front, whisper_variables
from training.taught.smaller import cut, expect_parts, importance
from training.taught.speech import Speech
from training.taught.windows import Cutter
from training.workers import free_port

FINE = FeatureConfig(n_mels=ENCODER.n_mels, hop_length=ENCODER.hop_length)
FRONT_WINDOW = 48_000
FRONT_STEPS = 400
SEED = 1
LISTENED_S, LISTENED_BATCHES = 24.0, 12
"""How much a network hears before its least important units are told."""


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker needs to know."""

    work: Path
    teacher: Path
    start: Path
    checkpoint: Path
    plan: Plan
    processes: int


def begin(work: Path, teacher: Path, layers: int, hop_length: int, file: Path) -> None:
    """Write the weights that training starts from: Whisper's encoder, for a longer hop than its own
    behind fitted convolutions."""
    variables = whisper_variables()
    ears = begun(variables, teacher, layers, hop_length)
    if hop_length != ENCODER.hop_length:
        _fit(ears, variables, Speech.open(work))
    save(ears, file)


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a trained model a smaller one begins with."""

    whole: Ears
    layers: Sequence[int]
    units: int

    @classmethod
    def of(cls, folder: Path, layers: Sequence[int] | None, units: int | None) -> Parts:
        """Of an exported model; ``None`` keeps all. Raises ValueError for parts that it does not have."""
        whole = exported(folder).eval()
        shape = whole.sizes.encoder
        kept = list(range(shape.encoder_layers)) if layers is None else layers
        parts = cls(whole, kept, shape.ffn if units is None else units)
        expect_parts(shape, parts.layers, parts.units)
        return parts


def begin_smaller(work: Path, teacher: Path, parts: Parts, file: Path) -> None:
    """Write the weights that a smaller model's training starts from. Which units matter most is heard on
    some windows of the store."""
    features = _features(parts.whole.sizes.encoder)
    cutter = Cutter(Speech.open(work), CtcHead.load(teacher / HEAD_FILE), SEED, features=features)
    heard = (torch.from_numpy(cutter.batch(LISTENED_S).features) for _ in range(LISTENED_BATCHES))
    save(cut(parts.whole, parts.layers, parts.units, importance(parts.whole, heard)), file)


def _features(shape: Shape) -> FeatureConfig:
    return replace(FEATURES, hop_length=shape.hop_length)


def _fit(ears: Ears, variables: Variables, speech: Speech) -> None:
    """Fit the convolutions to features of a longer hop."""
    coarse_features = replace(FINE, hop_length=ears.sizes.encoder.hop_length)
    rng = np.random.default_rng(SEED)
    pairs = []
    for _ in range(60):
        pieces: list[Floats] = []
        while len(pieces) < 8:
            piece = speech.samples(int(rng.integers(len(speech.clips))))[:FRONT_WINDOW]
            if piece.size == FRONT_WINDOW:
                pieces.append(piece * np.float32(10.0 ** rng.uniform(-1.2, 0.3)))
        coarse, fine = (
            np.stack([log_mel(piece, config)[:, : FRONT_WINDOW // config.hop_length] for piece in pieces])
            for config in (coarse_features, FINE)
        )
        pairs.append((coarse, fine))
    off = fit_front(ears.encoder, Front(variables), pairs, FRONT_STEPS)
    print(f"front: {off:.4f} of the variance of Whisper's convolutions is lost", flush=True)


def _work(rank: int, job: Job, port: int) -> None:
    torch.set_num_threads(1)
    if job.processes > 1:
        address = f"tcp://127.0.0.1:{port}"
        distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=job.processes)
    torch.manual_seed(job.plan.seed)
    ears = load(job.start)
    stored = CtcHead.load(job.teacher / HEAD_FILE)
    head = Head(torch.from_numpy(stored.weight), torch.from_numpy(stored.bias))
    run = Run(ears, job.plan, head, job.checkpoint, lead=rank == 0)
    features = _features(ears.sizes.encoder)
    seed = job.plan.seed * 1000 + 10 * run.progress.step + rank
    run.learn(Cutter(Speech.open(job.work), stored, seed, features=features))


def train(job: Job) -> None:
    """Run one training job to its end; resumes from its checkpoint."""
    share = replace(job.plan, seconds_per_step=job.plan.seconds_per_step / job.processes)
    job = replace(job, plan=share)
    if job.processes == 1:
        _work(0, job, 0)
        return
    start: Any = spawn
    start(_work, (job, free_port()), nprocs=job.processes)
