"""The training loop: frame targets, CTC and letters at once; resumable at any checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Thread

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from training.student import Student
from training.tokens import END, IGNORED, Target
from training.windows import Batch, Cutter

REPORT_EVERY = 100
SAVE_EVERY = 500
AVERAGE_EVERY = 4
AVERAGE_SHARE = 0.01
"""Share of the live weights in each update of their average: a memory of 400 steps."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard to train."""

    minutes: float
    peak_rate: float = 1.2e-3
    final_rate: float = 1e-5
    warmup_steps: int = 300
    seconds_per_step: float = 120.0
    weight_decay: float = 0.02
    frame_weight: float = 0.4
    ctc_weight: float = 0.7
    text_weight: float = 0.5
    seed: int = 7

    def rate(self, step: int, spent_share: float) -> float:
        """Learning rate: linear warm-up, then a cosine over the time that is left."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, spent_share)))
        return warm * (self.final_rate + (self.peak_rate - self.final_rate) * fall)


def padded(rows: Sequence[Sequence[int]], filler: int) -> Tensor:
    """Ragged rows as one tensor."""
    width = max(1, max(len(row) for row in rows))
    return torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows])


def _text_loss(student: Student, memory: Tensor, targets: Sequence[Target]) -> Tensor:
    inputs = padded([item.inputs for item in targets], END)
    outputs = padded([item.outputs for item in targets], IGNORED)
    logits = student.decoder(inputs, memory).float()
    return functional.cross_entropy(
        logits.flatten(0, 1), outputs.flatten(), ignore_index=IGNORED, label_smoothing=0.05
    )


def losses(student: Student, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Mean frame, CTC (per sound) and letter losses of one batch."""
    with torch.autocast("cpu", torch.bfloat16):
        memory = student.encoder(torch.from_numpy(batch.features))
        frame_logits = student.frame(memory).float()
        ctc_logits = student.ctc(memory).float()
        text = _text_loss(student, memory, batch.targets)
    frame = functional.cross_entropy(
        frame_logits.flatten(0, 1), torch.from_numpy(batch.labels).flatten(), label_smoothing=0.05
    )
    return frame, sounds_loss(ctc_logits, batch.sounds), text


def sounds_loss(scores: Tensor, sounds: Sequence[Sequence[int]]) -> Tensor:
    """CTC loss for each true sound, ``scores [batch, frames, symbols]``."""
    counts = torch.tensor([len(row) for row in sounds])
    total: Tensor = functional.ctc_loss(
        scores.log_softmax(-1).transpose(0, 1),
        padded(sounds, 0),
        torch.full((len(sounds),), scores.shape[1]),
        counts,
        reduction="sum",
        zero_infinity=True,
    )
    return total / max(1, int(counts.sum()))


def _optimiser(student: Student, plan: Plan) -> torch.optim.AdamW:
    matrices = [weight for weight in student.parameters() if weight.ndim > 1]
    vectors = [weight for weight in student.parameters() if weight.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": plan.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.peak_rate, betas=(0.9, 0.98), eps=1e-8, fused=True)


def _feed(cutter: Cutter, seconds: float, ahead: int = 6) -> Queue[Batch]:
    queue: Queue[Batch] = Queue(ahead)

    def fill() -> None:
        while True:
            queue.put(cutter.batch(seconds))

    Thread(target=fill, daemon=True).start()
    return queue


class Averaged:
    """A running mean of the weights over the last few hundred steps: what gets exported."""

    def __init__(self, student: nn.Module) -> None:
        self._live = list(student.parameters())
        self.weights = [weight.detach().clone() for weight in self._live]

    def follow(self, step: int, youth: float = 1.0) -> None:
        """Move towards the live weights, now and then; faster while training is young.

        The memory is the last ``youth`` of all steps so far, and at most that of ``AVERAGE_SHARE``.
        """
        if step % AVERAGE_EVERY:
            return
        share = max(AVERAGE_SHARE, AVERAGE_EVERY / (youth * step + AVERAGE_EVERY))
        torch._foreach_lerp_(self.weights, [weight.detach() for weight in self._live], share)


def save(
    student: Student,
    averaged: Averaged,
    optimiser: torch.optim.Optimizer,
    progress: tuple[int, float],
    file: Path,
) -> None:
    """Write a checkpoint (step and minutes spent are its ``progress``) in one move."""
    partial = file.with_suffix(".partial")
    state = {
        "student": student.state_dict(),
        "averaged": averaged.weights,
        "optimiser": optimiser.state_dict(),
        "step": progress[0],
        "spent": progress[1],
    }
    torch.save(state, partial)
    partial.replace(file)


def average_gradients(student: nn.Module) -> None:
    """Mean of the workers' gradients, in every worker."""
    if not distributed.is_initialized():
        return
    gradients = [weight.grad for weight in student.parameters() if weight.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    sizes = [gradient.numel() for gradient in gradients]
    for gradient, mean in zip(gradients, torch.split(flat, sizes), strict=True):
        gradient.copy_(mean.view_as(gradient))


def _agreed(spent: float) -> float:
    """The time that the slowest worker has spent, so that all stop at the same step."""
    if not distributed.is_initialized():
        return spent
    clock = torch.tensor(spent, dtype=torch.float64)
    distributed.all_reduce(clock, distributed.ReduceOp.MAX)
    return float(clock)


class _Report:
    """Mean losses since the last line."""

    def __init__(self, total_minutes: float) -> None:
        self._total = total_minutes
        self._recent: list[list[float]] = []

    def add(self, step: int, spent: float, *values: Tensor) -> None:
        self._recent.append([value.item() for value in values])
        if step % REPORT_EVERY == 0:
            frame, ctc, text = np.nanmean(np.array(self._recent), axis=0)
            self._recent.clear()
            progress = f"step {step} {spent:.1f}/{self._total:.0f} min"
            print(f"learn: {progress} frame {frame:.3f} ctc {ctc:.3f} text {text:.3f}", flush=True)


def learn(student: Student, cutter: Cutter, plan: Plan, file: Path, lead: bool = True) -> None:
    """Train for ``plan.minutes`` of wall clock, resuming from ``file`` where it exists.

    Where ``torch.distributed`` is set up, gradients are averaged over its workers; the ``lead``
    reports and saves.
    """
    torch.manual_seed(plan.seed)
    optimiser = _optimiser(student, plan)
    averaged = Averaged(student)
    step, earlier = 0, 0.0
    if file.exists():
        state = torch.load(file, weights_only=True)
        student.load_state_dict(state["student"])
        optimiser.load_state_dict(state["optimiser"])
        averaged.weights = state["averaged"]
        step, earlier = state["step"], state["spent"]
    batches = _feed(cutter, plan.seconds_per_step)
    report = _Report(plan.minutes)
    student.train()
    spent, begun = earlier, time.monotonic()
    while spent < plan.minutes:
        for group in optimiser.param_groups:
            group["lr"] = plan.rate(step, spent / plan.minutes)
        frame, ctc, text = losses(student, batches.get())
        loss = plan.frame_weight * frame + plan.ctc_weight * ctc + plan.text_weight * text
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        average_gradients(student)
        norm = torch.nn.utils.clip_grad_norm_(student.parameters(), 2.0)
        if torch.isfinite(norm):
            optimiser.step()
        step += 1
        spent = _agreed(earlier + (time.monotonic() - begun) / 60)
        if lead:
            averaged.follow(step)
            report.add(step, spent, frame, ctc, text)
            if step % SAVE_EVERY == 0:
                save(student, averaged, optimiser, (step, spent), file)
    if lead:
        save(student, averaged, optimiser, (step, spent), file)
