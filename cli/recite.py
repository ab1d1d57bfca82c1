"""`rattil recite`: stream one recording through the recitation dialect and show what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from urllib.parse import urlsplit

import msgspec
from rich.console import Console

from cli.interrupt import interrupt_ends
from cli.screen import Screen, final_words, open_screen, score_table
from rattil.client import GaveUp, Recitation, Refused, UnreadableEvent
from rattil.client.recitation import (
    Ended,
    Final,
    FinalError,
    Partial,
    Ready,
    Report,
    ServerError,
    ServerEvent,
)
from shared.errors import BadAudio
from shared.recitation.reference.passage import VerseRange


class Exit(IntEnum):
    """Exit codes of `rattil recite`."""

    OK = 0
    MISTAKES = 1
    """Only with `--strict`: a word was wrong or missing."""
    USAGE = 2
    REFUSED = 3
    """The server refused the session (verse, key, audio) for good."""
    UNREACHABLE = 4
    """No server could be reached, or it went away for too long."""
    NO_RESULT = 5
    """The recitation was heard but could not be graded as a whole."""


@dataclass(slots=True)
class Recording:
    """A listener that keeps what the checks and `--json` need and passes everything on to a screen."""

    screen: Screen
    ready: Ready | None = None
    partials: int = 0
    judged_before_end: int = 0
    """Most words that had a state other than `pending` while audio was still being sent."""
    last_partial: Partial | None = None
    latencies_ms: list[float] = field(default_factory=list)
    errors: list[ServerError] = field(default_factory=list)
    reconnects: int = 0
    all_sent: bool = False

    def on_event(self, event: ServerEvent) -> None:
        if isinstance(event, Ready):
            self.ready = event
        elif isinstance(event, Partial):
            self._count(event)
        elif isinstance(event, ServerError):
            self.errors.append(event)
        self.screen.on_event(event)

    def on_reconnect(self, reason: str, delay_s: float) -> None:
        self.reconnects += 1
        self.screen.on_reconnect(reason, delay_s)

    def on_all_sent(self) -> None:
        self.all_sent = True
        self.screen.on_all_sent()

    def _count(self, event: Partial) -> None:
        self.partials += 1
        self.last_partial = event
        self.latencies_ms.append(event.latency_ms.total_ms)
        if not self.all_sent:
            judged = sum(word.status != "pending" for word in event.word_feedback)
            self.judged_before_end = max(self.judged_before_end, judged)


@dataclass(frozen=True, slots=True)
class Target:
    """Where and what: one or more gateways (`ws://host:port`), the verses of one sura, and the `model` that
    hears them."""

    urls: Sequence[str]
    surah: int
    ayah: int
    to: int | None = None
    token: str = ""
    model: str = "default"


def target_of(urls: str, verses: VerseRange, token: str = "", model: str = "default") -> Target:
    """Comma-separated gateways and a verse range as the client's target.

    The recitation dialect names one sura and verses within it. Raises ValueError across suras, and for
    an address that is none of a WebSocket.
    """
    if verses.first.surah != verses.last.surah:
        raise ValueError("one session recites verses of one sura; recite each sura on its own")
    return Target(gateways(urls), verses.first.surah, verses.first.ayah, verses.last.ayah, token, model)


def gateways(urls: str) -> list[str]:
    """Comma-separated gateways as addresses of WebSockets. Raises ValueError for one that is none."""
    addresses = [_ws(url.strip()) for url in urls.split(",") if url.strip()]
    for address in addresses or [urls]:
        parts = urlsplit(address)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError(f"{address!r} is no address of a gateway; write ws://host:port or wss://host")
        parts.port  # noqa: B018 (raises ValueError for a port that is none)
    return addresses


async def recite(
    target: Target, audio: AsyncIterator[bytes], console: Console, title: str, *, silent: bool = False
) -> tuple[Ended, Recording]:
    """Stream to the end. Raises what `Session.run` raises."""
    screen = open_screen(console, title, silent=silent)
    recording = Recording(screen)
    client = Recitation(
        target.urls,
        target.surah,
        target.ayah,
        target.to,
        token=target.token,
        listener=recording,
        model=target.model,
    )
    try:
        with interrupt_ends(client.end_audio):
            ended = await client.run(audio)
            assert isinstance(ended, Final | FinalError)
    finally:
        screen.close()
    return ended, recording


async def recite_and_report(
    target: Target,
    audio: AsyncIterator[bytes],
    console: Console,
    title: str,
    *,
    as_json: bool = False,
    strict: bool = False,
) -> Exit:
    """Stream, print the result (a table, or one JSON object), and say how it went."""
    complaints = Console(stderr=True)
    try:
        ended, recording = await recite(target, audio, console, title, silent=as_json)
    except asyncio.CancelledError:
        complaints.print("stopped", style="red")
        return Exit.NO_RESULT
    except BadAudio as error:
        complaints.print(error.message, style="red", markup=False, soft_wrap=True)
        return Exit.USAGE
    except Refused as error:
        complaints.print(f"refused: {error} (code {error.code})", style="red", markup=False, soft_wrap=True)
        return Exit.REFUSED
    except (GaveUp, UnreadableEvent) as error:
        complaints.print(str(error), style="red", markup=False, soft_wrap=True)
        return Exit.UNREACHABLE
    if as_json:
        console.print(msgspec.json.encode(_summary(ended, recording)).decode(), soft_wrap=True, markup=False)
    if not isinstance(ended, Final):
        complaints.print(final_words(ended), style="red", markup=False, soft_wrap=True)
        return Exit.NO_RESULT
    if not as_json:
        console.print(score_table(ended.result))
    return Exit.MISTAKES if strict and _has_mistakes(ended.result) else Exit.OK


def _has_mistakes(report: Report) -> bool:
    return any(word.status in ("wrong", "missing") for word in report.word_analysis)


def _summary(ended: Ended, recording: Recording) -> dict[str, object]:
    return {
        "session_id": recording.ready.session_id if recording.ready else "",
        "final": ended,
        "partials": recording.partials,
        "judged_before_end": recording.judged_before_end,
        "reconnects": recording.reconnects,
        "latency_ms": recording.latencies_ms,
        "errors": recording.errors,
    }


def _ws(url: str) -> str:
    for http, ws in (("http://", "ws://"), ("https://", "wss://")):
        if url.startswith(http):
            return ws + url.removeprefix(http)
    return url if "://" in url else f"ws://{url}"
