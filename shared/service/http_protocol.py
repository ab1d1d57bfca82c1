"""uvicorn's HTTP protocol with bounds: on a request's head, on the time for it, on silent sockets, on a body
that still comes when its request was answered long ago, and on an answer that nobody reads.

httptools reads heads of any length and waits for them for ever: a client that sends header lines without
end, or nothing at all, costs memory or a file descriptor before any application is asked.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.addresses import network_of
from shared.service.http_limits import HttpLimits, HttpMetrics, SilentSockets
from shared.service.unsent_answer import UnsentAnswer

_SILENT_AFTER_S = 1.0
"""A socket whose head has not come by then counts as silent. A crowd that connects at once has sent its
heads by then, so it is not taken for an attack."""

_UNKNOWN = "unknown"


class Refusal(Exception):
    """A request that is answered by the protocol itself; the socket is closed."""

    def __init__(self, status: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def response(self) -> bytes:
        body = msgspec.json.encode({"error": {"code": self.reason, "message": self.message}})
        head = (
            f"HTTP/1.1 {self.status}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        return head.encode() + body


@dataclass(slots=True)
class Gate:
    """What all sockets of one server share."""

    limits: HttpLimits
    silent: SilentSockets
    metrics: HttpMetrics


class BoundedHttpProtocol(HttpToolsProtocol):
    """One socket. See the module."""

    def __init__(self, gate: Gate, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._gate = gate
        self._limits = gate.limits
        self._unread = 0
        """Bytes that came since the parser last gave something to an application."""
        self._head_bytes = 0
        """Names and values of this request's headers and trailers."""
        self._refusal: Refusal | None = None
        self._awaits_head = True
        self._deadline: asyncio.TimerHandle | None = None
        self._is_silent = False
        self._unsent = UnsentAnswer(self._limits.send_timeout_s, self._on_unread)

    # -- asyncio.Protocol ------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._unsent.begin(self.loop, transport)
        most = self._limits.max_sockets
        if len(self.connections) > most:
            self._refuse(
                Refusal("503 Service Unavailable", "too_many_sockets", f"{most} sockets are open already")
            )
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        self._unsent.end()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unsent.watch()

    def resume_writing(self) -> None:
        self._unsent.moved()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None or self.parser is None:
            return
        self._unread += len(data)
        super().data_received(data)
        if self._refusal is not None or self.parser is None or self.transport.is_closing():
            return
        if self._unread > self._limits.max_head_bytes:
            self._refuse(self._head_too_large())
        elif self._awaits_head and self._unread and self._deadline is None:
            self._await_head()

    # -- the parser's callbacks ------------------------------------------------------------------------
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._awaits_head = True

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        most = self._limits.max_line_bytes
        if len(self.url) > most:
            raise self._remember(
                Refusal("414 URI Too Long", "line_too_long", f"the address is longer than {most} bytes")
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self._limits.max_head_bytes:
            raise self._remember(self._head_too_large())
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unread = 0
        self._awaits_head = False
        self._head_came()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        self._awaits_head = True
        self._head_came()
        super().on_message_complete()

    # -- uvicorn's own ---------------------------------------------------------------------------------
    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        protocol: Any = self.transport.get_protocol()
        if not getattr(protocol, "handshake_initiated", True) and not self.transport.is_closing():
            # Its parser has bounds of its own, and says nothing when a head breaks them.
            self._gate.metrics.refused.labels("bad_upgrade").inc()
            self.transport.write(_bad_request("the WebSocket request cannot be read").response)
            self.transport.close()
        self._unsent.end()
        # The parser calls this object back: with the request's headers the two would outlive the
        # WebSocket until the collector comes.
        self.parser = None  # type: ignore[assignment]

    def send_400_response(self, msg: str) -> None:
        """Uvicorn's answer to whatever its parser or a callback above raised."""
        self._refuse(self._refusal or _bad_request("this is no HTTP request that can be read"))

    def _unsupported_upgrade_warning(self) -> None:
        return

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unsent.watch()
        if self.cycle.response_complete and self.cycle.more_body and not self.transport.is_closing():
            self._await_rest()

    # -- silence ---------------------------------------------------------------------------------------
    def _await_rest(self) -> None:
        """Nobody waits for the rest of this body, yet it holds a socket."""
        self._head_came()
        if not self._count_silent():
            self._drop("too_many_silent")
            return
        self._deadline = self.loop.call_later(self._limits.head_timeout_s, self._drop, "body_timeout")

    def _await_head(self) -> None:
        first_s = min(_SILENT_AFTER_S, self._limits.head_timeout_s)
        self._deadline = self.loop.call_later(first_s, self._on_silent)

    def _on_silent(self) -> None:
        self._deadline = None
        if self._answers():
            self._await_head()
            return
        if not self._count_silent():
            most = self._limits.max_silent_per_address
            self._refuse(
                Refusal(
                    "429 Too Many Requests",
                    "too_many_silent",
                    f"{most} sockets of this address have sent no request; send it at once",
                )
            )
            return
        left_s = max(0.0, self._limits.head_timeout_s - _SILENT_AFTER_S)
        self._deadline = self.loop.call_later(left_s, self._on_deadline)

    def _count_silent(self) -> bool:
        """False if this address has its share of silent sockets already."""
        if not self._gate.silent.add(self._address):
            return False
        self._is_silent = True
        self._gate.metrics.silent.set(len(self._gate.silent))
        return True

    def _on_deadline(self) -> None:
        self._deadline = None
        seconds = self._limits.head_timeout_s
        self._refuse(
            Refusal("408 Request Timeout", "head_timeout", f"no whole request came within {seconds:g} s")
        )

    def _head_came(self) -> None:
        """The head, or the rest of a body, is there: nothing is waited for any more."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._is_silent:
            self._is_silent = False
            self._gate.silent.remove(self._address)
            self._gate.metrics.silent.set(len(self._gate.silent))

    def _answers(self) -> bool:
        """Whether an earlier request of this socket is still being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _address(self) -> str:
        return network_of(self.client[0]) if self.client else _UNKNOWN

    def _on_unread(self) -> None:
        """The client does not read its answer: closing would wait for it for ever."""
        self._gate.metrics.refused.labels("send_timeout").inc()
        self.transport.abort()

    # -- refusing --------------------------------------------------------------------------------------
    def _remember(self, refusal: Refusal) -> Refusal:
        self._refusal = refusal
        return refusal

    def _head_too_large(self) -> Refusal:
        most = self._limits.max_head_bytes
        return Refusal(
            "431 Request Header Fields Too Large", "head_too_large", f"headers are longer than {most} bytes"
        )

    def _drop(self, reason: str) -> None:
        """Close without a word: its request has had its answer."""
        self._head_came()
        self._gate.metrics.refused.labels(reason).inc()
        self.transport.close()
        self._unsent.watch()

    def _refuse(self, refusal: Refusal) -> None:
        self._refusal = refusal
        self._head_came()
        self._gate.metrics.refused.labels(refusal.reason).inc()
        if not self.transport.is_closing():
            if not self._answers():
                self.transport.write(refusal.response)
            self.transport.close()
            self._unsent.watch()


def _bad_request(message: str) -> Refusal:
    return Refusal("400 Bad Request", "bad_request", message)
