"""Whisper through CTranslate2: many short windows of many sessions as one batch.

Windows are padded to their own bucket (silence at the end), never to 30 s unless the model's card
says so; on one core a 3 s window costs about 1/20 of a padded one (docs/models.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import ctranslate2
import msgspec
import numpy as np
from numpy.typing import NDArray

from asr_worker.engines.engine import EngineCapabilities, EngineItem, EngineOutput
from asr_worker.engines.isolate import decode_isolated
from asr_worker.engines.model_files import checked as checked_directory
from asr_worker.engines.model_files import read_card, stock_context
from asr_worker.engines.model_parts import (
    ComputeOptions,
    choose_device,
    choose_path,
    feature_config,
    load_head,
    load_whisper,
)
from asr_worker.engines.prompting import Prompter
from asr_worker.engines.rescoring import Rescoring
from asr_worker.engines.signal_path import Features, check_item
from asr_worker.engines.sounded_words import timed_by_sounds
from asr_worker.engines.text_search import Question, TextSearch, Written
from asr_worker.engines.voice_gate import VoiceGate, cut_back
from asr_worker.engines.word_times import timed_words, with_punctuation
from shared.audio.formats import SAMPLE_RATE
from shared.errors import DecodeFailed
from shared.hearing import HeardWord, Phone

Floats = NDArray[np.float32]

ARABIC = "ar"
"""The language whose letters `sounded_words` can compare with sounds."""
ENCODER_STRIDE = 2
"""Whisper's second convolution halves the frame rate."""
NO_SPEECH_PROBABILITY = 0.6
NO_SPEECH_LOG_PROBABILITY = -1.0
"""Whisper's own rule for "nobody spoke" (Radford et al. 2022, section 4.5); stock checkpoints invent
text for silence without it."""
SPARE_TOKENS = 8
"""Tokens granted beyond the share of the window, for very short ones."""
SPARE_STOCK_TOKENS = 16
"""The same for a stock checkpoint, which writes some languages with many tokens for a word."""


@dataclass(frozen=True, slots=True)
class PreparedItem(EngineItem):
    """An item that was found good, with its prompt's tokens and its features."""

    prompt: tuple[int, ...] = ()
    features: Features = None


class CTranslate2Engine:
    """`Engine` over a CTranslate2 Whisper directory; reads what the model is from its card."""

    def __init__(
        self,
        directory: Path,
        compute: ComputeOptions | None = None,
        gate: VoiceGate | None = None,
        rescoring: Rescoring | None = None,
        stock_context_s: float = 0.0,
    ) -> None:
        """Load the model; `stock_context_s`: see `WorkerSettings.context_seconds`.

        Raises `ModelNotUsable` if that cannot work, and says why.
        """
        compute = compute or ComputeOptions()
        self._card = read_card(checked_directory(directory))
        if self._card.stock and stock_context_s:
            self._card = msgspec.structs.replace(self._card, context=stock_context(stock_context_s))
        self._device = choose_device(compute.device)
        self._model = load_whisper(directory, self._device, compute)
        self._features = feature_config(directory, self._model.n_mels)
        self._prompter = Prompter(directory, self._card, multilingual=self._model.is_multilingual)
        self._ctc = load_head(directory, self._card)
        self._path = choose_path(self._device, self._features, self._ctc)
        self._gate = gate or VoiceGate()
        self._by_sounds = self._gate.enabled and self._card.languages == (ARABIC,)
        self._rescoring = (rescoring or Rescoring()) if self._by_sounds else Rescoring(beam_size=1)

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
            word_times=self._ctc is None or self._by_sounds,
            multilingual=bool(self._model.is_multilingual),
            max_window_s=self._card.context.max_seconds,
            features=self._features,
            confidence_curves=self._card.confidence_curves,
        )

    def bucket(self, samples: int) -> int:
        """The padded length of an item, samples; from the model's context policy."""
        return self._card.context.padded_samples(samples)

    def prepare(self, items: Sequence[EngineItem]) -> list[EngineItem]:
        """Features and prompts; see `Engine.prepare`."""
        ready = self._ready(items)
        return [item if isinstance(one, Exception) else one for item, one in zip(items, ready, strict=True)]

    def decode(self, items: Sequence[EngineItem]) -> list[EngineOutput | Exception]:
        """One outcome per item, in order. Items of other lengths or prompts may be mixed freely."""
        outcomes: list[EngineOutput | Exception] = [DecodeFailed("not decoded")] * len(items)
        groups: dict[int, list[tuple[int, PreparedItem]]] = {}
        for place, prepared in enumerate(self._ready(items)):
            if isinstance(prepared, Exception):
                outcomes[place] = prepared
            else:
                groups.setdefault(prepared.features.shape[1], []).append((place, prepared))
        for group in groups.values():
            decoded = decode_isolated(self._decode_group, [prepared for _, prepared in group])
            for (place, _), outcome in zip(group, decoded, strict=True):
                outcomes[place] = outcome
        return outcomes

    def close(self) -> None:
        """Free the model's memory; the engine cannot be used afterwards."""
        self._model.unload_model()

    def _ready(self, items: Sequence[EngineItem]) -> list[PreparedItem | Exception]:
        """Each item prepared, or what is wrong with it."""
        ready = [self._checked(item) for item in items]
        buckets: dict[int, list[tuple[int, PreparedItem]]] = {}
        for place, one in enumerate(ready):
            if isinstance(one, PreparedItem) and one.features is None:
                buckets.setdefault(self.bucket(one.samples), []).append((place, one))
        for samples, group in buckets.items():
            computed: list[Features | Exception] = decode_isolated(
                partial(self._path.features, samples=samples), [one for _, one in group]
            )
            for (place, one), features in zip(group, computed, strict=True):
                failed = isinstance(features, Exception)
                ready[place] = features if failed else replace(one, features=features)
        return ready

    def _checked(self, item: EngineItem) -> PreparedItem | Exception:
        if isinstance(item, PreparedItem):
            return item
        try:
            check_item(item, self._features, self._card.context.max_samples)
            unknown = self._prompter.asks_for_language(item.options)
            prompt = () if unknown else tuple(self._prompter.tokens(item.options))
        except Exception as error:
            return error
        return PreparedItem(item.pcm, item.options, item.logs, item.samples, prompt)

    def _decode_group(self, group: Sequence[PreparedItem]) -> list[EngineOutput | Exception]:
        """Encode items of one shape together, hear their sounds, ask the decoder about the voiced ones."""
        encoded = self._path.encoded(self._model, [prepared.features for prepared in group])
        group = self._with_languages(encoded, group)
        phones = self._phones(encoded, group)
        bounds = [
            self._gate.most_letters(heard, self._most_tokens(prepared))
            for prepared, heard in zip(group, phones, strict=True)
        ]
        questions = {
            place: Question(prepared.prompt, bounds[place], heard)
            for place, (prepared, heard) in enumerate(zip(group, phones, strict=True))
            if self._gate.lets_through(heard)
        }
        search = TextSearch(
            self._model, self._path.rows, self._prompter.text, self._rescoring, self._card.stock
        )
        texts = search.texts(encoded, questions)
        return [
            self._output(
                prepared, texts.get(place), bounds[place], heard, partial(self._path.rows, encoded, [place])
            )
            for place, (prepared, heard) in enumerate(zip(group, phones, strict=True))
        ]

    def _with_languages(
        self, encoded: ctranslate2.StorageView, group: Sequence[PreparedItem]
    ) -> Sequence[PreparedItem]:
        """The items with the most probable language, and a prompt, where none was asked for."""
        if all(item.prompt for item in group):
            return group
        found = self._model.detect_language(encoded)
        return [
            item if item.prompt else self._in_language(item, ranked[0][0].strip("<|>"))
            for item, ranked in zip(group, found, strict=True)
        ]

    def _in_language(self, item: PreparedItem, language: str) -> PreparedItem:
        options = msgspec.structs.replace(item.options, language=language)
        return replace(item, options=options, prompt=tuple(self._prompter.tokens(options)))

    def _most_tokens(self, item: PreparedItem) -> int:
        """What the card grants a window of its longest length; a shorter one gets a share of it.

        A stock checkpoint's window is mostly padding: there the sound counts, or a decoder that says one
        thing over and over would have the tokens of all the silence, too.
        """
        if self._card.stock:
            seconds, spare = item.samples / SAMPLE_RATE, SPARE_STOCK_TOKENS
        else:
            seconds = item.features.shape[1] * self._features.hop_length / SAMPLE_RATE
            spare = SPARE_TOKENS
        share = self._card.max_new_tokens * min(1.0, seconds / self._card.context.max_seconds)
        return min(self._card.max_new_tokens, math.ceil(share) + spare)

    def _phones(
        self, encoded: ctranslate2.StorageView, group: Sequence[PreparedItem]
    ) -> list[tuple[Phone, ...] | None]:
        if self._ctc is None:
            return [None] * len(group)
        posteriors = self._path.posteriors(encoded)
        return [self._heard(row, prepared) for row, prepared in zip(posteriors, group, strict=True)]

    def _heard(self, posteriors: Floats, item: EngineItem) -> tuple[Phone, ...]:
        """The head's phones that begin within the sound, not in the padding after it."""
        assert self._ctc is not None
        end_ms = _length_ms(item)
        return tuple(
            phone if phone.end_ms <= end_ms else msgspec.structs.replace(phone, end_ms=end_ms)
            for phone in self._ctc.greedy(posteriors)
            if phone.start_ms < end_ms
        )

    def _output(
        self,
        prepared: PreparedItem,
        written: Written | None,
        bound: int,
        phones: tuple[Phone, ...] | None,
        encoded: Callable[[], ctranslate2.StorageView],
    ) -> EngineOutput:
        language = self._prompter.language(prepared.options)
        no_speech = written.no_speech_probability if written and self._card.stock else 0.0
        if written is None or self._nobody_spoke(written):
            return EngineOutput(phones=phones, language=language, no_speech=no_speech)
        tokens = list(written.tokens)[:bound]
        text = self._prompter.text(tokens)
        confidence = written.confidence
        if phones is not None and self._gate.enabled and len(tokens) >= bound:
            # How far it ran, and with it its score, depends on its batch-mates.
            text, confidence = cut_back(text, len(phones)), 0.0
        words = tuple(HeardWord(word, confidence=confidence) for word in text.split())
        if phones is not None and self._gate.enabled and language == ARABIC:
            words = timed_by_sounds(text.split(), phones, confidence)
            text = " ".join(word.text for word in words)
        elif words and prepared.options.word_timestamps and self._ctc is None:
            words = self._aligned(prepared, tokens, encoded())
        return EngineOutput(text, words, phones, language, no_speech)

    def _nobody_spoke(self, written: Written) -> bool:
        """Stock checkpoints only: a model with its own card was trained on silence."""
        return (
            self._card.stock
            and written.no_speech_probability > NO_SPEECH_PROBABILITY
            and written.confidence < math.exp(NO_SPEECH_LOG_PROBABILITY)
        )

    def _aligned(
        self, prepared: PreparedItem, tokens: list[int], encoded: ctranslate2.StorageView
    ) -> tuple[HeardWord, ...]:
        """Words with times."""
        spelled = [token for token in tokens if token < self._prompter.words.eot]
        words, word_tokens = self._prompter.words.split_to_word_tokens(spelled)
        frames = -(-prepared.samples // self._features.hop_length)
        alignment = self._model.align(
            encoded, self._prompter.task_tokens(prepared.options), [spelled], [frames]
        )[0]
        timed = timed_words(
            alignment,
            [word.strip() for word in words],
            [len(ids) for ids in word_tokens],
            ENCODER_STRIDE * self._features.hop_length * 1000 / SAMPLE_RATE,
            _length_ms(prepared),
        )
        return with_punctuation(words, timed)


def _length_ms(item: EngineItem) -> int:
    return item.samples * 1000 // SAMPLE_RATE
