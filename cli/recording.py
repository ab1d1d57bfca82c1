"""What one recitation of the command line was answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from cli.connecting import Connecting
from cli.screen import Screen
from rattil.client.recitation import Partial, Ready, ServerError, ServerEvent

UNJUDGED = ("pending", "not_judged")


@dataclass(slots=True)
class Recording:
    """A `rattil.client.Listener` that keeps what the checks and `--json` need and passes everything on to
    a screen."""

    screen: Screen
    connecting: Connecting
    ready: Ready | None = None
    partials: int = 0
    judged_before_end: int = 0
    """Most words that had a state other than `pending` while audio was still being sent."""
    last_partial: Partial | None = None
    latencies_ms: list[float] = field(default_factory=list)
    errors: list[ServerError] = field(default_factory=list)
    reconnects: int = 0
    all_sent: bool = False
    stopped: bool = False
    """Whether Ctrl-C ended it."""
    sent_s: float = 0.0
    """Seconds of audio that were sent, known when the session is over."""

    def on_event(self, event: ServerEvent) -> None:
        if isinstance(event, Ready):
            self.ready = event
            self.connecting.reached = True
        elif isinstance(event, Partial):
            self._count(event)
        elif isinstance(event, ServerError):
            self.errors.append(event)
        self.screen.on_event(event)

    def on_reconnect(self, reason: str, delay_s: float) -> None:
        self.reconnects += 1
        self.screen.on_connecting(self.connecting.failed(reason, delay_s))

    def on_all_sent(self) -> None:
        self.all_sent = True
        self.screen.on_all_sent()

    def on_stop(self) -> None:
        """Ctrl-C, for the first time."""
        self.stopped = True
        self.screen.on_stop()

    def how_it_stopped(self) -> str:
        """One sentence: what was sent and what of it was answered before Ctrl-C ended it."""
        if self.ready is None:
            return "stopped by Ctrl-C before a service answered: nothing was recited"
        words = self.last_partial.word_feedback if self.last_partial else ()
        judged = sum(word.status not in UNJUDGED for word in words)
        all_words = len(words) or len(self.ready.words)
        return (
            f"stopped by Ctrl-C after {self.sent_s:.1f} s of audio: {judged} of {all_words} words were judged"
        )

    def _count(self, event: Partial) -> None:
        self.partials += 1
        self.last_partial = event
        self.latencies_ms.append(event.latency_ms.total_ms)
        if not self.all_sent:
            judged = sum(word.status != "pending" for word in event.word_feedback)
            self.judged_before_end = max(self.judged_before_end, judged)
