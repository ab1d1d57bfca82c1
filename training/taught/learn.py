"""The training loop: a teacher's states and posteriors at first, then the true sounds; resumable."""

from __future__ import annotations

import csv
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

from training.audio import SAMPLE_RATE
from training.learn import Averaged, average_gradients, padded, sounds_loss
from training.taught.network import Ears, save
from training.taught.windows import Batch, Cutter
from training.tokens import END, IGNORED, Target

LOSSES = ("posterior", "state", "sounds", "text")
"""Columns of the log after step, minutes and hours of audio heard."""
AVERAGED_SHARE = 0.1
"""Share of the steps so far that the averaged weights remember: pretrained weights change fast at first."""
REPORT_EVERY = 25
SAVE_EVERY_S = 150.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard to train. Rates are of the encoder; new parts learn ``fresh`` times faster."""

    minutes: float = 240.0
    peak_rate: float = 2e-4
    final_rate: float = 4e-6
    fresh: float = 5.0
    warmup_steps: int = 60
    seconds_per_step: float = 48.0
    weight_decay: float = 0.01
    text_weight: float = 0.3
    first_teaching: float = 1.0
    last_teaching: float = 0.3
    """Weight of the teacher at the beginning and at the end: what it heard on the clean recording says
    more of each frame than the true sounds alone do, and is nearly always right there."""
    dtype: str = "float32"
    """Of the matrix products: bfloat16 is faster only on processors that multiply it (AMX, AVX512-BF16)."""
    seed: int = 7

    def rate(self, step: int, spent_share: float) -> float:
        """Learning rate: linear warm-up, then a cosine over the time that is left."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, spent_share)))
        return warm * (self.final_rate + (self.peak_rate - self.final_rate) * fall)

    def teaching(self, spent_share: float) -> float:
        """Weight of the teacher against the true sounds."""
        return self.first_teaching + (self.last_teaching - self.first_teaching) * min(1.0, spent_share)


@dataclass(frozen=True, slots=True)
class Head:
    """The teacher's phoneme head: its posteriors from its states."""

    weight: Tensor
    bias: Tensor

    def posteriors(self, states: Tensor, taught: Tensor) -> Tensor:
        """``[batch, frames, symbols]``; silence where nobody was heard."""
        found = (states @ self.weight + self.bias).softmax(-1)
        silence = torch.zeros_like(found)
        silence[..., 0] = 1.0
        return torch.where(taught[..., None], found, silence)


@dataclass(frozen=True, slots=True)
class Losses:
    """Means of one batch: per frame, per state, per sound, per letter."""

    posterior: Tensor
    state: Tensor
    sounds: Tensor
    text: Tensor

    def total(self, teaching: float, plan: Plan) -> Tensor:
        """What is to be made smaller."""
        true = 0.3 + 0.7 * (1 - teaching)
        return (
            teaching * (self.posterior + 0.2 * self.state) + true * self.sounds + plan.text_weight * self.text
        )


def _text_loss(ears: Ears, memory: Tensor, targets: Sequence[Target]) -> Tensor:
    inputs = padded([item.inputs for item in targets], END)
    outputs = padded([item.outputs for item in targets], IGNORED)
    logits = ears.decoder(inputs, memory).float().flatten(0, 1)
    known = outputs.flatten() != IGNORED
    if not bool(known.any()):
        return logits.sum() * 0.0
    return functional.cross_entropy(logits, outputs.flatten(), ignore_index=IGNORED, label_smoothing=0.05)


def losses(ears: Ears, batch: Batch, head: Head, dtype: torch.dtype) -> Losses:
    """All losses of one batch."""
    states = torch.from_numpy(batch.states).float()
    taught = torch.from_numpy(batch.taught)
    wanted = head.posteriors(states, taught)
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        scores, memory = ears(torch.from_numpy(batch.features))
        text = _text_loss(ears, memory, batch.targets)
    scores = scores.float()
    posterior = -(wanted * scores.log_softmax(-1)).sum(-1).mean()
    state = scores.new_zeros(())
    if memory.shape == states.shape:
        apart = (memory.float() - states).square().mean(-1)
        state = (apart * taught).sum() / taught.sum().clamp(min=1)
    return Losses(posterior, state, sounds_loss(scores, batch.sounds), text)


def _optimiser(ears: Ears, plan: Plan) -> torch.optim.AdamW:
    groups = []
    old: list[nn.Module] = [ears.encoder, ears.decoder]
    new: list[nn.Module] = [ears.ctc] if ears.bridge is None else [ears.ctc, ears.bridge]
    for fresh, modules in ((1.0, old), (plan.fresh, new)):
        weights = [weight for module in modules for weight in module.parameters()]
        for chosen, decay in (
            ([weight for weight in weights if weight.ndim > 1], plan.weight_decay),
            ([weight for weight in weights if weight.ndim <= 1], 0.0),
        ):
            groups.append({"params": chosen, "weight_decay": decay, "fresh": fresh})
    return torch.optim.AdamW(groups, lr=plan.peak_rate, betas=(0.9, 0.98), eps=1e-8, fused=True)


def _feed(cutter: Cutter, seconds: float, ahead: int = 4) -> Queue[Batch | Exception]:
    queue: Queue[Batch | Exception] = Queue(ahead)

    def fill() -> None:
        while True:
            try:
                queue.put(cutter.batch(seconds))
            except Exception as error:
                queue.put(error)
                return

    Thread(target=fill, daemon=True).start()
    return queue


@dataclass(slots=True)
class Progress:
    """Where a run is."""

    step: int = 0
    spent_minutes: float = 0.0
    heard_s: float = 0.0


class Run:
    """One training run with its checkpoint and its log."""

    def __init__(self, ears: Ears, plan: Plan, head: Head, file: Path, lead: bool) -> None:
        self.ears, self.plan, self.head, self.file, self.lead = ears, plan, head, file, lead
        self.progress = Progress()
        self.optimiser = _optimiser(ears, plan)
        self.averaged = Averaged(ears)
        self._recent: list[list[float]] = []
        self._saved = time.monotonic()
        if file.exists():
            self._resume()

    def _resume(self) -> None:
        state = torch.load(self.file, weights_only=True)
        self.ears.load_state_dict(state["ears"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.averaged.weights = state["averaged"]
        self.progress = Progress(*state["progress"])

    def learn(self, cutter: Cutter) -> None:
        """Train until the plan's minutes are spent; wall clock, over all resumed runs."""
        batches = _feed(cutter, self.plan.seconds_per_step)
        self.ears.train()
        last = time.monotonic()
        while self.progress.spent_minutes < self.plan.minutes:
            batch = batches.get()
            if isinstance(batch, Exception):
                raise batch
            self._step(batch)
            now = time.monotonic()
            spent = torch.tensor(self.progress.spent_minutes + (now - last) / 60, dtype=torch.float64)
            if distributed.is_initialized():
                distributed.all_reduce(spent, distributed.ReduceOp.MAX)
            self.progress.spent_minutes, last = float(spent), now
            if self.lead and now - self._saved > SAVE_EVERY_S:
                self.save()
                self._saved = now
        if self.lead:
            self.save()

    def _step(self, batch: Batch) -> None:
        plan, progress = self.plan, self.progress
        share = progress.spent_minutes / plan.minutes
        rate = plan.rate(progress.step, share)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["fresh"]
        found = losses(self.ears, batch, self.head, getattr(torch, plan.dtype))
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(found.total(plan.teaching(share), plan))
        average_gradients(self.ears)
        norm = torch.nn.utils.clip_grad_norm_(self.ears.parameters(), 2.0)
        if torch.isfinite(norm):
            self.optimiser.step()
        progress.step += 1
        workers = distributed.get_world_size() if distributed.is_initialized() else 1
        count, _, frames = batch.features.shape
        progress.heard_s += count * frames * self.ears.sizes.encoder.hop_length / SAMPLE_RATE * workers
        if self.lead:
            self.averaged.follow(progress.step, AVERAGED_SHARE)
            self._report(found)

    def _report(self, found: Losses) -> None:
        values = (found.posterior, found.state, found.sounds, found.text)
        self._recent.append([value.item() for value in values])
        if self.progress.step % REPORT_EVERY:
            return
        means = np.nanmean(np.array(self._recent), axis=0)
        self._recent.clear()
        progress = self.progress
        row = [progress.step, round(progress.spent_minutes, 2), round(progress.heard_s / 3600, 3)]
        row += [round(float(mean), 4) for mean in means]
        with self.file.with_suffix(".csv").open("a", newline="") as log:
            csv.writer(log).writerow(row)
        names = ("step", "min", "hours", *LOSSES)
        print(
            "learn: " + " ".join(f"{name} {value}" for name, value in zip(names, row, strict=True)),
            flush=True,
        )

    def save(self) -> None:
        """Write a checkpoint in one move."""
        progress = self.progress
        save(
            self.ears,
            self.file,
            averaged=self.averaged.weights,
            optimiser=self.optimiser.state_dict(),
            progress=[progress.step, progress.spent_minutes, progress.heard_s],
        )
