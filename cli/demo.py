"""`rattil demo`: a whole stack on free ports hears its bundled samples and must judge them rightly."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

from rich.console import Console

from cli.embedded_redis import RedisDidNotStart
from cli.interrupt import INTERRUPTED
from cli.processes import ChildDied, NotReady, Stack
from cli.recite import open_recording, recite, target_of
from cli.recording import Recording
from cli.sample_files import Sample, load_samples
from cli.score_table import score_table
from cli.screen import final_words
from cli.stack import Counts, Plan, Ports, running
from cli.up import ProgressPrinter, log_printer
from rattil.client import GaveUp, Refused, UnreadableEvent
from rattil.client.recitation import Final, Report, WordVerdict
from rattil.client.sound_source import pieces, read_file
from shared.recitation.reference.passage import VerseRange, load_passage

CLEAN_CORRECT_SHARE = 0.95
"""Least share of `correct` words in a recitation without mistakes."""

DEMO_SAMPLES = ("fatiha_clean", "fatiha_mistakes")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one demo recitation showed, reduced to what is checked."""

    verdicts: dict[tuple[str, int], str]
    judged_before_end: int


def differences(sample: Sample, seen: Seen, realtime: bool = True) -> list[str]:
    """What differs from the sample's description, one sentence each; empty when all is as expected.

    Sent faster than real time, a recitation may be over before its first word has a state.
    """
    expected = {(word.verse, word.word): word.status for word in sample.expected}
    found = {place: status for place, status in seen.verdicts.items() if status != "correct"}
    complaints = []
    if not expected:
        correct = len(seen.verdicts) - len(found)
        if correct < CLEAN_CORRECT_SHARE * len(seen.verdicts):
            complaints.append(f"only {correct} of {len(seen.verdicts)} words are correct")
        found = {place: status for place, status in found.items() if status == "wrong"}
    for place in sorted(expected.keys() | found.keys()):
        wanted, got = expected.get(place, "correct"), seen.verdicts.get(place, "nothing")
        if wanted != got:
            complaints.append(f"{place[0]} word {place[1]} should be {wanted}, is {got}")
    if realtime and not seen.judged_before_end:
        complaints.append("no word had a state before the recitation was over")
    return complaints


def verdicts_by_place(verses: VerseRange, words: tuple[WordVerdict, ...]) -> dict[tuple[str, int], str]:
    """Status by (verse key, word number within the verse); one report entry per reference word."""
    reference = load_passage(verses).words
    return {
        (word.verse.key, word.position): verdict.status
        for word, verdict in zip(reference, words, strict=True)
    }


async def demo(console: Console, *, realtime: bool = True, verbose: bool = False) -> int:
    """Run the demo; 0 if everything was as the samples promise, 1 if anything differed or failed, 130 if
    Ctrl-C ended it."""
    counts = Counts()
    plan = Plan(counts, Ports.all_free(counts), redis_url=os.environ.get("REDIS_URL", ""))
    console.print("[bold]Rattil demo[/]: a whole service on this machine, two recited samples")
    stack = Stack(log_printer(console, verbose))
    try:
        async with running(plan, stack, ProgressPrinter(console)):
            complaints = await _recite_samples(plan, console, realtime)
    except (ChildDied, NotReady) as error:
        complaints = [*error.last_lines, str(error)]
    except RedisDidNotStart as error:
        complaints = [str(error)]
    except asyncio.CancelledError:
        console.print("[bold yellow]demo stopped by Ctrl-C[/]: nothing is left running")
        return INTERRUPTED
    for complaint in complaints:
        console.print(complaint, style="red", markup=False, soft_wrap=True)
    console.print("[bold red]demo failed[/]" if complaints else "[bold green]demo passed[/]")
    return 1 if complaints else 0


async def _recite_samples(plan: Plan, console: Console, realtime: bool) -> list[str]:
    samples = load_samples()
    complaints = []
    for name in DEMO_SAMPLES:
        found = await _recite_sample(samples[name], plan, console, realtime)
        complaints += [f"{name}: {complaint}" for complaint in found]
    return complaints


async def _recite_sample(sample: Sample, plan: Plan, console: Console, realtime: bool) -> list[str]:
    verses = VerseRange.parse(sample.verses)
    audio = pieces(read_file(sample.path), realtime=realtime)
    target = target_of(",".join(plan.gateway_urls), verses)
    try:
        recording = open_recording(target, console, f"{sample.name}: {sample.about}")
        ended = await recite(target, audio, recording)
    except (Refused, GaveUp, UnreadableEvent) as error:
        return [str(error)]
    if not isinstance(ended, Final):
        return [final_words(ended)]
    console.print(score_table(ended.result, console))
    return differences(sample, seen(verses, ended.result, recording), realtime)


def seen(verses: VerseRange, report: Report, recording: Recording) -> Seen:
    """Reduce a finished recitation to what `differences` checks."""
    return Seen(verdicts_by_place(verses, report.word_analysis), recording.judged_before_end)
