"""The ways to decode live windows that are compared. Same model, same audio, same threads; all greedy, but
that Rattil looks again at windows it is unsure of, as it ships.

* `rattil-bN`: Rattil's own engine, windows at their own length, N sessions as one batch.
* `single-lock`: what a naive live server does: one window at a time, padded to 30 s, behind one lock.
* `transcribe`: one `faster_whisper.WhisperModel.transcribe` per window.
* `batched-pipeline`: `faster_whisper.BatchedInferencePipeline` with the windows of eight sessions
  as clips of one recording, the only way it can batch across sessions at all.

The last two get every option that helps them without changing what they are: no beam, no temperature
fallback, no timestamps, no voice activity detection, no suppressed tokens (the bundled model's
vocabulary is not OpenAI's), and the model's own bound of tokens.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import ctranslate2
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.engine import EngineItem
from asr_worker.engines.model_files import WHISPER_WINDOW_S, read_card
from asr_worker.engines.model_parts import ComputeOptions, load_head
from asr_worker.engines.prompting import Prompter
from benchmarks.speech import Floats, Heard
from shared.audio.features import FeatureConfig, log_mel
from shared.audio.formats import SAMPLE_RATE
from shared.hearing import Phone
from shared.protocol.segments import TaskOptions

PIPELINE_BATCH = 8
LANGUAGE = "ar"


class DecodingPath(Protocol):
    """One way to decode windows; `batch` windows are given at once."""

    name: str
    batch: int

    def decode(self, windows: Sequence[Floats]) -> list[Heard]:
        """What is heard in each window, in order. This is what is timed."""
        ...

    def sounds(self, windows: Sequence[Floats]) -> list[Heard]:
        """The same with phones, where this model and this way can give them; not timed."""
        ...


class RattilPath:
    """Rattil's engine as the worker uses it: phonemes, text, words, isolation and all."""

    def __init__(self, engine: CTranslate2Engine, batch: int) -> None:
        self.name = f"rattil-b{batch}"
        self.batch = batch
        self._engine = engine

    def decode(self, windows: Sequence[Floats]) -> list[Heard]:
        heard: list[Heard] = []
        for outcome in self._engine.decode([EngineItem(pcm) for pcm in windows]):
            if isinstance(outcome, Exception):
                raise outcome
            heard.append(Heard(outcome.text, outcome.phones))
        return heard

    def sounds(self, windows: Sequence[Floats]) -> list[Heard]:
        return self.decode(windows)


class SingleLockPath:
    """`encode` and `generate` of one 30 s window at a time, whatever its length was."""

    name = "single-lock"
    batch = 1

    def __init__(self, directory: Path, threads: int) -> None:
        card = read_card(directory)
        self._model: Any = ctranslate2.models.Whisper(
            str(directory), device="cpu", compute_type="int8", intra_threads=threads
        )
        self._features = FeatureConfig.load(directory)
        self._prompter = Prompter(directory, card, multilingual=bool(self._model.is_multilingual))
        self._max_length = 2 * card.max_new_tokens
        self._head = load_head(directory, card)
        self._lock = Lock()

    def decode(self, windows: Sequence[Floats]) -> list[Heard]:
        with self._lock:
            return [Heard(self._text(self._encoded(pcm))) for pcm in windows]

    def sounds(self, windows: Sequence[Floats]) -> list[Heard]:
        """A naive server has no phoneme head; with it one sees what the padding does to the states."""
        heard = []
        for pcm in windows:
            encoded = self._encoded(pcm)
            heard.append(Heard(self._text(encoded), self._phones(encoded, pcm)))
        return heard

    def _encoded(self, pcm: Floats) -> Any:
        padded = np.pad(pcm, (0, int(WHISPER_WINDOW_S * SAMPLE_RATE) - pcm.size))
        frames = int(WHISPER_WINDOW_S * SAMPLE_RATE) // self._features.hop_length
        mel = np.ascontiguousarray(log_mel(padded, self._features)[None, :, :frames])
        return self._model.encode(ctranslate2.StorageView.from_array(mel))

    def _phones(self, encoded: Any, pcm: Floats) -> tuple[Phone, ...] | None:
        if self._head is None:
            return None
        states = np.asarray(encoded.to(ctranslate2.DataType.float32), dtype=np.float32)[0]
        length_ms = pcm.size * 1000 // SAMPLE_RATE
        return tuple(
            phone for phone in self._head.greedy(self._head.log_probs(states)) if phone.start_ms < length_ms
        )

    def _text(self, encoded: Any) -> str:
        prompt = self._prompter.tokens(TaskOptions())
        result = self._model.generate(encoded, [prompt], beam_size=1, max_length=self._max_length)[0]
        return self._prompter.text(list(result.sequences_ids[0]))


class TranscribePath:
    """faster-whisper's front door, once per window."""

    name = "transcribe"
    batch = 1

    def __init__(self, model: WhisperModel, max_new_tokens: int) -> None:
        self._model = model
        self._max_new_tokens = max_new_tokens

    def decode(self, windows: Sequence[Floats]) -> list[Heard]:
        return [Heard(self._one(pcm)) for pcm in windows]

    def sounds(self, windows: Sequence[Floats]) -> list[Heard]:
        return self.decode(windows)

    def _one(self, pcm: Floats) -> str:
        segments, _ = self._model.transcribe(
            pcm,
            language=_language(self._model),
            beam_size=1,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
            vad_filter=False,
            suppress_tokens=[],
            max_new_tokens=self._max_new_tokens,
        )
        return " ".join(segment.text.strip() for segment in segments)


class BatchedPipelinePath:
    """faster-whisper's batched pipeline over the clips of several sessions."""

    name = "batched-pipeline"
    batch = PIPELINE_BATCH

    def __init__(self, model: WhisperModel, max_new_tokens: int) -> None:
        self._model = model
        self._pipeline = BatchedInferencePipeline(model)  # type: ignore[no-untyped-call]
        self._max_new_tokens = max_new_tokens

    def sounds(self, windows: Sequence[Floats]) -> list[Heard]:
        return self.decode(windows)

    def decode(self, windows: Sequence[Floats]) -> list[Heard]:
        ends = np.cumsum([pcm.size for pcm in windows])
        starts = ends - [pcm.size for pcm in windows]
        clips = [
            {"start": start / SAMPLE_RATE, "end": end / SAMPLE_RATE}
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
        segments, _ = self._pipeline.transcribe(
            np.concatenate(windows),
            language=_language(self._model),
            beam_size=1,
            temperature=0.0,
            without_timestamps=True,
            vad_filter=False,
            suppress_tokens=[],
            max_new_tokens=self._max_new_tokens,
            clip_timestamps=clips,
            batch_size=self.batch,
        )
        texts = [""] * len(windows)
        for segment in segments:
            # A clip's segment begins within the clip; empty clips give none.
            place = int(np.searchsorted(ends, segment.start * SAMPLE_RATE, side="right"))
            texts[min(place, len(windows) - 1)] += " " + segment.text.strip()
        return [Heard(text.strip()) for text in texts]


def open_paths(directory: Path, threads: int, batches: Sequence[int]) -> list[DecodingPath]:
    """Every way that this model can go; each has its own copy of the weights in memory."""
    engine = CTranslate2Engine(directory, ComputeOptions("cpu", "int8", threads))
    paths: list[DecodingPath] = [RattilPath(engine, batch) for batch in batches]
    paths.append(SingleLockPath(directory, threads))
    # A model whose files faster-whisper cannot read is still measured in the other ways.
    with contextlib.suppress(RuntimeError, ValueError, OSError):
        model = WhisperModel(str(directory), device="cpu", compute_type="int8", cpu_threads=threads)
        tokens = read_card(directory).max_new_tokens
        paths += [TranscribePath(model, tokens), BatchedPipelinePath(model, tokens)]
    return paths


def _language(model: WhisperModel) -> str | None:
    """A model of one language takes none."""
    return LANGUAGE if model.model.is_multilingual else "en"
