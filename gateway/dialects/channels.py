"""Channels kept apart: one socket with interleaved audio, and a session for each channel of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple

from gateway.connection.dialect import Dialect, Frame
from gateway.connection.end_reason import EndReason
from gateway.connection.serve import serve_session
from gateway.connection.session_plan import SessionRequest
from gateway.connection.transport import Transport
from gateway.dependencies import GatewayPorts
from gateway.transport.shared_socket import Part, SharedSocket
from shared.audio.deinterleave import Deinterleaver
from shared.audio.formats import AudioFormat
from shared.errors import BadRequest

ENDS_OF_ALL = frozenset({EndReason.DONE, EndReason.DRAINING, EndReason.TOO_LONG})
"""Ends that every channel comes to by itself; the socket closes after the last one."""

Addressees = Callable[[str], Collection[int]]
"""The channels that a text of the client is for."""


Sent = Callable[[bytes], None]


def _not_noted(_audio: bytes) -> None:
    return


class ChannelSession(NamedTuple):
    """What serves one channel."""

    dialect: Dialect
    request: SessionRequest


def check_separable(audio: AudioFormat) -> None:
    """Raises `BadRequest` for audio whose channels cannot be taken apart before it is decoded."""
    if not audio.client_sample_bytes:
        raise BadRequest(
            f"multichannel=true needs PCM or G.711 with channels=2 or more, not {audio.encoding}; "
            "decode it first, or leave multichannel out: then the channels are mixed"
        )


class _Channels:
    """One socket; each session has one part of it."""

    def __init__(
        self,
        ports: GatewayPorts,
        sessions: Sequence[ChannelSession],
        audio: AudioFormat,
        addressees: Addressees,
        address: str,
        sent: Sent,
    ) -> None:
        self._ports = ports
        self._sessions = sessions
        self._interleaved = Deinterleaver(len(sessions), audio.client_sample_bytes // len(sessions))
        self._addressees = addressees
        self._address = address
        self._sent = sent
        self._parts: list[Part] = []

    async def serve(self, transport: Transport) -> None:
        socket = SharedSocket(transport, self._deliver, ENDS_OF_ALL)
        await socket.run(lambda: self._begin(socket))

    def _begin(self, socket: SharedSocket) -> None:
        most_bytes = self._ports.settings.max_frame_bytes
        for place, session in enumerate(self._sessions):
            self._parts.append(socket.start(place, most_bytes, partial(self._one, session)))

    async def _one(self, session: ChannelSession, part: Part) -> None:
        await serve_session(self._ports, part, session.dialect, session.request, self._address)

    def _deliver(self, frame: Frame) -> None:
        if isinstance(frame, str):
            for channel in self._addressees(frame):
                self._parts[channel].put(frame)
            return
        self._sent(frame)
        # An empty frame has a meaning in some dialects, and that for all channels.
        pieces = self._interleaved.feed(frame) if frame else [frame] * len(self._parts)
        for part, piece in zip(self._parts, pieces, strict=True):
            if piece or not frame:
                part.put(piece)


async def serve_channels(
    ports: GatewayPorts,
    transport: Transport,
    sessions: Sequence[ChannelSession],
    audio: AudioFormat,
    addressees: Addressees,
    address: str,
    sent: Sent = _not_noted,
) -> None:
    """Serve the socket to its end. `audio`: as the client sends it, all channels together. `sent` is told all
    audio that comes."""
    await _Channels(ports, sessions, audio, addressees, address, sent).serve(transport)
