"""The seam to speech recognition: a batch of items in, text, phones and words out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.hearing import HeardWord, Phone
from shared.protocol.segments import TaskOptions


@dataclass(frozen=True, slots=True)
class EngineCapabilities:
    """What an engine can give, and who it is."""

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


@dataclass(frozen=True, slots=True)
class EngineItem:
    """One segment to decode: float32 mono 16 kHz samples in [-1, 1] and its session's options."""

    pcm: NDArray[np.float32]
    options: TaskOptions = TaskOptions()


@dataclass(frozen=True, slots=True)
class EngineOutput:
    """What was heard in one item; times in ms from the item's start."""

    text: str = ""
    words: tuple[HeardWord, ...] = ()
    phones: tuple[Phone, ...] | None = None
    language: str = "ar"


class Engine(Protocol):
    """Decodes batches. Blocking; called from one thread at a time, never from the event loop."""

    @property
    def capabilities(self) -> EngineCapabilities: ...

    def bucket(self, samples: int) -> int:
        """The padded length (samples) an item of this length is encoded at.

        It depends on the item alone, so that a result never depends on its batch-mates; the
        batcher puts items of one bucket together.
        """
        ...

    def decode(self, items: Sequence[EngineItem]) -> list[EngineOutput | Exception]:
        """One outcome per item, in order. A failing item yields its exception, not the batch's."""
        ...

    def close(self) -> None: ...
