"""Runs an exported model the way the worker does: padded windows, CTC sounds, decoder text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import ctranslate2
import numpy as np

from asr_worker.engines.ctc_head import CtcHead
from shared.audio.features import FeatureConfig, log_mel
from shared.hearing import Phone
from training.audio import SAMPLE_RATE, Floats


class Listener:
    """An exported model directory on one core."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self._model = ctranslate2.models.Whisper(
            str(folder), device="cpu", compute_type="int8", intra_threads=threads
        )
        self._head = CtcHead.load(folder / "ctc_head.npz")
        self._features = FeatureConfig.load(folder)
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        self._prompt: list[str] = card["prompt"]
        self._longest: int = card["max_new_tokens"]
        self._bucket = round(card["context"]["bucket_seconds"] * SAMPLE_RATE)
        self.max_samples = round(card["context"]["max_seconds"] * SAMPLE_RATE)

    def _encode(self, pcm: Floats) -> ctranslate2.StorageView:
        wanted = max(SAMPLE_RATE, -(-pcm.size // self._bucket) * self._bucket)
        features = log_mel(np.pad(pcm, (0, wanted - pcm.size)), self._features)
        return self._model.encode(ctranslate2.StorageView.from_array(features[None]))

    def sounds(self, pcm: Floats) -> list[Phone]:
        """Sounds of one window of at most ``max_samples``."""
        states = np.array(self._encode(pcm))[0]
        return self._head.greedy(self._head.log_probs(states))

    def text(self, pcm: Floats) -> str:
        """What the decoder writes for one window."""
        result = self._model.generate(
            self._encode(pcm), [self._prompt], beam_size=1, max_length=self._longest
        )[0]
        return "".join(result.sequences[0]).replace("\u2581", " ").strip()

    def stream(self, pcm: Floats, window_s: float, overlap_s: float) -> list[str]:
        """Sounds of a long recording heard in overlapping windows.

        A sound counts where its centre lies before the middle of the overlap with the next
        window and after the middle of the overlap with the one before.
        """
        window, hop = round(window_s * SAMPLE_RATE), round((window_s - overlap_s) * SAMPLE_RATE)
        margin_ms = overlap_s * 500
        starts = range(0, max(1, pcm.size - round(overlap_s * SAMPLE_RATE)), hop)
        heard: list[str] = []
        for start in starts:
            final = start + window >= pcm.size
            low = 0.0 if start == 0 else margin_ms
            high = float("inf") if final else window_s * 1000 - margin_ms
            phones = self.sounds(pcm[start : start + window])
            heard += [phone.symbol for phone in phones if low <= (phone.start_ms + phone.end_ms) / 2 < high]
            if final:
                break
        return heard


def join(parts: Sequence[str]) -> str:
    """Sounds as one string, for people."""
    return "".join(parts)
