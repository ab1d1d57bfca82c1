"""The one place where requests of foreign web pages and by foreign names are refused."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.auth.entry_policy import EntryPolicy

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Change and start nothing; what they answer no foreign page can read."""

_OPERATIONS = ("/health", "/ready", "/metrics")
"""Probes call these by any name, and they tell nothing of any session."""


class EntryCheck:
    """ASGI wrapper. `on_refused` hears the code of every refusal."""

    def __init__(self, app: ASGIApp, policy: EntryPolicy, on_refused: Callable[[str], None]) -> None:
        self._app = app
        self._policy = policy
        self._on_refused = on_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        code, message = refusal
        self._on_refused(code)
        if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": code})
            return
        answer = JSONResponse({"error": {"code": code, "message": message}}, 403)
        if scope["type"] == "websocket":
            await receive()  # the connect
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[str, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host")
        if not scope["path"].startswith(_OPERATIONS) and not self._policy.allows_host(host):
            return "host_not_allowed", "this service is not called by this name; its operator lists names"
        if scope["type"] == "http" and scope["method"] in _SAFE_METHODS:
            return None
        if not self._policy.allows_origin(headers.get("origin"), host):
            return "origin_not_allowed", "pages of this origin may not use this service"
        return None
