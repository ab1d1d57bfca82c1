"""How long after a word was said its client is told of it: measured for every word of every dialect."""

from __future__ import annotations

from gateway.connection.arrival_times import ArrivalTimes
from gateway.metrics import GatewayMetrics
from gateway.session.interpreter import Said

_MOST_WAITING = 200
"""Words that a dialect has not written yet: more than an utterance of 30 s has."""


class WordDelays:
    """One connection's. A word whose audio came in over another connection is not measured."""

    def __init__(self, metrics: GatewayMetrics, protocol: str, first_sample: int, now_s: float) -> None:
        self._arrivals = ArrivalTimes(first_sample, now_s)
        self.received = self._arrivals.note
        """To be told of every frame: so many samples of the session are here now."""
        self._shown = metrics.word_shown.labels(protocol)
        self._settled = metrics.word_settled.labels(protocol)
        self._waiting = Said()

    def told(self, said: Said, written: bool, now_s: float) -> None:
        """A finding was given to the dialect; what it did not write yet counts with what it writes next."""
        if said.shown or said.settled:
            shown = (*self._waiting.shown, *said.shown)[-_MOST_WAITING:]
            self._waiting = Said(shown, (*self._waiting.settled, *said.settled)[-_MOST_WAITING:])
        if not written:
            return
        for ends, histogram in ((self._waiting.shown, self._shown), (self._waiting.settled, self._settled)):
            for sample in ends:
                said_s = self._arrivals.said_s(sample)
                if said_s is not None:
                    histogram.observe(max(0.0, now_s - said_s))
        self._waiting = Said()
