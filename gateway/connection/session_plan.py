"""What a dialect asks the connection to run: how audio becomes segments, what results mean, how it ends."""

from __future__ import annotations

from typing import Protocol

import msgspec

from gateway.connection.connection_rules import DEFAULT_RULES, ConnectionRules
from gateway.session.core import SessionCore
from gateway.session.events import Finished, FinishFailed
from gateway.session.interpreter import Interpreter
from gateway.session.options import SessionOptions
from gateway.session.segmenter import Position, Segmenter
from shared.errors import BadRequest
from shared.ids import PoolName, SessionId


class SessionPlan(Protocol):
    """One kind of session, for one request. Everything but `report` is pure."""

    @property
    def subject(self) -> str:
        """What the session is about, short; only a request with the same subject may resume it."""
        ...

    @property
    def max_in_flight(self) -> int | None:
        """Segments in flight at most, where that is fewer than `WS_MAX_QUEUE`."""
        ...

    @property
    def detects_speech(self) -> bool:
        """Whether its segmenter wants to know where speech is."""
        ...

    @property
    def adaptive(self) -> bool:
        """Whether its latency says how long the windows of new connections may be."""
        ...

    def first_position(self, pool: PoolName) -> Position:
        """Where a new session of `pool` begins, with the lengths of its windows."""
        ...

    def segmenter(self, position: Position, kept_pcm: bytes = b"") -> Segmenter:
        """A segmenter that goes on at `position`; `kept_pcm`: stored audio from `position.next_start` on."""
        ...

    def interpreter(self) -> Interpreter:
        """The interpreter of a new session."""
        ...

    def restored(self, saved: bytes) -> Interpreter:
        """The interpreter as it was saved. Raises `StateLost` if that cannot be read."""
        ...

    def mismatch(self) -> BadRequest:
        """What to tell a client who asks for another kind of session than the one under its id."""
        ...

    async def report(self, core: SessionCore) -> Finished | FinishFailed:
        """What is shown at the end, when every segment has its event. Raises `EndConnection` to have
        the client come back for it."""
        ...


class SessionRequest(msgspec.Struct, frozen=True):
    """What a client asks for. `last_seq`, `offset`: the last event and the acked sample it has seen;
    `named`: the client chose the session, which may hold a lease already; `resumable`: it can come back
    to it, because its dialect tells clients how; `lowered`: names of the quality steps
    for which `options` are less than the client asked for; `rules`: of its dialect."""

    protocol: str
    plan: SessionPlan
    session_id: SessionId
    tenant: str = ""
    last_seq: int | None = None
    offset: int | None = None
    named: bool = True
    resumable: bool = True
    options: SessionOptions = SessionOptions()
    lowered: tuple[str, ...] = ()
    rules: ConnectionRules = DEFAULT_RULES

    @property
    def seen_seq(self) -> int:
        return -1 if self.last_seq is None else self.last_seq

    @property
    def claims_progress(self) -> bool:
        """Whether the client says that it has been here before."""
        return self.last_seq is not None or bool(self.offset)
