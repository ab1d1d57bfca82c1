"""The seam to speech recognition: a batch of items in, text, phones and words out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.audio.features import FeatureConfig
from shared.confidence import UNMEASURED, ConfidenceCurves
from shared.hearing import HeardWord, Phone
from shared.protocol.segments import TaskOptions


@dataclass(frozen=True, slots=True)
class EngineCapabilities:
    """What an engine can give, and who it is.

    `features`: the front end whose log powers it takes instead of samples; None if it takes none.
    `confidence_curves`: what its confidences are worth.
    """

    model: str
    version: str
    device: str
    compute_type: str
    script: str
    text: bool
    phones: bool
    word_times: bool
    multilingual: bool
    max_window_s: float
    features: FeatureConfig | None = None
    confidence_curves: ConfidenceCurves = UNMEASURED

    @property
    def model_version(self) -> str:
        """The model as heartbeats and reports name it."""
        return f"{self.model}@{self.version}" if self.version else self.model


@dataclass(frozen=True, slots=True)
class EngineItem:
    """One segment to decode, as samples or as log-mel powers, with its session's options.

    `pcm`: float32 mono 16 kHz samples in [-1, 1]. `logs`: log10 mel powers before clamp and scaling,
    `[frames, n_mels]`, as `features.log_power` gives for the same samples and the `features` of the
    engine's capabilities; looked at only where there is no `pcm`. `samples`: the length of the sound;
    taken from `pcm` where there is one.
    """

    pcm: NDArray[np.float32] | None
    options: TaskOptions = TaskOptions()
    logs: NDArray[np.float32] | None = None
    samples: int = 0

    def __post_init__(self) -> None:
        if self.pcm is not None:
            object.__setattr__(self, "samples", int(self.pcm.size))


@dataclass(frozen=True, slots=True)
class EngineOutput:
    """What was heard in one item; times in ms from the item's start. `no_speech`: how probable the model
    thinks it that nobody spoke, 0 where it does not say."""

    text: str = ""
    words: tuple[HeardWord, ...] = ()
    phones: tuple[Phone, ...] | None = None
    language: str = "ar"
    no_speech: float = 0.0


class Engine(Protocol):
    """Decodes batches. Blocking, never called from the event loop.

    `decode` is called from one thread at a time; `prepare` from any thread, also while `decode` runs.
    """

    @property
    def capabilities(self) -> EngineCapabilities: ...

    def bucket(self, samples: int) -> int:
        """The padded length (samples) an item of this length is encoded at.

        It depends on the item alone, so that a result never depends on its batch-mates; the
        batcher puts items of one bucket together.
        """
        ...

    def prepare(self, items: Sequence[EngineItem]) -> list[EngineItem]:
        """The same items with the work done that needs no engine (features), in order.

        What cannot be prepared comes back as it was: `decode` says what is wrong with it.
        """
        ...

    def decode(self, items: Sequence[EngineItem]) -> list[EngineOutput | Exception]:
        """One outcome per item, in order, prepared or not. A failing item yields its exception, not the
        batch's."""
        ...

    def close(self) -> None: ...
