"""Whisper through CTranslate2: many short windows of many sessions as one batch.

Windows are padded to their own bucket (silence at the end), never to 30 s unless the model's card
says so; on one core a 3 s window costs about 1/20 of a padded one (docs/models.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from asr_worker.engine import EngineCapabilities, EngineItem, EngineOutput
from asr_worker.engines.isolate import decode_isolated
from asr_worker.engines.model_files import checked, read_card
from asr_worker.engines.model_parts import (
    ComputeOptions,
    choose_device,
    feature_config,
    load_head,
    load_whisper,
)
from asr_worker.engines.prompting import Prompter
from asr_worker.engines.word_times import timed_words
from asr_worker.features import log_mel
from shared.errors import BadAudio, DecodeFailed
from shared.hearing import HeardWord, Phone

Floats = NDArray[np.float32]

SAMPLE_RATE = 16_000
ENCODER_STRIDE = 2
"""Whisper's second convolution halves the frame rate."""
DYNAMIC_RANGE = 2.0
"""Whisper's features never go lower than this below a window's loudest cell (8 decades / 4)."""
SILENT_FLOOR = -1.5
"""... and never lower than this, the feature of digital silence: (log10(1e-10) + 4) / 4."""
NO_SPEECH_PROBABILITY = 0.6
NO_SPEECH_LOG_PROBABILITY = -1.0
"""Whisper's own rule for "nobody spoke" (Radford et al. 2022, section 4.5); stock checkpoints invent
text for silence without it."""
SPARE_TOKENS = 8
"""Tokens granted beyond the share of the window, for very short ones."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """One item ready for the encoder: features `[mels, frames]` and prompt tokens."""

    item: EngineItem
    features: Floats
    prompt: list[int]


class CTranslate2Engine:
    """`Engine` over a CTranslate2 Whisper directory; reads what the model is from its card."""

    def __init__(self, directory: Path, compute: ComputeOptions | None = None) -> None:
        """Load the model. Raises `ModelNotUsable` if that cannot work, and says why."""
        compute = compute or ComputeOptions()
        self._card = read_card(checked(directory))
        self._device = choose_device(compute.device)
        self._model = load_whisper(directory, self._device, compute)
        self._features = feature_config(directory, self._model.n_mels)
        self._prompter = Prompter(directory, self._card, multilingual=self._model.is_multilingual)
        self._ctc = load_head(directory, self._card)

    @property
    def capabilities(self) -> EngineCapabilities:
        return EngineCapabilities(
            model=self._card.name,
            version=self._card.version,
            device=self._device,
            compute_type=str(self._model.compute_type),
            script=self._card.script,
            text=True,
            phones=self._ctc is not None,
            word_times=self._ctc is None,
            multilingual=bool(self._model.is_multilingual),
            max_window_s=self._card.context.max_seconds,
        )

    def bucket(self, samples: int) -> int:
        """The padded length of an item, samples; from the model's context policy."""
        return self._card.context.padded_samples(samples)

    def decode(self, items: Sequence[EngineItem]) -> list[EngineOutput | Exception]:
        """One outcome per item, in order. Items of other lengths or prompts may be mixed freely."""
        outcomes: list[EngineOutput | Exception] = [DecodeFailed("not decoded")] * len(items)
        groups: dict[tuple[int, int], list[tuple[int, _Prepared]]] = {}
        for place, item in enumerate(items):
            prepared = self._prepare(item)
            if isinstance(prepared, Exception):
                outcomes[place] = prepared
            else:
                shape = (prepared.features.shape[1], len(prepared.prompt))
                groups.setdefault(shape, []).append((place, prepared))
        for group in groups.values():
            decoded = decode_isolated(self._decode_group, [prepared for _, prepared in group])
            for (place, _), outcome in zip(group, decoded, strict=True):
                outcomes[place] = outcome
        return outcomes

    def close(self) -> None:
        """Free the model's memory; the engine cannot be used afterwards."""
        self._model.unload_model()

    def _prepare(self, item: EngineItem) -> _Prepared | Exception:
        try:
            _check(item.pcm, self._card.context.max_samples)
            return _Prepared(item, self._padded_features(item.pcm), self._prompter.tokens(item.options))
        except Exception as error:
            return error

    def _padded_features(self, pcm: Floats) -> Floats:
        """Features of the window padded with silence to its bucket, `[mels, bucket // hop]`.

        Only one frame beyond the sound is computed: further silence has a constant feature.
        """
        frames = self.bucket(pcm.size) // self._features.hop_length
        computed = log_mel(np.pad(pcm, (0, self._features.n_fft)), self._features)[:, :frames]
        floor = max(float(computed.max()) - DYNAMIC_RANGE, SILENT_FLOOR)
        padded = np.full((computed.shape[0], frames), floor, np.float32)
        padded[:, : computed.shape[1]] = computed
        return padded

    def _decode_group(self, group: Sequence[_Prepared]) -> list[EngineOutput | Exception]:
        """Encode and generate items of one shape together."""
        stacked = np.ascontiguousarray(np.stack([prepared.features for prepared in group]))
        encoded = self._model.encode(ctranslate2.StorageView.from_array(stacked))
        phones = self._phones(encoded, group)
        results = self._model.generate(
            encoded,
            [prepared.prompt for prepared in group],
            beam_size=1,
            max_length=self._max_length(stacked.shape[2]),
            return_scores=True,
            return_no_speech_prob=self._card.stock,
        )
        return [
            self._output(prepared, result, heard, encoded if len(group) == 1 else None)
            for prepared, result, heard in zip(group, results, phones, strict=True)
        ]

    def _max_length(self, frames: int) -> int:
        """CTranslate2 generates at most half of `max_length`; a short window gets a share of it."""
        seconds = frames * self._features.hop_length / SAMPLE_RATE
        share = self._card.max_new_tokens * min(1.0, seconds / self._card.context.max_seconds)
        return 2 * min(self._card.max_new_tokens, math.ceil(share) + SPARE_TOKENS)

    def _phones(
        self, encoded: ctranslate2.StorageView, group: Sequence[_Prepared]
    ) -> list[tuple[Phone, ...] | None]:
        if self._ctc is None:
            return [None] * len(group)
        states = _as_floats(encoded, self._device)
        return [self._heard(row, prepared.item) for row, prepared in zip(states, group, strict=True)]

    def _heard(self, states: Floats, item: EngineItem) -> tuple[Phone, ...]:
        """The head's phones that begin within the sound, not in the padding after it."""
        assert self._ctc is not None
        end_ms = _length_ms(item)
        return tuple(
            Phone(
                phone.symbol,
                phone.start_ms,
                min(phone.end_ms, end_ms),
                phone.confidence,
                tuple(phone.alternatives),
            )
            for phone in self._ctc.greedy(self._ctc.log_probs(states))
            if phone.start_ms < end_ms
        )

    def _output(
        self,
        prepared: _Prepared,
        result: Any,
        phones: tuple[Phone, ...] | None,
        encoded: ctranslate2.StorageView | None,
    ) -> EngineOutput:
        language = self._prompter.language(prepared.item.options)
        if self._nobody_spoke(result):
            return EngineOutput(phones=phones, language=language)
        tokens = list(result.sequences_ids[0])
        text = self._prompter.text(tokens)
        confidence = math.exp(min(0.0, result.scores[0]))
        words = tuple(HeardWord(word, confidence=confidence) for word in text.split())
        if words and prepared.item.options.word_timestamps and self._ctc is None:
            words = self._aligned(prepared, tokens, encoded)
        return EngineOutput(text=text, words=words, phones=phones, language=language)

    def _nobody_spoke(self, result: Any) -> bool:
        """Stock checkpoints only: a model with its own card was trained on silence."""
        return (
            self._card.stock
            and result.no_speech_prob > NO_SPEECH_PROBABILITY
            and result.scores[0] < NO_SPEECH_LOG_PROBABILITY
        )

    def _aligned(
        self, prepared: _Prepared, tokens: list[int], encoded: ctranslate2.StorageView | None
    ) -> tuple[HeardWord, ...]:
        """Words with times; encodes the item again if it was part of a batch (align takes all or none)."""
        if encoded is None:
            features = np.ascontiguousarray(prepared.features[None])
            encoded = self._model.encode(ctranslate2.StorageView.from_array(features))
        spelled = [token for token in tokens if token < self._prompter.words.eot]
        words, word_tokens = self._prompter.words.split_to_word_tokens(spelled)
        frames = -(-prepared.item.pcm.size // self._features.hop_length)
        alignment = self._model.align(
            encoded, self._prompter.task_tokens(prepared.item.options), [spelled], [frames]
        )[0]
        return timed_words(
            alignment,
            [word.strip() for word in words],
            [len(ids) for ids in word_tokens],
            ENCODER_STRIDE * self._features.hop_length * 1000 / SAMPLE_RATE,
            _length_ms(prepared.item),
        )


def _check(pcm: Floats, max_samples: int) -> None:
    if pcm.ndim != 1 or not pcm.size:
        raise BadAudio("the segment has no samples")
    if pcm.size > max_samples:
        raise BadAudio(
            f"the segment has {pcm.size / SAMPLE_RATE:.1f} s, "
            f"the model takes at most {max_samples / SAMPLE_RATE:g} s"
        )
    if not np.isfinite(pcm).all():
        raise BadAudio("the segment has samples that are not numbers")


def _length_ms(item: EngineItem) -> int:
    return item.pcm.size * 1000 // SAMPLE_RATE


def _as_floats(states: ctranslate2.StorageView, device: str) -> Floats:
    """Encoder states `[batch, frames, d_model]` on this side of the bus, as float32."""
    here = states.to_device(ctranslate2.Device.cpu) if device != "cpu" else states
    return np.asarray(here.to(ctranslate2.DataType.float32), dtype=np.float32)
