"""What the session of one source hears, told as responses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gateway.connection.dialect import Command, Frame, Input
from gateway.dialects.openai.plain.client_events import Source
from gateway.dialects.openai.plain.responses import Responses
from gateway.dialects.openai.realtime import messages
from gateway.dialects.openai.realtime.messages import ErrorDetail, ServerEvent
from gateway.interpreters.transcription.interpreter import UtteranceHeard
from gateway.session.events import Event, Finished, Flushed, Heard, SegmentFailed, Trouble
from gateway.transport.shared_socket import Part

Say = Callable[[Iterable[ServerEvent]], None]
"""Puts events into the socket's queue. Raises `SlowConsumer`."""

FLUSH = "flush"
"""What a part is given where a response ends."""

_ADVICE = frozenset({"server_busy", "audio_too_fast", "idle_timeout"})
"""Troubles that the client need not know: all goes on, or begins anew, by itself."""


class SourceTranslator:
    """The `Dialect` of one source's session. What it says goes through the socket's own queue."""

    name = "openai-realtime"
    binary_is_audio = True

    def __init__(self, source: Source, responses: Responses, say: Say) -> None:
        self._source = source
        self._responses = responses
        self._say = say
        self.part: Part | None = None

    def read(self, frame: Frame) -> Sequence[Input]:
        """A flush: what comes after it belongs to the next response, so it waits until that is heard."""
        assert self.part is not None
        self.part.hold()
        return (Command.FLUSH,)

    def write(self, event: Event) -> Sequence[Frame]:
        self._say(self._events(event))
        return ()

    def _events(self, event: Event) -> Iterable[ServerEvent]:
        if isinstance(event, Heard):
            assert isinstance(event.finding, UtteranceHeard)
            return self._responses.hear(self._source, event.finding.utterance)
        if isinstance(event, SegmentFailed):
            if not isinstance(event.finding, UtteranceHeard):
                return ()  # the next look hears the same audio
            self._responses.fail(self._source, event.code or event.outcome, event.message)
            return self._responses.hear(self._source, event.finding.utterance)
        if isinstance(event, Flushed):
            assert self.part is not None
            self.part.go_on()
            return self._responses.settle(self._source)
        if isinstance(event, Finished):
            return self._responses.end(self._source, None)
        if isinstance(event, Trouble) and event.code not in _ADVICE:
            return (messages.Error(ErrorDetail("server_error", event.code, event.message)),)
        return ()
