"""From what was heard of each source to responses: which text belongs to which, and in which order. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from msgspec import UNSET

from gateway.dialects.openai.plain.client_events import SOURCES, Source
from gateway.dialects.openai.realtime.messages import (
    ErrorDetail,
    OutputText,
    Response,
    ResponseDone,
    ResponseTextDelta,
    ServerEvent,
    Usage,
    new_id,
)
from shared.transcription.utterances import Utterance


class _Heard:
    """What was heard of one source and belongs to no finished response. `settled`: that is all of it."""

    def __init__(self) -> None:
        self.finished: list[str] = []
        self.open = ""
        self.heard_ms = 0
        self.failure: ErrorDetail | None = None
        self.settled = False
        self.told = ""

    @property
    def text(self) -> str:
        return " ".join(filter(None, [*self.finished, self.open]))


class _Response:
    def __init__(self, correlation_id: str | None, parts: dict[Source, _Heard]) -> None:
        self.id = new_id("resp")
        self.correlation_id = correlation_id
        self.parts = parts


class Responses:
    """Of one socket. A response has all that its sources have said since the one before it; its deltas come
    source by source, the more important one first, and responses come in the order they were asked for."""

    def __init__(self) -> None:
        self._open: deque[_Response] = deque()
        self._heard: dict[Source, deque[_Heard]] = {}
        """By source: of each response that waits for it, and at last what no response was asked for yet."""

    @property
    def waiting(self) -> int:
        """Responses that are not done."""
        return len(self._open)

    def create(self, correlation_id: str | None, sources: Sequence[Source]) -> Iterator[ServerEvent]:
        """The client asks for the text of these sources."""
        parts: dict[Source, _Heard] = {}
        for source in sorted(sources, key=SOURCES.index):
            waiting = self._of(source)
            parts[source] = waiting[-1]
            waiting.append(_Heard())
        self._open.append(_Response(correlation_id, parts))
        yield from self._tell()

    def hear(self, source: Source, utterance: Utterance) -> Iterator[ServerEvent]:
        """One more look at an utterance."""
        heard = self._of(source)[0]
        heard.open = utterance.stable_text
        if utterance.ended:
            heard.finished.append(heard.open)
            heard.open = ""
            heard.heard_ms += utterance.end_ms - utterance.start_ms
        yield from self._tell()

    def fail(self, source: Source, code: str, message: str) -> None:
        """A part of what this source says could not be decoded."""
        self._of(source)[0].failure = ErrorDetail("server_error", code, message)

    def settle(self, source: Source) -> Iterator[ServerEvent]:
        """All that this source has said before the oldest response that waits for it is heard."""
        waiting = self._of(source)
        if len(waiting) > 1:
            waiting.popleft().settled = True
        yield from self._tell()

    def end(self, source: Source, failure: ErrorDetail | None) -> Iterator[ServerEvent]:
        """Nothing more is heard of this source; `failure`: why not all that it has said.

        What was heard and not asked for is told, too, as a response that nobody asked for.
        """
        waiting = self._heard.pop(source, deque())
        if waiting and waiting[-1].text:
            self._open.append(_Response(None, {source: waiting[-1]}))
        for heard in waiting:
            heard.settled = True
            heard.failure = heard.failure or failure
        yield from self._tell()

    def _of(self, source: Source) -> deque[_Heard]:
        return self._heard.setdefault(source, deque([_Heard()]))

    def _tell(self) -> Iterator[ServerEvent]:
        while self._open:
            response = self._open[0]
            correlation = UNSET if response.correlation_id is None else response.correlation_id
            for source, heard in response.parts.items():
                delta, heard.told = heard.text[len(heard.told) :], heard.text
                if delta:
                    yield ResponseTextDelta(response.id, source, delta, correlation)
                if not heard.settled:
                    return
            self._open.popleft()
            yield ResponseDone(_done(response), correlation)


def _done(response: _Response) -> Response:
    failure = next((heard.failure for heard in response.parts.values() if heard.failure), None)
    return Response(
        response.id,
        "completed" if failure is None else "incomplete",
        tuple(OutputText(source, heard.text) for source, heard in response.parts.items()),
        Usage(round(sum(heard.heard_ms for heard in response.parts.values()) / 1000, 3)),
        UNSET if failure is None else failure,
    )
