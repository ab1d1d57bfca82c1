"""`rattil transcribe`, `rattil listen`: live speech as text on a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from enum import IntEnum

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.connecting import Connecting
from cli.interrupt import INTERRUPTED, Interrupts, taking
from cli.signs import writable
from rattil.client import ClientError, Listener, Refused, Transcription
from rattil.client.microphone import NoMicrophone
from rattil.client.transcription import (
    ServerError,
    ServerEvent,
    SessionBegin,
    SessionEnd,
    TranscriptFinal,
    TranscriptPartial,
    Warned,
)
from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadAudio


class Exit(IntEnum):
    """Exit codes of `rattil transcribe` and `rattil listen`."""

    OK = 0
    USAGE = 2
    REFUSED = 3
    """The server refused the session (key, audio, language) for good."""
    UNREACHABLE = 4
    """No server could be reached, or it went away for too long."""
    STOPPED = INTERRUPTED
    """Ctrl-C ended it. What was said before is answered, unless Ctrl-C came twice."""


STOPPING = "stopping: waiting for the text of what was said; Ctrl-C once more leaves now"


class _Screen:
    """Utterances one after the other; the newest one changes while it is spoken, where that can be shown."""

    def __init__(self, console: Console, complaints: Console, connecting: Connecting) -> None:
        self._console = console
        self._complaints = complaints
        self._connecting = connecting
        self.utterances = 0
        self.answered_s = 0.0
        """Where the last finished utterance ended, seconds of the session."""
        self._live = Live(console=console, transient=True, auto_refresh=False)

    def __enter__(self) -> _Screen:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def on_event(self, event: ServerEvent) -> None:
        if isinstance(event, SessionBegin):
            self._connecting.reached = True
        elif isinstance(event, TranscriptPartial) and self._live.is_started:
            rest = event.text.removeprefix(event.stable_text)
            self._live.update(Text.assemble(event.stable_text, (rest, "dim")), refresh=True)
        elif isinstance(event, TranscriptFinal):
            self.utterances, self.answered_s = self.utterances + 1, event.end
            self._live.update("", refresh=self._live.is_started)
            self._console.print(
                writable(self._console, f"{event.start:8.2f} {event.end:8.2f}  {event.text}"),
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
        elif isinstance(event, Warned | ServerError):
            self._complaints.print(event.message, style="yellow", markup=False, soft_wrap=True)

    def on_reconnect(self, reason: str, delay_s: float) -> None:
        sentence = self._connecting.failed(reason, delay_s)
        self._complaints.print(sentence, style="yellow", markup=False, soft_wrap=True)

    def on_all_sent(self) -> None:
        return


async def transcribe(
    open_session: Callable[[Listener[ServerEvent]], Transcription],
    urls: Sequence[str],
    audio: AsyncIterator[bytes],
    console: Console,
    *,
    as_json: bool = False,
    stop: Callable[[], None] | None = None,
) -> Exit:
    """Stream to the end and print what was said; with `as_json` each event that matters, a line each.

    The first Ctrl-C ends the audio, and the rest is answered; the second aborts. `stop`: ends a source that
    has no end of its own, for which Ctrl-C is the usual one.
    """
    complaints = Console(stderr=True)
    shown = Console(quiet=True) if as_json else console
    screen = _Screen(shown, complaints, Connecting(urls))
    session = open_session(screen)

    def end() -> None:
        complaints.print(STOPPING, style="yellow", markup=False, soft_wrap=True)
        (stop or session.end_audio)()

    interrupts = Interrupts(end, begun=lambda: bool(session.session_id))
    try:
        with screen, taking(interrupts):
            async for event in session.stream(audio):
                if as_json and isinstance(event, TranscriptFinal | ServerError | SessionEnd):
                    line = msgspec.json.encode(event).decode()
                    console.print(line, soft_wrap=True, markup=False, highlight=False)
    except asyncio.CancelledError:
        complaints.print(_how_it_stopped(session, screen), style="red", soft_wrap=True)
        return Exit.STOPPED
    except (BadAudio, ClientError) as error:
        complaints.print(str(error), style="red", markup=False, soft_wrap=True)
        return _exit_for(error)
    if interrupts.came:
        complaints.print(_how_it_stopped(session, screen), style="yellow", soft_wrap=True)
        return Exit.OK if stop is not None else Exit.STOPPED
    return Exit.OK


def _exit_for(error: BadAudio | ClientError) -> Exit:
    if isinstance(error, BadAudio | NoMicrophone):
        return Exit.USAGE
    return Exit.REFUSED if isinstance(error, Refused) else Exit.UNREACHABLE


def _how_it_stopped(session: Transcription, screen: _Screen) -> str:
    """One sentence: what was sent and what of it was answered before Ctrl-C ended it."""
    if not session.session_id:
        return "stopped by Ctrl-C before a service answered: nothing was transcribed"
    sent_s = session.state.sent / SAMPLE_RATE
    utterances = f"{screen.utterances} utterance{'' if screen.utterances == 1 else 's'}"
    up_to = f", up to second {screen.answered_s:.1f}" if screen.utterances else ""
    return f"stopped by Ctrl-C after {sent_s:.1f} s of audio: {utterances} answered{up_to}"
