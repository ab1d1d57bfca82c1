"""What the terminal shows of a recitation: words that change colour, then the score. No network here.

Arabic stays in logical order; the terminal (or the pager) lays it out right to left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rattil.client.recitation import Final as FinalEvent
from rattil.client.recitation import FinalError, Partial, Ready, Report, ServerError, ServerEvent, WordState

STYLES: Final = {
    "correct": "green",
    "minor_mistake": "yellow",
    "wrong": "bold red",
    "missing": "bold magenta",
    "pending": "dim",
    "not_judged": "dim italic",
}
SIGNS: Final = {
    "correct": "✓",
    "minor_mistake": "~",
    "wrong": "✗",
    "missing": "…",
    "pending": "·",
    "not_judged": "?",
}
"""A sign besides the colour, for those who cannot tell the colours apart and for plain logs."""


class Screen(Protocol):
    """A `rattil.client.Listener` that is also opened before and closed after the recitation."""

    def on_event(self, event: ServerEvent) -> None: ...

    def on_reconnect(self, reason: str, delay_s: float) -> None: ...

    def on_all_sent(self) -> None: ...

    def close(self) -> None: ...


class LiveScreen:
    """A terminal: one paragraph of words redrawn in place."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._words: Sequence[WordState] = ()
        self._note = "connecting"
        self._live = Live(self._render(), console=console, refresh_per_second=8, transient=False)
        self._live.start()

    def on_event(self, event: ServerEvent) -> None:
        if isinstance(event, Ready):
            self._note = "resumed" if event.resumed else "listening"
            if not self._words:
                self._words = pending_words(event)
        elif isinstance(event, Partial):
            self._words = event.word_feedback
            busy = ", server busy" if event.server_busy else ""
            self._note = f"listening, {event.latency_ms.total_ms:.0f} ms behind{busy}"
        elif isinstance(event, ServerError):
            self._console.print(error_line(event))
        self._live.update(self._render())

    def on_reconnect(self, reason: str, delay_s: float) -> None:
        self._note = f"reconnecting in {delay_s:.1f} s ({reason})"
        self._live.update(self._render())

    def on_all_sent(self) -> None:
        self._note = "all sent, waiting for the final result"
        self._live.update(self._render())

    def close(self) -> None:
        self._note = "done"
        self._live.update(self._render())
        self._live.stop()

    def _render(self) -> Group:
        return Group(
            Text(self._title, style="bold"), coloured_words(self._words), Text(self._note, style="dim italic")
        )


class PlainScreen:
    """A log file or a pipe: one line per word that changes its state."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._shown: dict[int, str] = {}
        console.print(title, markup=False, highlight=False, soft_wrap=True)

    def on_event(self, event: ServerEvent) -> None:
        if isinstance(event, Partial):
            for index, word in enumerate(event.word_feedback):
                if word.status != self._shown.get(index, "pending"):
                    self._shown[index] = word.status
                    self._print_word(index, word)
        elif isinstance(event, ServerError):
            self._console.print(error_line(event))

    def on_reconnect(self, reason: str, delay_s: float) -> None:
        self._console.print(f"  reconnecting in {delay_s:.1f} s ({reason})", markup=False, highlight=False)

    def on_all_sent(self) -> None:
        self._console.print("  all audio sent", highlight=False)

    def close(self) -> None:
        pass

    def _print_word(self, index: int, word: WordState) -> None:
        sign = SIGNS.get(word.status, "?")
        line = f"  {sign} {word.verse_key:>7} #{index + 1:<3} {word.status:<13} {word.word}"
        self._console.print(Text(line, style=STYLES.get(word.status, "")), soft_wrap=True)


class SilentScreen:
    """For `--json`: nothing but the result is wanted."""

    def on_event(self, event: ServerEvent) -> None:
        pass

    def on_reconnect(self, reason: str, delay_s: float) -> None:
        pass

    def on_all_sent(self) -> None:
        pass

    def close(self) -> None:
        pass


def open_screen(console: Console, title: str, *, silent: bool = False) -> Screen:
    """The screen that suits where the output goes."""
    if silent:
        return SilentScreen()
    return LiveScreen(console, title) if console.is_terminal else PlainScreen(console, title)


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


def score_table(report: Report) -> Table:
    """The final report: the score, how many words of which state, and the words to look at again."""
    counts = Counter(word.status for word in report.word_analysis)
    table = Table(title="Result", show_header=False, title_justify="left")
    table.add_column("what", style="bold")
    table.add_column("value")
    if report.accuracy_score is not None:
        table.add_row("score", f"{report.accuracy_score:.1f} %")
    for status, style in STYLES.items():
        if counts[status]:
            table.add_row(status, Text(str(counts[status]), style=style))
    in_verse: Counter[str] = Counter()
    for word in report.word_analysis:
        in_verse[word.verse_key] += 1
        if word.status not in ("correct", "pending"):
            where = f"{SIGNS.get(word.status, '?')} {word.verse_key} word {in_verse[word.verse_key]}"
            table.add_row(
                Text(where, style=STYLES.get(word.status, "")), f"{word.word}  {word.feedback or ''}"
            )
    if report.model:
        table.add_row("judged by", report.model)
    if report.teacher_feedback_text:
        table.add_row("feedback", report.teacher_feedback_text)
    return table


def final_words(event: FinalEvent | FinalError) -> str:
    """One sentence for the end of a recitation."""
    if isinstance(event, FinalError):
        return f"no final result: {event.message} {event.fallback}".strip()
    return "done"
