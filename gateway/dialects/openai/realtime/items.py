"""The items of a realtime session: what was heard becomes deltas, and each item ends exactly once. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from gateway.dialects.openai.realtime.messages import (
    Committed,
    Completed,
    Delta,
    ErrorDetail,
    Failed,
    Item,
    ItemAdded,
    ItemCreated,
    ItemDone,
    ServerEvent,
    SpeechStarted,
    SpeechStopped,
    Usage,
    new_id,
)
from shared.transcription.utterances import Utterance

PREFIX_MS = 300
"""Audio before speech that belongs to an item."""


class _Open:
    """An item that has no end yet. `stop_ms`: where its speech ended, if that is known."""

    def __init__(self) -> None:
        self.id = new_id("item")
        self.finished: list[str] = []
        self.told = ""
        self.heard_ms = 0
        self.stop_ms: int | None = None
        self.committed = False
        self.thrown_away = False
        self.failure: ErrorDetail | None = None


class Items:
    """Items of one socket, over all its sessions. `beta`: in the beta shape. Times in ms of one session,
    `base_ms`: of the sessions before it."""

    def __init__(self) -> None:
        self.beta = False
        self.base_ms = 0
        self._previous: str | None = None
        self._open: _Open | None = None
        self._closing: deque[_Open] = deque()
        self._ended_ms = 0

    # -- where items begin and end ---------------------------------------------------------------------
    def speech_starts(self, at_ms: int) -> Iterator[ServerEvent]:
        """Somebody begins to speak: an item begins, unless one is open still."""
        if self._open is None or self._open.committed:
            self._retire()
        item = self._current()
        yield SpeechStarted(self.base_ms + max(0, at_ms - PREFIX_MS), item.id)

    def speech_stops(self, at_ms: int, silence_ms: int) -> Iterator[ServerEvent]:
        """The speech of the open item has ended: it is committed, its text follows."""
        if self._open is None and at_ms <= self._ended_ms:
            return  # the client has committed it already
        item = self._current()
        item.stop_ms = at_ms
        yield SpeechStopped(self.base_ms + at_ms + silence_ms, item.id)
        yield from self._commit(item)
        self._retire()

    def commit(self) -> Iterator[ServerEvent]:
        """The client commits what was heard and not committed yet."""
        yield from self._commit(self._current())

    def clear(self) -> None:
        """The client throws away what was heard and not committed yet."""
        if self._open is not None:
            self._open.thrown_away = True
        else:
            self._current().thrown_away = True

    def flushed(self) -> Iterator[ServerEvent]:
        """All that came before the client's commit or clear has been heard."""
        self._retire()
        while self._closing:
            yield from self._end(self._closing.popleft())

    def session_ends(self, *, turns: bool) -> Iterator[ServerEvent]:
        """All of this session has been heard. Where the client commits, what it has not committed stays."""
        if turns and self._open is not None:
            yield from self._commit(self._open)
            self._retire()
        while self._closing:
            yield from self._end(self._closing.popleft())
        self._ended_ms = 0

    # -- what was heard ----------------------------------------------------------------------------------
    def heard(self, utterance: Utterance, *, turns: bool) -> Iterator[ServerEvent]:
        """One more look at an utterance. `turns`: items follow speech, and their words are told at once."""
        while self._closing and utterance.start_ms >= _stop_of(self._closing[0]):
            yield from self._end(self._closing.popleft())  # nothing of it was left to be decoded
        if self._closing:
            item = self._closing[0]
        elif self._open is None and not utterance.words:
            return  # noise
        else:
            item = self._current()
        if item.committed or turns:
            yield from self._tell(item, " ".join(filter(None, [*item.finished, utterance.stable_text])))
        if not utterance.ended:
            return
        self._ended_ms = utterance.end_ms
        item.finished += [utterance.stable_text] if utterance.words else []
        item.heard_ms += utterance.end_ms - utterance.start_ms
        if self._closing and item.stop_ms is not None and utterance.end_ms >= item.stop_ms:
            yield from self._end(self._closing.popleft())

    def failed(self, code: str, message: str) -> None:
        """A part of the item that is being heard could not be decoded."""
        item = self._closing[0] if self._closing else self._current()
        item.failure = ErrorDetail("server_error", code, message)

    # -- inside ------------------------------------------------------------------------------------------
    def _current(self) -> _Open:
        if self._open is None:
            self._open = _Open()
        return self._open

    def _retire(self) -> None:
        """The open item waits for its last words; the next speech is another one's."""
        if self._open is not None:
            self._closing.append(self._open)
            self._open = None

    def _commit(self, item: _Open) -> Iterator[ServerEvent]:
        if item.committed or item.thrown_away:
            return
        item.committed = True
        before, self._previous = self._previous, item.id
        yield Committed(item.id, before)
        if self.beta:
            yield ItemCreated(before, Item(item.id))
        else:
            yield ItemAdded(before, Item(item.id))
            yield ItemDone(before, Item(item.id))

    def _tell(self, item: _Open, text: str) -> Iterator[ServerEvent]:
        """What of the text is new; words that stand never change."""
        if item.thrown_away or len(text) <= len(item.told):
            return
        delta, item.told = text[len(item.told) :], text
        yield Delta(item.id, delta)

    def _end(self, item: _Open) -> Iterator[ServerEvent]:
        if item.thrown_away:
            return
        yield from self._commit(item)
        text = " ".join(item.finished)
        yield from self._tell(item, text)
        if item.failure is not None:
            yield Failed(item.id, item.failure)
        else:
            yield Completed(item.id, text, Usage(round(item.heard_ms / 1000, 3)))


def _stop_of(item: _Open) -> float:
    return float("inf") if item.stop_ms is None else item.stop_ms
