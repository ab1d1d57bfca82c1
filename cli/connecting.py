"""What is said while no gateway can be reached: before the first connection, and after one was lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rattil.client.failures import NO_ANSWER, NO_SUCH_HOST, REFUSED, shown

ADVICE: Final = {
    REFUSED: "start a service with `rattil up`, or name another one with --url",
    NO_SUCH_HOST: "correct the host's name in --url (or RATTIL_URL)",
    NO_ANSWER: "check the address in --url (or RATTIL_URL), and that a service runs there",
}


class Connecting:
    """Words a session's failed attempts. The gateways `urls` are taken in turn."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls
        self._failed = 0
        self.reached = False
        """Set when a gateway has opened the session: from then on it is a reconnect."""

    def first(self) -> str:
        """Before the first attempt."""
        return f"connecting to {shown(self._urls[0])}"

    def failed(self, reason: str, delay_s: float) -> str:
        """After an attempt that failed, or a connection that was lost."""
        address = shown(self._urls[self._failed % len(self._urls)])
        self._failed += 1
        if self.reached:
            return f"connection lost ({reason}); reconnecting in {delay_s:.1f} s"
        sentence = f"connecting to {address} failed: {reason}; trying again in {delay_s:.1f} s"
        return f"{sentence}; {ADVICE[reason]}" if reason in ADVICE else sentence
