"""The page, what it needs to know of this service, and the folders of sound it may play."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from gateway.settings import GatewaySettings

_STATIC = Path(__file__).parent.parent / "static"
_GZIP_LEVEL = 5
_VERSE_FILE = re.compile(r"\d{6}\.(\w{2,5})")
"""Files of a reference recitation: sura and verse in three digits each, as in 112001.opus."""

HEADERS = {
    # Everything comes from here, and nothing is sent elsewhere: the page asks for a microphone.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; media-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self), screen-wake-lock=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # A new version must not meet an old script.
    "Cache-Control": "no-cache",
}


class ReferenceRecitation(msgspec.Struct, frozen=True):
    """Where the page finds a verse to listen to: `reference/SSSAAA.<extension>`."""

    extension: str


class PageInfo(msgspec.Struct, frozen=True):
    """`page.json`: the version of the page, its files (for its service worker), what the service offers."""

    version: str
    files: tuple[str, ...]
    max_passage_words: int
    samples: bool
    reference: ReferenceRecitation | None = None


def routes(settings: GatewaySettings) -> list[BaseRoute]:
    """The page at `/`; samples and a reference recitation if there are any. Must come last: `/` takes all."""
    info = page_info(settings)

    async def get_info(_request: Request) -> Response:
        return Response(msgspec.json.encode(info), media_type="application/json", headers=HEADERS)

    pages: list[BaseRoute] = [Route("/page.json", get_info, methods=["GET"])]
    if settings.demo_samples:
        pages.append(Mount("/samples", WithHeaders(StaticFiles(directory=settings.demo_samples))))
    if settings.reference_recitation:
        pages.append(Mount("/reference", WithHeaders(StaticFiles(directory=settings.reference_recitation))))
    # Fonts are compressed already; the rest is text, a third of its size on a slow line.
    pages.append(Mount("/fonts", WithHeaders(StaticFiles(directory=_STATIC / "fonts"))))
    page = GZipMiddleware(StaticFiles(directory=_STATIC, html=True), compresslevel=_GZIP_LEVEL)
    pages.append(Mount("/", WithHeaders(page)))
    return pages


def page_info(settings: GatewaySettings) -> PageInfo:
    """What `page.json` says. Blocking: reads the page's files once per process."""
    version, files = _page_files()
    reference = _reference(settings.reference_recitation)
    return PageInfo(version, files, settings.max_passage_words, bool(settings.demo_samples), reference)


@lru_cache(maxsize=1)
def _page_files() -> tuple[str, tuple[str, ...]]:
    paths = sorted(path for path in _STATIC.rglob("*") if path.is_file() and path.suffix != ".txt")
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.relative_to(_STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    names = (path.relative_to(_STATIC).as_posix() for path in paths)
    # The page is cached under the address it is opened by; a service worker never keeps itself.
    files = tuple("./" if name == "index.html" else name for name in names if name != "service-worker.js")
    return digest.hexdigest()[:16], files


def _reference(folder: str) -> ReferenceRecitation | None:
    """The kind of files in the folder; raises `ValueError` for a folder without a single verse."""
    if not folder:
        return None
    names = (path.name for path in sorted(Path(folder).iterdir())) if Path(folder).is_dir() else iter(())
    found = next(filter(None, map(_VERSE_FILE.fullmatch, names)), None)
    if found is None:
        raise ValueError(f"REFERENCE_RECITATION: no file like 112001.opus in {folder}")
    return ReferenceRecitation(found[1])


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
