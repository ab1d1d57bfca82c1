"""What a client's session needs to know of a wire format."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeVar

import msgspec

from rattil.client.errors import UnreadableEvent

E = TypeVar("E")


class Opening(NamedTuple):
    """The first event of a connection: which session it is and from which sample audio is to be sent."""

    session_id: str
    resumed: bool
    next_seq: int
    offset: int
    epoch: str = ""


class Dialect(Protocol[E]):
    """One wire format; `E`: its events. Audio is PCM16 mono at `sample_rate`."""

    @property
    def path(self) -> str: ...

    @property
    def sample_rate(self) -> int: ...

    @property
    def end(self) -> str:
        """The text frame that says that no more audio comes."""
        ...

    def query(self) -> dict[str, str]:
        """What is asked for, the same for each connection of a session."""
        ...

    def parse(self, message: str | bytes) -> E | None:
        """The event, or None for one that this client does not know. Raises `UnreadableEvent`."""
        ...

    def opening(self, event: E) -> Opening | None: ...

    def acked(self, event: E) -> int | None:
        """The sample before which all audio is safe."""
        ...

    def seq(self, event: E) -> int | None:
        """Events of one kind with a `seq` that came already are repetitions after a reconnect."""
        ...

    def retry_after_s(self, event: E) -> float | None:
        """How long the server asks to wait before the next connection."""
        ...

    def is_last(self, event: E) -> bool:
        """Whether the session is complete with this event."""
        ...


class _Tag(msgspec.Struct):
    type: str = ""


def decoded(decoder: msgspec.json.Decoder[E], kinds: frozenset[str], message: str | bytes) -> E | None:
    """The event, or None for a kind that is none of `kinds` (newer servers may send more).

    Raises `UnreadableEvent` for one of `kinds` that has another shape, and for what is no JSON object.
    """
    try:
        return decoder.decode(message)
    except msgspec.ValidationError as error:
        if _kind(message) in kinds:
            raise UnreadableEvent(f"the server sent something this client cannot read: {error}") from error
        return None
    except msgspec.DecodeError as error:
        raise UnreadableEvent(f"the server sent something that is not JSON: {error}") from error


def _kind(message: str | bytes) -> str:
    try:
        return msgspec.json.decode(message, type=_Tag).type
    except msgspec.ValidationError:
        return ""
