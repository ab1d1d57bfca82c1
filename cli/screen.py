"""What the terminal shows of a recitation: words that change colour, then the score. No network here.

Arabic stays in logical order; the terminal (or the pager) lays it out right to left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from cli.signs import STYLES, is_unicode, legend, signs_for, writable
from rattil.client.recitation import Final as FinalEvent
from rattil.client.recitation import FinalError, Partial, Ready, ServerError, ServerEvent, WordState

STOPPING: Final = "stopping: waiting for the answer to what was recited; Ctrl-C once more leaves now"


class Screen(Protocol):
    """Where a recitation is shown: opened before and closed after it."""

    def on_event(self, event: ServerEvent) -> None: ...

    def on_connecting(self, sentence: str) -> None:
        """There is no connection yet, or not any more."""
        ...

    def on_all_sent(self) -> None: ...

    def on_stop(self) -> None:
        """Ctrl-C: no more audio is sent, and what was sent is answered."""
        ...

    def close(self) -> None: ...


class LiveScreen:
    """A terminal: one paragraph of words redrawn in place."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._words: Sequence[WordState] = ()
        self._note = ""
        self._stopped = False
        self._live = Live(self._render(), console=console, refresh_per_second=8, transient=False)
        self._live.start()

    def on_event(self, event: ServerEvent) -> None:
        note = self._note
        if isinstance(event, Ready):
            note = "resumed" if event.resumed else "listening"
            if not self._words:
                self._words = pending_words(event)
        elif isinstance(event, Partial):
            self._words = event.word_feedback
            busy = ", server busy" if event.server_busy else ""
            note = f"listening, {event.latency_ms.total_ms:.0f} ms behind{busy}"
        elif isinstance(event, ServerError):
            self._console.print(error_line(event))
        self._show(note)

    def on_connecting(self, sentence: str) -> None:
        self._show(sentence)

    def on_all_sent(self) -> None:
        self._show("all sent, waiting for the final result")

    def on_stop(self) -> None:
        self._stopped = True
        self._show(STOPPING)

    def close(self) -> None:
        self._note = "stopped" if self._stopped else "done"
        self._live.update(self._render())
        self._live.stop()

    def _show(self, note: str) -> None:
        self._note = STOPPING if self._stopped else note
        self._live.update(self._render())

    def _render(self) -> Group:
        return Group(
            Text(self._title, style="bold"),
            legend(self._console),
            coloured_words(self._words),
            Text(self._note, style="dim italic"),
        )


class PlainScreen:
    """A log file or a pipe: one line per word that changes its state."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._shown: dict[int, str] = {}
        self._stopped = False
        self._say(title)
        console.print(Text("  ") + legend(console), soft_wrap=True)

    def on_event(self, event: ServerEvent) -> None:
        if isinstance(event, Partial):
            for index, word in enumerate(event.word_feedback):
                if word.status != self._shown.get(index, "pending"):
                    self._shown[index] = word.status
                    self._print_word(index, word)
        elif isinstance(event, ServerError):
            self._console.print(error_line(event))

    def on_connecting(self, sentence: str) -> None:
        self._say(f"  {sentence}")

    def on_all_sent(self) -> None:
        if not self._stopped:
            self._say("  all audio sent")

    def on_stop(self) -> None:
        self._stopped = True
        self._say(f"  {STOPPING}")

    def close(self) -> None:
        pass

    def _print_word(self, index: int, word: WordState) -> None:
        sign = signs_for(self._console).get(word.status, "?")
        self._say(
            f"  {sign} {word.verse_key:>7} #{index + 1:<3} {word.status:<13} {word.word}",
            STYLES.get(word.status, ""),
        )

    def _say(self, line: str, style: str = "") -> None:
        self._console.print(Text(writable(self._console, line), style=style), soft_wrap=True)


class SilentScreen:
    """For `--json`: nothing but the result is wanted."""

    def on_event(self, event: ServerEvent) -> None:
        pass

    def on_connecting(self, sentence: str) -> None:
        pass

    def on_all_sent(self) -> None:
        pass

    def on_stop(self) -> None:
        pass

    def close(self) -> None:
        pass


def open_screen(console: Console, title: str, *, silent: bool = False) -> Screen:
    """The screen that suits where the output goes."""
    if silent:
        return SilentScreen()
    if console.is_terminal and is_unicode(console):
        return LiveScreen(console, title)
    return PlainScreen(console, title)


def pending_words(ready: Ready) -> list[WordState]:
    """The words to expect, before anything has been heard."""
    return [
        WordState(word=word if isinstance(word, str) else word.word or word.text, status="pending")
        for word in ready.words
    ]


def coloured_words(words: Sequence[WordState]) -> Text:
    """One paragraph; a word whose state is final is underlined."""
    text = Text(justify="right")
    for word in words:
        style = STYLES.get(word.status, "")
        text.append(word.word, style=f"{style} underline" if word.final else style)
        text.append(" ")
    return text


def error_line(error: ServerError) -> Text:
    hint = f" ({error.fallback})" if error.fallback else ""
    return Text(f"  {error.code}: {error.message}{hint}", style="yellow")


def final_words(event: FinalEvent | FinalError) -> str:
    """One sentence for the end of a recitation."""
    if isinstance(event, FinalError):
        return f"no final result: {event.message} {event.fallback}".strip()
    return "done"
