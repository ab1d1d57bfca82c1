"""What is done about a session that lags: its client is warned, and may be sent away."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.connection.end_reason import EndConnection, EndReason
from gateway.session.events import Notice

CHECK_S = 0.5
"""How often a lag is looked at while segments are in flight, seconds."""


@dataclass(frozen=True, slots=True)
class LagLimits:
    """Seconds. A client is warned from `warn_s` on. `longest_s`: a lag beyond it for more than `for_s` ends
    the connection, and a new session is refused while those that live lag so much; None: the audio waits."""

    warn_s: float
    longest_s: float | None
    for_s: float


class LagWatch:
    """Of one connection. Pure: the caller says how large the lag is and what time it is."""

    def __init__(self, limits: LagLimits) -> None:
        self._limits = limits
        self._warned = False
        self._too_long_since_s: float | None = None

    def check(self, lag_s: float, now_s: float) -> Notice | None:
        """The warning that is due, once each time a lag begins. Raises `EndConnection` for one that lasts."""
        self._check_longest(lag_s, now_s)
        if lag_s < self._limits.warn_s:
            self._warned = self._warned and lag_s >= self._limits.warn_s / 2
            return None
        if self._warned:
            return None
        self._warned = True
        return Notice(
            "lagging",
            f"results are {lag_s:.1f} s behind the audio; nothing is lost",
        )

    def _check_longest(self, lag_s: float, now_s: float) -> None:
        longest_s = self._limits.longest_s
        if longest_s is None or lag_s <= longest_s:
            self._too_long_since_s = None
            return
        if self._too_long_since_s is None:
            self._too_long_since_s = now_s
        if now_s - self._too_long_since_s > self._limits.for_s:
            raise EndConnection(
                EndReason.LAGGING,
                "lagging",
                f"results are {lag_s:.1f} s behind the audio, and overflow=reject was asked for; "
                "reconnect to resume, or choose overflow=queue",
            )
