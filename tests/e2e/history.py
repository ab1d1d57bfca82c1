"""The history checker: judges, from what clients saw alone, whether invariant I1 held.

I1: every accepted segment ends in exactly one of result, error or dropped, visible to its client;
no hole in `seq`, no duplicate event, whatever process is killed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]


@dataclass
class History:
    """Everything one client saw, in order, over all of its connections."""

    name: str
    samples_sent: int = 0
    connections: int = 0
    events: list[Event] = field(default_factory=list)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.get("type") == kind]

    @property
    def outcomes(self) -> list[Event]:
        """The terminal outcome of each segment: a partial result, or an error that names its seq."""
        return [
            event
            for event in self.events
            if event["type"] == "partial_result"
            or (event["type"] == "error" and event.get("seq") is not None)
        ]

    @property
    def transcript(self) -> str:
        partials = self.of("partial_result")
        return str(partials[-1]["partial_transcript"]) if partials else ""

    def by_seq(self) -> dict[int, tuple[str, Any]]:
        """What each segment's outcome said, without what varies from run to run (latency, load)."""
        return {
            int(event["seq"]): (
                str(event.get("partial_transcript") or event.get("code")),
                event.get("word_feedback"),
            )
            for event in self.outcomes
        }

    @property
    def report(self) -> Event:
        """The final report without its processing times; empty if there is none."""
        finals = self.of("final_result")
        return {k: v for k, v in finals[-1]["result"].items() if k != "timing_ms"} if finals else {}

    @property
    def statuses(self) -> list[str]:
        """The word states of the final result."""
        finals = self.of("final_result")
        return [word["status"] for word in finals[-1]["result"]["word_analysis"]] if finals else []


@dataclass(frozen=True)
class Verdict:
    """What the checker found; `violations` empty means the invariant held."""

    sessions: int
    segments: int
    reconnects: int
    lost: int
    violations: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.violations

    def __str__(self) -> str:
        head = "I1 HOLDS" if self.ok else "I1 VIOLATED"
        facts = (
            f"{self.sessions} sessions, {self.segments} segments, {self.reconnects} reconnects, "
            f"{self.lost} reported lost"
        )
        return "\n  ".join([f"{head}: {facts}", *self.violations])


def check(histories: list[History], *, losses_allowed: bool = False) -> Verdict:
    """Judge every history. `losses_allowed`: explicit drops are fine (a Redis that forgot everything)."""
    violations: list[str] = []
    lost = 0
    for history in histories:
        for violation in _violations(history, losses_allowed):
            violations.append(f"{history.name}: {violation}")
        drops = [event for event in history.outcomes if event["type"] == "error"]
        lost += len(drops)
        if drops and not losses_allowed:
            violations.append(f"{history.name}: segments lost: {[(e['seq'], e['code']) for e in drops]}")
    return Verdict(
        sessions=len(histories),
        segments=sum(len(history.outcomes) for history in histories),
        reconnects=sum(max(0, history.connections - 1) for history in histories),
        lost=lost,
        violations=tuple(violations),
    )


def differences(history: History, undisturbed: History) -> list[str]:
    """Where the content of a session differs from the same recitation without faults."""
    found = []
    got, wanted = history.by_seq(), undisturbed.by_seq()
    if len(got) != len(wanted):
        found.append(f"{history.name}: {len(got)} outcomes, {len(wanted)} without faults")
    for seq in sorted(got.keys() & wanted.keys()):
        if got[seq] != wanted[seq]:
            found.append(f"{history.name}: seq {seq} is {got[seq][0]!r}, {wanted[seq][0]!r} without faults")
    if history.report != undisturbed.report:
        found.append(f"{history.name}: another final report than without faults")
    return found


def _violations(history: History, losses_allowed: bool) -> list[str]:
    found = []
    seqs = [int(event["seq"]) for event in history.outcomes]
    repeated = [seq for seq, times in Counter(seqs).items() if times > 1]
    if repeated:
        found.append(f"outcome seen more than once for seq {sorted(repeated)}")
    holes = sorted(set(range(max(seqs, default=-1) + 1)) - set(seqs))
    if holes:
        found.append(f"no outcome for seq {holes}")
    if seqs != sorted(seqs):
        found.append(f"outcomes out of order: {seqs}")
    finals = history.of("final_result")
    refused = history.of("final_result_error")
    if len(finals) + (len(refused) if losses_allowed else 0) != 1:
        errors = [event.get("message") for event in refused]
        found.append(f"{len(finals)} final results instead of one {errors or ''}".rstrip())
    acks = [int(event["offset"]) for event in history.of("ack")]
    if acks != sorted(acks):
        found.append("acknowledged offset went back")
    if acks and acks[-1] > history.samples_sent:
        found.append(f"acknowledged {acks[-1]} samples of {history.samples_sent} sent")
    return found
