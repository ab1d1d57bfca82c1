"""`rattil transcribe`, `rattil listen`: live speech as text on a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from enum import IntEnum

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.interrupt import interrupt_ends
from rattil.client import ClientError, Listener, Refused, Transcription
from rattil.client.microphone import NoMicrophone
from rattil.client.transcription import (
    ServerError,
    ServerEvent,
    SessionEnd,
    TranscriptFinal,
    TranscriptPartial,
    Warned,
)
from shared.errors import BadAudio


class Exit(IntEnum):
    """Exit codes of `rattil transcribe` and `rattil listen`."""

    OK = 0
    USAGE = 2
    REFUSED = 3
    """The server refused the session (key, audio, language) for good."""
    UNREACHABLE = 4
    """No server could be reached, or it went away for too long."""
    STOPPED = 5


class _Screen:
    """Utterances one after the other; the newest one changes while it is spoken, where that can be shown."""

    def __init__(self, console: Console, complaints: Console) -> None:
        self._console = console
        self._complaints = complaints
        self._live = Live(console=console, transient=True, auto_refresh=False)

    def __enter__(self) -> _Screen:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def on_event(self, event: ServerEvent) -> None:
        if isinstance(event, TranscriptPartial) and self._live.is_started:
            rest = event.text.removeprefix(event.stable_text)
            self._live.update(Text.assemble(event.stable_text, (rest, "dim")), refresh=True)
        elif isinstance(event, TranscriptFinal):
            self._live.update("", refresh=self._live.is_started)
            self._console.print(
                f"{event.start:8.2f} {event.end:8.2f}  {event.text}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
        elif isinstance(event, Warned | ServerError):
            self._complaints.print(event.message, style="yellow", markup=False, soft_wrap=True)

    def on_reconnect(self, reason: str, delay_s: float) -> None:
        self._complaints.print(f"{reason}; trying again in {delay_s:.1f} s", style="yellow", markup=False)

    def on_all_sent(self) -> None:
        return


async def transcribe(
    open_session: Callable[[Listener[ServerEvent]], Transcription],
    audio: AsyncIterator[bytes],
    console: Console,
    *,
    as_json: bool = False,
    stop: Callable[[], None] | None = None,
) -> Exit:
    """Stream to the end and print what was said; with `as_json` each event that matters, a line each.

    The first Ctrl-C ends the audio (`stop`: the source itself), and the rest is answered; the second aborts.
    """
    complaints = Console(stderr=True)
    try:
        with _Screen(Console(quiet=True) if as_json else console, complaints) as screen:
            session = open_session(screen)
            with interrupt_ends(stop or session.end_audio):
                async for event in session.stream(audio):
                    if as_json and isinstance(event, TranscriptFinal | ServerError | SessionEnd):
                        line = msgspec.json.encode(event).decode()
                        console.print(line, soft_wrap=True, markup=False, highlight=False)
    except asyncio.CancelledError:
        complaints.print("stopped", style="red")
        return Exit.STOPPED
    except BadAudio as error:
        complaints.print(error.message, style="red", markup=False, soft_wrap=True)
        return Exit.USAGE
    except NoMicrophone as error:
        complaints.print(str(error), style="red", markup=False, soft_wrap=True)
        return Exit.USAGE
    except ClientError as error:
        complaints.print(str(error), style="red", markup=False, soft_wrap=True)
        return Exit.REFUSED if isinstance(error, Refused) else Exit.UNREACHABLE
    return Exit.OK
