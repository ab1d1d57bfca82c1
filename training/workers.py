"""Training in several one-thread processes that average their gradients once a step.

On a machine that does other work too, threads inside every matrix product wait for one another
thousands of times a step; processes wait once.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

from training.learn import Plan, learn
from training.passages import SYMBOLS
from training.prepare import corpus
from training.student import Shape, Student
from training.tokens import VOCABULARY
from training.windows import Cutter


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker needs to know."""

    data: Path
    work: Path
    checkpoint: Path
    start_from: Path | None
    plan: Plan
    processes: int


def fresh_student() -> Student:
    """The bundled model's shape, untrained."""
    return Student(Shape(symbols=len(SYMBOLS), vocabulary=len(VOCABULARY)))


def load_student(checkpoint: Path) -> Student:
    """The averaged weights of a checkpoint, ready to listen."""
    state = torch.load(checkpoint, weights_only=True)
    student = fresh_student()
    student.load_state_dict(state["student"])
    for weight, mean in zip(student.parameters(), state["averaged"], strict=True):
        weight.data.copy_(mean)
    return student.eval()


def _work(rank: int, job: Job, port: int) -> None:
    torch.set_num_threads(1)
    if job.processes > 1:
        address = f"tcp://127.0.0.1:{port}"
        distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=job.processes)
    torch.manual_seed(job.plan.seed)
    student = fresh_student()
    if job.start_from is not None:
        student = load_student(job.start_from)
    cutter = Cutter(corpus(job.data, job.work), job.plan.seed * 1000 + rank)
    learn(student, cutter, job.plan, job.checkpoint, lead=rank == 0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def train(job: Job) -> None:
    """Run one training job to its end; resumes from its checkpoint."""
    share = replace(job.plan, seconds_per_step=job.plan.seconds_per_step / job.processes)
    job = replace(job, plan=share)
    if job.processes == 1:
        _work(0, job, 0)
    else:
        start: Any = spawn
        start(_work, (job, free_port()), nprocs=job.processes)
