"""`WS /v1/realtime` as docs/clients/openai.md describes it. Only translates."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from gateway.admission.pools import ModelCatalogue
from gateway.connection.dialect import Command, Frame, Input
from gateway.dialects.openai.plain.client_events import CREATE, correlation_of, read_create
from gateway.dialects.openai.realtime import messages
from gateway.dialects.openai.realtime.client_events import (
    Append,
    Clear,
    ClientEvent,
    Commit,
    Head,
    NothingToCommit,
    Update,
    read_event,
    read_head,
)
from gateway.dialects.openai.realtime.items import Items
from gateway.dialects.openai.realtime.messages import ErrorDetail, ServerEvent, new_id
from gateway.dialects.openai.realtime.session_config import SessionConfig, served_model
from gateway.dialects.openai.realtime.session_fields import BetaSession
from gateway.interpreters.transcription.interpreter import UtteranceHeard
from gateway.session.events import (
    Event,
    Finished,
    FinishFailed,
    Flushed,
    Heard,
    Pong,
    SegmentFailed,
    SpeechChanged,
    Trouble,
)
from gateway.session.interpreter import Finding
from gateway.session.options import SessionOptions
from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadRequest

LEAST_COMMIT_MS = 100
"""Nothing can be recognised in less audio than this."""
_SAMPLES_PER_MS = SAMPLE_RATE // 1000
_ADVICE = frozenset({"server_busy", "audio_too_fast"})
"""Troubles after which all goes on by itself; OpenAI's clients have no word for them."""


class RealtimeDialect:
    """One socket's translator, through all its sessions: a session has one configuration, so an update that
    changes something ends it, and another one begins with the next audio.

    `may_read` is not set while the client's next event must wait: a commit is to be heard to its end first,
    or the session is to end.
    """

    name = "openai-realtime"
    binary_is_audio = False
    """Audio comes as base64 in JSON."""

    def __init__(self, config: SessionConfig, models: ModelCatalogue, *, beta: bool = False) -> None:
        self.config = config
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._models = models
        self._beta = beta
        self._session_id = new_id("sess")
        self._items = Items()
        self._items.beta = beta
        self._replies: list[ServerEvent] = []
        self._fault: tuple[str | None, str | None] | None = None
        self._uncommitted_ms = 0.0
        self._received_ms = 0.0
        self._live: SessionConfig | None = None
        self._ending = False
        self.plain = False
        """Whether the client has created a session of the plain form, which another class serves."""

    # -- its sessions ------------------------------------------------------------------------------------
    @property
    def renews(self) -> bool:
        """Whether the session ends only because another one is to begin."""
        return self._ending

    def transcribe_by(self, model: str) -> None:
        """Begin with this model. Raises `BadParameter`."""
        try:
            self.config = msgspec.structs.replace(self.config, model=served_model(model, self._models))
        except BadRequest:
            self._fault = (None, "model")
            raise

    def begin_with(self, session: dict[str, Any]) -> None:
        """Begin with this configuration. Raises `BadParameter`."""
        self.config = self.config.updated(session, self._models, beta=False)

    def greeting(self) -> Sequence[Frame]:
        """What is said first."""
        kind = messages.BetaSessionCreated if self._beta else messages.SessionCreated
        return _frames([kind(self._shown())])

    def begins(self) -> None:
        """A session begins, with the configuration as it is."""
        self._live, self._ending = self.config, False
        self.may_read.set()

    def unread(self) -> None:
        """The audio that was read last is read again, by the session that it begins."""
        self._uncommitted_ms -= self._received_ms
        self._received_ms = 0.0

    def replies(self) -> Sequence[Frame]:
        """What is to be answered to what the client asked for itself."""
        told, self._replies = self._replies, []
        return _frames(told)

    # -- from the client ---------------------------------------------------------------------------------
    def read(self, frame: Frame) -> Sequence[Input]:
        data = frame.encode() if isinstance(frame, str) else frame
        event_id: str | None = None
        try:
            head = read_head(data)
            event_id = head.event_id
            if head.type == CREATE and self._live is None:
                return self._create_plain(head, data)
            return self._obey(read_event(head, data))
        except BadRequest as error:
            self._fault = (event_id, getattr(error, "param", None))
            raise

    def _obey(self, event: ClientEvent) -> Sequence[Input]:
        if isinstance(event, Append):
            return self._append(event.audio)
        if isinstance(event, Update):
            return self._update(event)
        if isinstance(event, Commit):
            return self._commit()
        assert isinstance(event, Clear)
        return self._clear()

    def _create_plain(self, head: Head, data: bytes) -> Sequence[Input]:
        """The client says itself when it wants the text: `gateway.dialects.openai.plain`."""
        session = read_create(data).session
        self._beta = bool(session.keys() & set(BetaSession.__struct_fields__))
        config = self.config.updated(session, self._models, beta=self._beta)
        self.config = msgspec.structs.replace(config, asked_turns=None)
        correlation = correlation_of(head)
        shown = UNSET if correlation is None else correlation
        self._replies.append(messages.SessionCreated(self._shown(), shown))
        self.plain = True
        return (Command.PING,)

    def _append(self, audio: bytes) -> Sequence[Input]:
        config = self._live or self.config
        length_ms = len(audio) * 1000 / (config.rate * (2 if config.encoding == "pcm_s16le" else 1))
        self._uncommitted_ms += length_ms
        self._received_ms += length_ms
        return (audio,) if audio else ()

    def _update(self, event: Update) -> Sequence[Input]:
        self.config = self.config.updated(event.session, self._models, beta=event.beta)
        self._beta = self._items.beta = event.beta
        kind = messages.BetaSessionUpdated if event.beta else messages.SessionUpdated
        self._replies.append(kind(self._shown()))
        if self._live is None or self._asks_for(self._live) == self._asks_for(self.config):
            return (Command.PING,)
        self._ending = True
        self.may_read.clear()
        return (Command.PING, Command.END)

    def _commit(self) -> Sequence[Input]:
        if self._uncommitted_ms < LEAST_COMMIT_MS:
            raise NothingToCommit(
                "input_audio_buffer",
                f"the buffer holds {self._uncommitted_ms:.0f} ms of audio that is not committed; "
                f"append at least {LEAST_COMMIT_MS} ms first",
            )
        self._uncommitted_ms = 0.0
        self._replies += self._items.commit()
        return self._heard_out()

    def _clear(self) -> Sequence[Input]:
        self._uncommitted_ms = 0.0
        self._items.clear()
        self._replies.append(messages.Cleared())
        return self._heard_out()

    def _heard_out(self) -> Sequence[Input]:
        """What came up to here is heard to its end before anything else is read."""
        if self._live is None:
            self._replies += self._items.flushed()
            return (Command.PING,)
        self.may_read.clear()
        return (Command.PING, Command.FLUSH)

    # -- to the client -----------------------------------------------------------------------------------
    def write(self, event: Event) -> Sequence[Frame]:
        if isinstance(event, Pong):
            return self.replies()
        return _frames(self._events(event))

    def _events(self, event: Event) -> Iterable[ServerEvent]:
        if isinstance(event, Heard):
            return self._heard(event.finding)
        if isinstance(event, SegmentFailed):
            if event.finding is None:
                return ()  # the next look hears the same audio
            self._items.failed(event.code or event.outcome, event.message)
            return self._heard(event.finding)
        if isinstance(event, SpeechChanged):
            return self._speech(event)
        if isinstance(event, Flushed):
            self.may_read.set()
            return self._items.flushed()
        if isinstance(event, Finished | FinishFailed):
            return self._session_ends(event)
        return self._trouble(event) if isinstance(event, Trouble) else ()

    def _heard(self, finding: Finding) -> Iterable[ServerEvent]:
        assert isinstance(finding, UtteranceHeard)
        return self._items.heard(finding.utterance, turns=self._turns)

    def _speech(self, event: SpeechChanged) -> Iterable[ServerEvent]:
        at_ms = event.sample // _SAMPLES_PER_MS
        if event.speaking:
            return self._items.speech_starts(at_ms)
        self._uncommitted_ms = 0.0
        return self._items.speech_stops(at_ms, (self._live or self.config).silence_ms)

    def _session_ends(self, event: Finished | FinishFailed) -> Iterable[ServerEvent]:
        yield from self._items.session_ends(turns=self._turns)
        self._items.base_ms += round(self._received_ms)
        self._received_ms = 0.0
        self._live = None
        if isinstance(event, FinishFailed):
            yield messages.Error(ErrorDetail("server_error", event.code, event.message))

    def _trouble(self, event: Trouble) -> Iterable[ServerEvent]:
        if event.code in _ADVICE:
            return ()
        if self._fault is None:
            return (messages.Error(ErrorDetail("server_error", event.code, event.message)),)
        (event_id, param), self._fault = self._fault, None
        detail = ErrorDetail("invalid_request_error", event.code, event.message, param, event_id)
        return (messages.Error(detail),)

    def _asks_for(self, config: SessionConfig) -> SessionOptions:
        return config.options(self._models)

    @property
    def _turns(self) -> bool:
        return (self._live or self.config).turns is not None

    def _shown(self) -> dict[str, object]:
        return self.config.shown(self._session_id, beta=self._beta)


def _frames(events: Iterable[ServerEvent]) -> list[Frame]:
    return [messages.encode(event) for event in events]
