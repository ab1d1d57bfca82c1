"""Utterances: what stands of each, and the transcript of a whole session."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

from shared.errors import StateLost
from shared.hearing import HeardWord
from shared.transcription.hypothesis_buffer import HypothesisBuffer

_SMALL = 2048
"""Bytes up to which a saved state is not compressed."""
_PLAIN, _COMPRESSED = b"\x00", b"\x01"


class Utterance(msgspec.Struct, frozen=True):
    """One stretch of speech. Times in ms of the session. `number`: 0 for the first one.

    `words` stand. `pending`: words of the last look that may still change; empty once `ended`.
    """

    number: int
    start_ms: int
    end_ms: int
    words: tuple[HeardWord, ...]
    pending: tuple[HeardWord, ...] = ()
    ended: bool = False

    @property
    def stable_text(self) -> str:
        return text_of(self.words)

    @property
    def text(self) -> str:
        """With the words that may still change."""
        return text_of((*self.words, *self.pending))


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    number: int
    start_ms: int | None
    end_ms: int
    committed: tuple[HeardWord, ...]
    pending: tuple[HeardWord, ...]
    finished: tuple[str, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Saved)


class UtteranceAssembler:
    """Makes utterances of looks at audio. A look is the words of one window; times in ms of the session."""

    def __init__(self) -> None:
        self._number = 0
        self._start_ms: int | None = None
        self._end_ms = 0
        self._words = HypothesisBuffer()
        self._finished: list[str] = []

    @property
    def transcript(self) -> str:
        """Everything that stands, all utterances."""
        return " ".join([*self._finished, text_of(self._words.committed)]).strip()

    @property
    def standing(self) -> tuple[int, int, int]:
        """The open utterance: its number, how many of its words stand, how many there are with the others."""
        stand = len(self._words.committed)
        return self._number, stand, stand + len(self._words.pending)

    @property
    def confirmed_ms(self) -> int:
        """The end of the words that stand, where words have times; else of the last ended utterance."""
        committed = self._words.committed
        end_ms = committed[-1].end_ms if committed else None
        if end_ms is not None:
            return end_ms
        return self._end_ms if self._start_ms is None else self._start_ms

    def look(self, words: Sequence[HeardWord], start_ms: int, end_ms: int, *, last: bool) -> Utterance:
        """The words of the window [start_ms, end_ms). `last`: the utterance ends with it."""
        self._start_ms = start_ms if self._start_ms is None else self._start_ms
        self._end_ms = end_ms
        if last:
            self._words.last_look(words, start_ms)
            return self._end()
        self._words.look(words, start_ms)
        return self._now(ended=False)

    def give_up(self, start_ms: int, end_ms: int) -> Utterance:
        """The last window of the utterance was not decoded: what was heard before stands."""
        self._start_ms = start_ms if self._start_ms is None else self._start_ms
        self._end_ms = end_ms
        self._words.give_up()
        return self._end()

    def save(self) -> bytes:
        saved = _Saved(
            self._number,
            self._start_ms,
            self._end_ms,
            self._words.committed,
            self._words.pending,
            tuple(self._finished),
        )
        data = _encoder.encode(saved)
        return _PLAIN + data if len(data) <= _SMALL else _COMPRESSED + zlib.compress(data, 1)

    @classmethod
    def restore(cls, data: bytes) -> UtteranceAssembler:
        """Raises `StateLost` for bytes that `save` did not write."""
        try:
            plain = zlib.decompress(data[1:]) if data[:1] == _COMPRESSED else data[1:]
            saved = _decoder.decode(plain)
        except (zlib.error, msgspec.MsgspecError) as error:
            raise StateLost(f"the saved transcript cannot be read ({error})") from error
        made = cls()
        made._number, made._start_ms, made._end_ms = saved.number, saved.start_ms, saved.end_ms
        made._words = HypothesisBuffer(saved.committed, saved.pending)
        made._finished = list(saved.finished)
        return made

    def _now(self, *, ended: bool) -> Utterance:
        assert self._start_ms is not None
        words = self._words
        return Utterance(self._number, self._start_ms, self._end_ms, words.committed, words.pending, ended)

    def _end(self) -> Utterance:
        done = self._now(ended=True)
        if done.words:
            self._finished.append(done.stable_text)
            self._number += 1
        self._start_ms = None
        self._words = HypothesisBuffer()
        return done


def text_of(words: Sequence[HeardWord]) -> str:
    """Words as text."""
    return " ".join(word.text for word in words)
