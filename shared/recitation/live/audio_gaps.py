"""Audio that was lost: which words may have been recited in it, and which may have been cut by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.recitation.grading.grader import CORRECT, Verdict
from shared.recitation.grading.verdicts import Verdicts
from shared.recitation.live.feedback import Gap


def add_gap(gaps: Sequence[Gap], gap: Gap, most: int) -> list[Gap]:
    """One more gap, later than all others; touching ones are one, and so are the first two of too many."""
    if gap.end_ms <= gap.start_ms:
        return list(gaps)
    if gaps and gap.start_ms <= gaps[-1].end_ms:
        start_ms = min(gaps[-1].start_ms, gap.start_ms)
        return [*gaps[:-1], Gap(start_ms, max(gaps[-1].end_ms, gap.end_ms), gaps[-1].word)]
    if len(gaps) >= most:
        return [Gap(gaps[0].start_ms, gaps[1].end_ms, gaps[0].word), *gaps[2:], gap]
    return [*gaps, gap]


def end_last_gap(gaps: list[Gap], heard_from_ms: int) -> list[Gap]:
    """The next window overlaps the lost one: what it hears is no gap."""
    if not gaps or gaps[-1].end_ms <= heard_from_ms:
        return gaps
    last = gaps[-1]
    if heard_from_ms <= last.start_ms:
        return gaps[:-1]
    return [*gaps[:-1], Gap(last.start_ms, heard_from_ms, last.word)]


def unheard_words(gaps: Sequence[Gap], judged: Mapping[int, Verdict]) -> set[int]:
    """Words without a verdict between the last one recited before a gap and the first one after it.

    The word that a gap names is the furthest judged when it began: words that were heard before the gap are
    often judged only by what is heard after it.
    """
    unheard: set[int] = set()
    for gap in gaps:
        after = min((index for index in judged if _is_after(index, judged[index], gap)), default=gap.word)
        unheard.update(index for index in range(gap.word, after) if index not in judged)
    return unheard


def _is_after(index: int, verdict: Verdict, gap: Gap) -> bool:
    if verdict.start_ms is None:  # of an engine without times
        return index > gap.word
    return index >= gap.word and verdict.start_ms >= gap.start_ms


def words_between(gaps: Sequence[Gap], judged: Mapping[int, Verdict]) -> set[int]:
    """Words without a verdict between two that have one, if anything from the end of the first to that of the
    second was lost or poor: the second may have been cut, and have got what is left of those before it."""
    open_words: set[int] = set()
    before, heard_ms = -1, 0
    for index in sorted(judged):
        start_ms, end_ms = judged[index].start_ms, judged[index].end_ms
        if start_ms is None or end_ms is None:
            continue
        if index > before + 1 and any(gap.start_ms < end_ms and gap.end_ms > heard_ms for gap in gaps):
            open_words.update(range(before + 1, index))
        before, heard_ms = index, end_ms
    return open_words


def clear_of_poor_sound(verdicts: Verdicts, poor: Sequence[Gap], most_error: int) -> Verdicts:
    """In poor sound no allowance is made: only words with less error (hundredths) than that were heard.

    What is no recitation at all has words that resemble those of the passage, too, one beside the other.
    """
    if not poor:
        return verdicts
    kept = tuple(
        entry
        for entry in verdicts.entries
        if entry.verdict.error < most_error or not _touches(entry.verdict, poor, 0)
    )
    return Verdicts(kept, verdicts.explained)


def without_cut_words(verdicts: Verdicts, gaps: Sequence[Gap], edge_ms: int) -> Verdicts:
    """No mistake is found in a word that a gap may have cut."""
    if not gaps:
        return verdicts
    kept = tuple(entry for entry in verdicts.entries if not _cut(entry.verdict, gaps, edge_ms))
    return Verdicts(kept, verdicts.explained)


def _cut(verdict: Verdict, gaps: Sequence[Gap], edge_ms: int) -> bool:
    return verdict.grade != CORRECT and _touches(verdict, gaps, edge_ms)


def _touches(verdict: Verdict, gaps: Sequence[Gap], edge_ms: int) -> bool:
    start_ms, end_ms = verdict.start_ms, verdict.end_ms
    if start_ms is None or end_ms is None:
        return False
    return any(start_ms < gap.end_ms + edge_ms and end_ms > gap.start_ms - edge_ms for gap in gaps)
