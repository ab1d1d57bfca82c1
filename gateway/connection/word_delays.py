"""How long after a word was said its client is told of it: measured for every word of every dialect."""

from __future__ import annotations

from gateway.connection.arrival_times import ArrivalTimes
from gateway.metrics import GatewayMetrics
from gateway.session.interpreter import NOTHING_SAID, Said
from shared.service.latency_histogram import Latencies

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
        self._waiting = NOTHING_SAID

    def told(self, said: Said, written: bool, now_s: float) -> None:
        """A finding was given to the dialect; what it did not write yet counts with what it writes next."""
        if self._waiting is not NOTHING_SAID:
            said = Said(self._waiting.shown + said.shown, self._waiting.settled + said.settled)
        if not written:
            self._waiting = Said(said.shown[-_MOST_WAITING:], said.settled[-_MOST_WAITING:])
            return
        self._waiting = NOTHING_SAID
        if said.shown:
            self._measure(said.shown, self._shown, now_s)
        if said.settled:
            self._measure(said.settled, self._settled, now_s)

    def _measure(self, ends: tuple[int, ...], latencies: Latencies, now_s: float) -> None:
        for sample in ends:
            said_s = self._arrivals.said_s(sample)
            if said_s is not None:
                latencies.observe(max(0.0, now_s - said_s))
