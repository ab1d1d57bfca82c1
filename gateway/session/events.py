"""What happens in a session, in no wire format: dialects translate these for their clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from gateway.session.interpreter import Finding
from shared.ids import ConnectionId, Epoch, SessionId
from shared.protocol.segments import Outcome


class Gap(NamedTuple):
    """Audio [from_sample, to_sample) whose results are lost."""

    from_sample: int
    to_sample: int


@dataclass(frozen=True, slots=True)
class Opened:
    """The session is open. `offset`: the sample to send from. `next_seq`: seq of the next event.
    `longest_s`: how much audio a session may have, seconds. `model`: what hears it.
    `lowered`: quality steps that it got less by than it asked for, because of load."""

    session_id: SessionId
    connection_id: ConnectionId
    epoch: Epoch
    window_s: float
    resumed: bool
    next_seq: int
    offset: int
    gap: Gap | None = None
    longest_s: float = 0.0
    model: str = "default"
    lowered: tuple[str, ...] = ()


class AudioSafe(msgspec.Struct, frozen=True, gc=False):
    """Audio before `offset` (samples) is stored and will be answered."""

    offset: int


class Latency(msgspec.Struct, frozen=True, gc=False):
    """Where the time of one window went, ms. `buffer_ms`: the window's own length.

    `total_ms`: from its push to this event; for a replayed result, what the stages add up to.
    """

    buffer_ms: int
    queued_ms: int
    inference_ms: int
    total_ms: int
    live: bool = True


class Heard(msgspec.Struct, frozen=True, gc=False):
    """One segment was decoded: what the session's interpreter makes of it."""

    seq: int
    finding: Finding
    latency: Latency
    server_busy: bool


@dataclass(frozen=True, slots=True)
class SegmentFailed:
    """One segment ended as `error` or `dropped`; the session goes on. `finding`: what the interpreter
    shows nevertheless, if anything."""

    seq: int
    outcome: Outcome
    code: str
    message: str
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class SpeechChanged:
    """Speech begins (`speaking`) or ends at this sample of the session."""

    speaking: bool
    sample: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about the sound that the speaker can mend. The session goes on."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something the client should know; a close may follow."""

    code: str
    message: str
    retry_after_s: float | None = None
    gap: Gap | None = None


class Kept(NamedTuple):
    """What became of a recording that the client wants to be heard once more. `job_id`: of the job that hears
    it; `dropped`: why there is none. Both are empty where the client did not ask."""

    job_id: str = ""
    dropped: str = ""


NOT_KEPT = Kept()


@dataclass(frozen=True, slots=True)
class Finished:
    """The session is complete. `report`: what its dialect shows at the end.
    `words`: how many were judged or transcribed. `finding`: what only the end has settled, if anything.
    `kept`: what became of the recording."""

    report: object
    words: int = 0
    finding: Finding | None = None
    kept: Kept = NOT_KEPT


@dataclass(frozen=True, slots=True)
class FinishFailed:
    """No final report could be made. `finding`: what only the end has settled, if anything. `kept`: what
    became of the recording."""

    code: str
    message: str
    finding: Finding | None = None
    kept: Kept = NOT_KEPT


@dataclass(frozen=True, slots=True)
class Flushed:
    """All that came before the client's flush has its events; one for several flushes that waited."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Is the client still there? It is expected to answer (`ConnectionRules`)."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to the client's own ping."""


Event = (
    Opened
    | AudioSafe
    | Heard
    | SegmentFailed
    | SpeechChanged
    | Notice
    | Trouble
    | Finished
    | FinishFailed
    | Flushed
    | Ping
    | Pong
)
