"""The demo page and the bundled samples: static files with the headers a browser should get."""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from gateway.settings import GatewaySettings

_STATIC = Path(__file__).parent.parent / "static"

HEADERS = {
    # Everything comes from here, and nothing is sent elsewhere: the page asks for a microphone.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # A new version must not meet an old script.
    "Cache-Control": "no-cache",
}


def routes(settings: GatewaySettings) -> list[BaseRoute]:
    """The page at `/`, the samples (where there are any) at `/samples/`. Must come last: `/` takes all."""
    pages: list[BaseRoute] = []
    if settings.demo_samples:
        pages.append(Mount("/samples", WithHeaders(StaticFiles(directory=settings.demo_samples))))
    pages.append(Mount("/", WithHeaders(StaticFiles(directory=_STATIC, html=True))))
    return pages


class WithHeaders:
    """Adds `HEADERS` to every answer of a static application; refuses WebSockets, which it has none of."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose(1008, "no such path; recitation is at /ws/recite")(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)
