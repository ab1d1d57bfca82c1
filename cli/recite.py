"""`rattil recite`: stream one recording through the recitation dialect and show what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import urlsplit

import msgspec
from rich.console import Console

from cli.connecting import Connecting
from cli.interrupt import INTERRUPTED, Interrupts, taking
from cli.recording import Recording
from cli.score_table import score_table
from cli.screen import final_words, open_screen
from rattil.client import GaveUp, Recitation, Refused, UnreadableEvent
from rattil.client.recitation import (
    Ended,
    Final,
    FinalError,
    Report,
)
from shared.audio.formats import SAMPLE_RATE
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
    STOPPED = INTERRUPTED
    """Ctrl-C ended it. What was recited before is answered, unless Ctrl-C came twice."""


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


def open_recording(target: Target, console: Console, title: str, *, silent: bool = False) -> Recording:
    """A screen that suits where the output goes, and what is kept besides."""
    connecting = Connecting(target.urls)
    recording = Recording(open_screen(console, title, silent=silent), connecting)
    recording.screen.on_connecting(connecting.first())
    return recording


async def recite(
    target: Target, audio: AsyncIterator[bytes], recording: Recording, *, stoppable: bool = False
) -> Ended:
    """Stream to the end. Raises what `Session.run` raises.

    With `stoppable` a first Ctrl-C ends the audio, and what was sent is answered; a second one, or one
    before a gateway answered, cancels the running task.
    """
    client = Recitation(
        target.urls,
        target.surah,
        target.ayah,
        target.to,
        token=target.token,
        listener=recording,
        model=target.model,
    )

    def stop() -> None:
        recording.on_stop()
        client.end_audio()

    interrupts = Interrupts(stop, begun=lambda: recording.ready is not None)
    try:
        with taking(interrupts) if stoppable else nullcontext():
            ended = await client.run(audio)
            assert isinstance(ended, Final | FinalError)
    finally:
        recording.stopped = interrupts.came
        recording.sent_s = client.state.sent / SAMPLE_RATE
        recording.screen.close()
    return ended


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
    recording = open_recording(target, console, title, silent=as_json)
    try:
        ended = await recite(target, audio, recording, stoppable=True)
    except asyncio.CancelledError:
        complaints.print(recording.how_it_stopped(), style="red", soft_wrap=True)
        return Exit.STOPPED
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
        return Exit.STOPPED if recording.stopped else Exit.NO_RESULT
    if not as_json:
        console.print(score_table(ended.result, console))
    if recording.stopped:
        complaints.print(recording.how_it_stopped(), style="yellow", soft_wrap=True)
        return Exit.STOPPED
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
        "stopped": recording.stopped,
        "latency_ms": recording.latencies_ms,
        "errors": recording.errors,
    }


def _ws(url: str) -> str:
    for http, ws in (("http://", "ws://"), ("https://", "wss://")):
        if url.startswith(http):
            return ws + url.removeprefix(http)
    return url if "://" in url else f"ws://{url}"
