"""Who may ask a router: named hosts, and outside of this machine only with a key."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import BadRequest, RattilError
from shared.service.http_json import error_response
from shared.service.service_keys import ServiceKeys

OPEN_PATHS = frozenset({"/health", "/ready", "/metrics"})
"""What probes and Prometheus ask; nothing there names a session."""

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


class UnknownHost(BadRequest):
    """The request names another host than this service goes by: a page of another site may have sent it."""

    code = "unknown_host"


class Guard:
    """An ASGI application that lets nothing through to the next one which may not ask it."""

    def __init__(self, app: ASGIApp, keys: ServiceKeys, hosts: Sequence[str]) -> None:
        """`hosts`: names that the Host header may have, without port; empty allows every name."""
        self._app = app
        self._keys = keys
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._check(Headers(scope=scope), scope["path"])
            except RattilError as error:
                await error_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, headers: Headers, path: str) -> None:
        host = _without_port(headers.get("host", "")).lower()
        if self._hosts and host not in self._hosts:
            raise UnknownHost(
                f"{host[:60]!r} is not a name of this router; add it to ROUTER_ALLOWED_HOSTS if it should be"
            )
        if path not in OPEN_PATHS:
            self._keys.check(headers)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
