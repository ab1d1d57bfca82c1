"""An engine that hears exactly what was written into the PCM: for tests and load, never for people.

Every `BLOCK_MS` of audio holds one constant amplitude, which stands for one symbol of a vocabulary;
the sign alternates from block to block, so that two equal symbols in a row stay two. Thus the
expected transcript of any stretch of audio is known to the sample, also across overlapping windows,
and the audio survives every lossless way (PCM, FLAC, WAV).
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr_worker.engines.engine import EngineCapabilities, EngineItem, EngineOutput
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import FULL_SCALE
from shared.errors import BadAudio, DecodeFailed
from shared.hearing import HeardWord, Phone

BLOCK_MS = 100
BLOCK_SAMPLES = SAMPLE_RATE * BLOCK_MS // 1000

FIRST_AMPLITUDE = 2000
"""Amplitude of symbol 0; -24 dBFS, so that no energy gate takes it for silence."""
STEP = 16
"""Amplitude between neighbouring symbols."""

FAIL_ITEM = 30_000
"""This amplitude anywhere in an item makes the item fail by itself."""
FAIL_BATCH = 30_500
"""This one makes `decode` raise for the whole batch: the caller must find the guilty item."""
CRASH_PROCESS = 31_000
"""This one ends the process at once, as a segfault in a native library would (only if allowed)."""
CRASH_EXIT_CODE = 139

WINDOW_GRAIN_SAMPLES = SAMPLE_RATE // 2
"""`bucket()` rounds up to this: half a second, as the bundled model does."""

_SOUNDS = (
    "Q a a: aˤ: b bb d dd dˤ dˤdˤ f ff h hh i i: j jj j̃ k kk l ll lˤlˤ m m̃ n q qq r rr rˤ rˤrˤ "
    "s ss sˤ sˤsˤ t tt tˤ tˤtˤ u u: w ww w̃ x xx z zz ð ðð ðˤ ðˤðˤ ñ ħ ħħ ŋ ɣ ʃ ʃʃ ʒ ʒʒ ʔ ʕ ʕʕ θ θθ"
)
HAFS_SOUNDS: tuple[str, ...] = tuple(_SOUNDS.split())
"""Every sound that quranic-phonemizer 3.0.5 uses for the whole Quran in Hafs (68), sorted."""


@dataclass(frozen=True, slots=True)
class Script:
    """What a scripted engine understands.

    `kind` "phones" gives phones and no text, "words" gives text with word times, "both" gives both. A block
    cut by the window's edge is heard if at least `min_block` of it is inside.
    """

    vocabulary: tuple[str, ...] = HAFS_SOUNDS
    kind: Literal["phones", "words", "both"] = "phones"
    delay_s: float = 0.0
    allow_crash: bool = False
    min_block: float = 0.5


class Block(NamedTuple):
    """A run of one amplitude: the symbol's place in the vocabulary, and its extent in samples."""

    symbol: int
    start: int
    end: int


def speak(symbols: Iterable[str | None], vocabulary: Sequence[str] = HAFS_SOUNDS) -> NDArray[np.int16]:
    """PCM16 samples that a `ScriptedEngine` hears as these symbols; None is a block of silence.

    Raises `ValueError` for a symbol that is not in the vocabulary.
    """
    places = {symbol: index for index, symbol in enumerate(vocabulary)}
    amplitudes: list[int] = []
    for position, symbol in enumerate(symbols):
        if symbol is None:
            amplitudes.append(0)
            continue
        if symbol not in places:
            raise ValueError(f"{symbol!r} is not in the vocabulary of {len(places)} symbols")
        amplitudes.append(_signed(FIRST_AMPLITUDE + STEP * places[symbol], position))
    return np.repeat(np.array(amplitudes, np.int16), BLOCK_SAMPLES)


def speak_marker(amplitude: int, blocks: int = 1) -> NDArray[np.int16]:
    """PCM16 samples of a failure marker (`FAIL_ITEM`, `FAIL_BATCH`, `CRASH_PROCESS`)."""
    return np.repeat(
        np.array([_signed(amplitude, place) for place in range(blocks)], np.int16), BLOCK_SAMPLES
    )


def _signed(amplitude: int, position: int) -> int:
    return amplitude if position % 2 == 0 else -amplitude


class ScriptedEngine:
    """`Engine` whose hearing is a function of the samples alone."""

    def __init__(self, script: Script | None = None) -> None:
        self._script = script or Script()
        top = FIRST_AMPLITUDE + STEP * len(self._script.vocabulary)
        if top >= FAIL_ITEM:
            raise ValueError(f"a vocabulary has at most {(FAIL_ITEM - FIRST_AMPLITUDE) // STEP} symbols")

    @property
    def capabilities(self) -> EngineCapabilities:
        phones = self._script.kind == "phones"
        return EngineCapabilities(
            model="scripted",
            version="1",
            device="cpu",
            compute_type="none",
            script="imlai",
            text=not phones,
            phones=phones,
            word_times=not phones,
            multilingual=False,
            max_window_s=30.0,
        )

    def bucket(self, samples: int) -> int:
        """The item's length, rounded up to half a second."""
        return -(-samples // WINDOW_GRAIN_SAMPLES) * WINDOW_GRAIN_SAMPLES

    def prepare(self, items: Sequence[EngineItem]) -> list[EngineItem]:
        """Nothing to prepare."""
        return list(items)

    def decode(self, items: Sequence[EngineItem]) -> list[EngineOutput | Exception]:
        """One outcome per item; raises only for items that carry `FAIL_BATCH`."""
        levels = [_levels(item.pcm) for item in items]
        if self._script.delay_s:
            time.sleep(self._script.delay_s)
        for level in levels:
            self._break_down(level)
        return [self._hear(item, level) for item, level in zip(items, levels, strict=True)]

    def close(self) -> None:
        """Nothing to release."""

    def _break_down(self, level: NDArray[np.int32]) -> None:
        if self._script.allow_crash and np.any(np.abs(level) == CRASH_PROCESS):
            os._exit(CRASH_EXIT_CODE)
        if np.any(np.abs(level) == FAIL_BATCH):
            raise RuntimeError("scripted failure of a whole batch")

    def _hear(self, item: EngineItem, level: NDArray[np.int32]) -> EngineOutput | Exception:
        if not level.size:
            return BadAudio("the segment has no samples")
        if np.any(np.abs(level) == FAIL_ITEM):
            return DecodeFailed("scripted failure of this item")
        heard = list(self._blocks(level))
        language = item.options.language
        kind = self._script.kind
        phones = None if kind == "words" else tuple(map(self._phone, heard))
        words = () if kind == "phones" else tuple(map(self._word, heard))
        text = " ".join(word.text for word in words)
        return EngineOutput(text=text, words=words, phones=phones, language=language)

    def _blocks(self, level: NDArray[np.int32]) -> Iterator[Block]:
        """Runs of equal amplitude that stand for a symbol and are long enough to be heard."""
        edges = [0, *(np.flatnonzero(np.diff(level)) + 1).tolist(), int(level.size)]
        shortest = self._script.min_block * BLOCK_SAMPLES
        for start, end in itertools.pairwise(edges):
            index, odd = divmod(abs(int(level[start])) - FIRST_AMPLITUDE, STEP)
            if odd == 0 and 0 <= index < len(self._script.vocabulary) and end - start >= shortest:
                yield Block(index, start, end)

    def _phone(self, block: Block) -> Phone:
        return Phone(self._script.vocabulary[block.symbol], _ms(block.start), _ms(block.end))

    def _word(self, block: Block) -> HeardWord:
        return HeardWord(self._script.vocabulary[block.symbol], _ms(block.start), _ms(block.end))


def _levels(pcm: NDArray[np.float32] | None) -> NDArray[np.int32]:
    """Float samples as the int16 values they came from; an item without samples has none."""
    if pcm is None:
        return np.zeros(0, np.int32)
    levels: NDArray[np.int32] = np.rint(pcm * FULL_SCALE).astype(np.int32)
    return levels


def _ms(samples: int) -> int:
    return samples * 1000 // SAMPLE_RATE
