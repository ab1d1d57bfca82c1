"""`rattil bench agreement`: what waiting until two looks agree is worth, and what it costs.

The same recordings through three ways of cutting, with the product's own segmenters and interpreters. Time is
simulated: audio comes at the pace of life, a look begins when it is due and no other is under way, and takes
as long as the engine really took for it. So the delays are those of one session alone on this machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from rich.console import Console

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.engine import Engine, EngineItem
from benchmarks.figures import edits, percentile
from benchmarks.report import Report, Table
from benchmarks.speech import Recording, recordings
from gateway.interpreters.transcription.interpreter import TranscriptionInterpreter, UtteranceHeard
from gateway.session.endpointer import FRAME, EndpointPolicy
from gateway.session.fixed_windows import FixedWindows
from gateway.session.growing_window import GrowingWindow
from gateway.session.segmenter import Position, Segmenter, Window, WindowPolicy
from gateway.session.utterances import UtterancePolicy, Utterances
from gateway.vad.silero import Memory, SileroModel
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import to_float
from shared.hearing import HeardWord
from shared.ids import ConnectionId, Epoch, SessionId, TraceId
from shared.protocol.segments import SegmentResult, TaskOptions
from shared.recitation.reference.normalise import bones, skeleton, spoken_words
from shared.transcription.hypothesis_buffer import HypothesisBuffer

FRAME_S = 0.1
TASK = TaskOptions("ar", word_timestamps=True)
STEP, LONGEST = SAMPLE_RATE, 8 * SAMPLE_RATE
"""As `TRANSCRIPT_INTERIM_SECONDS` and `TRANSCRIPT_UTTERANCE_MAX_SECONDS` are if nothing is set."""
WINDOW, OVERLAP = SAMPLE_RATE * 5 // 2, SAMPLE_RATE // 2


class Shown(NamedTuple):
    """What a reader sees after a look: words that stand, words that may change, and the ends (ms) of those
    that are seen, and that stand, for the first time."""

    text: tuple[str, ...]
    seen_ms: tuple[int, ...]
    stand_ms: tuple[int, ...]


class Reader(Protocol):
    """Makes a text of looks."""

    @property
    def confirmed(self) -> int: ...

    def read(self, words: Sequence[HeardWord], window: Window) -> Shown: ...


class FixedReader:
    """Every window is looked at once; what it shares with the one before is told by the words' times."""

    confirmed = 0

    def __init__(self) -> None:
        self._words = HypothesisBuffer()

    def read(self, words: Sequence[HeardWord], window: Window) -> Shown:
        start_ms = window.start_sample * 1000 // SAMPLE_RATE
        new = self._words.last_look([_placed(word, start_ms) for word in words], start_ms)
        ends = tuple(word.end_ms for word in new if word.end_ms is not None)
        return Shown(tuple(word.text for word in self._words.committed), ends, ends)


class TranscriptionReader:
    """As a gateway reads the looks of a transcription."""

    def __init__(self) -> None:
        self._interpreter = TranscriptionInterpreter()
        self._ended: list[str] = []

    @property
    def confirmed(self) -> int:
        return self._interpreter.confirmed

    def read(self, words: Sequence[HeardWord], window: Window) -> Shown:
        heard: UtteranceHeard = self._interpreter.hear(_result(words, window))
        text = heard.utterance.text.split()
        shown = (*self._ended, *text)
        if heard.utterance.ended:
            self._ended += text
        return Shown(shown, _ms(heard.news.shown), _ms(heard.news.settled))


class Way(NamedTuple):
    """One way to cut."""

    name: str
    segmenter: Callable[[], Segmenter]
    reader: Callable[[], Reader]
    listens: bool = False


WAYS = (
    Way("fixed", lambda: FixedWindows(Position(WINDOW, OVERLAP), WindowPolicy()), FixedReader),
    Way("growing", lambda: GrowingWindow(Position(STEP, LONGEST), WindowPolicy()), TranscriptionReader),
    Way(
        "utterance",
        lambda: Utterances(Position(STEP, LONGEST), UtterancePolicy(True, EndpointPolicy())),
        TranscriptionReader,
        listens=True,
    ),
)


@dataclass(slots=True)
class Tally:
    """Of one way, over all recordings; delays in ms."""

    shown_ms: list[float] = field(default_factory=list)
    stands_ms: list[float] = field(default_factory=list)
    revisions: int = 0
    words: int = 0
    wrong: int = 0
    reference: int = 0
    audio_s: float = 0.0
    decoded_s: float = 0.0
    cpu_s: float = 0.0

    def note(self, before: Sequence[str], shown: Shown, at_s: float) -> None:
        """A look that came `at_s` after the first sample."""
        self.revisions += revisions(before, shown.text)
        self.shown_ms += [1000 * at_s - end for end in shown.seen_ms]
        self.stands_ms += [1000 * at_s - end for end in shown.stand_ms]


def revisions(before: Sequence[str], after: Sequence[str]) -> int:
    """Words that a reader saw and that were changed or taken away; words that follow are none."""
    return edits(before, after) - max(0, len(after) - len(before))


class _Look(NamedTuple):
    window: Window
    words: tuple[HeardWord, ...]
    done_s: float


class _Session:
    """One recording in one way, by a clock of its own."""

    def __init__(self, way: Way, engine: Engine, judge: SileroModel, tally: Tally) -> None:
        self._segmenter, self._reader = way.segmenter(), way.reader()
        self._engine, self._judge, self._tally = engine, judge, tally
        self._memory = Memory() if way.listens else None
        self._unjudged = bytearray()
        self._look: _Look | None = None
        self._text: tuple[str, ...] = ()

    def recite(self, pcm: bytes) -> tuple[str, ...]:
        """The text at the end."""
        step, now_s = round(FRAME_S * SAMPLE_RATE) * 2, 0.0
        for start in range(0, len(pcm), step):
            now_s = min(start + step, len(pcm)) / 2 / SAMPLE_RATE
            self._take_until(now_s)
            self._feed(pcm[start : start + step])
            self._cut(now_s)
        self._segmenter.end()
        self._cut(now_s)
        while self._look is not None:
            self._take_until(self._look.done_s)
        return self._text

    def _feed(self, pcm: bytes) -> None:
        self._segmenter.feed(pcm)
        if self._memory is None:
            return
        self._unjudged += pcm
        whole = len(self._unjudged) // (2 * FRAME) * 2 * FRAME
        if whole:
            self._segmenter.note_speech(self._judge.judge(self._memory, bytes(self._unjudged[:whole])))
            del self._unjudged[:whole]

    def _take_until(self, now_s: float) -> None:
        """Looks that have come by now; each makes room for the next one."""
        while self._look is not None and self._look.done_s <= now_s:
            look, self._look = self._look, None
            shown = self._reader.read(look.words, look.window)
            self._tally.note(self._text, shown, look.done_s)
            self._text = shown.text
            self._segmenter.confirm(self._reader.confirmed)
            self._cut(look.done_s)

    def _cut(self, now_s: float) -> None:
        """Begin the next look, if one is due and none is under way."""
        while self._look is None and (window := self._segmenter.cut()) is not None:
            if window.seq is not None:
                words, took_s = self._decode(window)
                self._look = _Look(window, words, now_s + took_s)

    def _decode(self, window: Window) -> tuple[tuple[HeardWord, ...], float]:
        cpu_s, began_s = time.process_time(), time.perf_counter()
        (outcome,) = self._engine.decode([EngineItem(to_float(window.pcm), TASK)])
        took_s = time.perf_counter() - began_s
        self._tally.cpu_s += time.process_time() - cpu_s
        self._tally.decoded_s += len(window.pcm) / 2 / SAMPLE_RATE
        if isinstance(outcome, Exception):
            raise outcome
        return outcome.words, took_s


def measure(engine: Engine, spoken: Sequence[Recording], say: Callable[[str], None]) -> dict[str, Tally]:
    """Every way over every recording, the ways in turn for each, so that a busy moment meets all alike."""
    judge = SileroModel()
    tallies = {way.name: Tally() for way in WAYS}
    for number, recording in enumerate(spoken, 1):
        say(f"{number} of {len(spoken)}: {recording.sample.name}")
        for way in WAYS:
            tally = tallies[way.name]
            text = _Session(way, engine, judge, tally).recite(recording.pcm)
            said = [bones(skeleton(word)) for word in spoken_words(" ".join(text))]
            tally.words += len(text)
            tally.wrong += edits(recording.words, said)
            tally.reference += len(recording.words)
            tally.audio_s += len(recording.pcm) / 2 / SAMPLE_RATE
    return tallies


def run_agreement(
    model: Path, name: str, console: Console, *, quick: bool, voices: Sequence[Recording] = ()
) -> Report:
    """`voices`: the bundled recordings if none. `name`: of the model, for the report."""
    spoken = list(voices) or list(recordings().values())
    engine = CTranslate2Engine(model)
    try:
        tallies = measure(engine, spoken[:2] if quick else spoken, lambda line: _say(console, line))
    finally:
        engine.close()
    return report_of(tallies, name)


def _say(console: Console, line: str) -> None:
    console.print(line, style="dim", markup=False)


def rates(tally: Tally) -> dict[str, float]:
    """What the table shows of one way."""
    return {
        "wer": tally.wrong / max(1, tally.reference),
        "revisions_per_word": tally.revisions / max(1, tally.words),
        "shown_p50_ms": percentile(tally.shown_ms, 0.5),
        "shown_p95_ms": percentile(tally.shown_ms, 0.95),
        "stands_p50_ms": percentile(tally.stands_ms, 0.5),
        "stands_p95_ms": percentile(tally.stands_ms, 0.95),
        "decoded_per_s": tally.decoded_s / max(1e-9, tally.audio_s),
        "cpu_ms_per_s": 1000 * tally.cpu_s / max(1e-9, tally.audio_s),
    }


def report_of(tallies: dict[str, Tally], model: str) -> Report:
    """The table, a row for each way."""
    figures = {name: rates(tally) for name, tally in tallies.items()}
    forms = ("{:.3f}", "{:.2f}", "{:.0f}", "{:.0f}", "{:.0f}", "{:.0f}", "{:.2f}", "{:.0f}")
    rows = [
        [name, *(form.format(value) for form, value in zip(forms, one.values(), strict=True))]
        for name, one in figures.items()
    ]
    columns = ("way", "WER", "revisions/word", "shown p50", "shown p95", "stands p50", "stands p95")
    shown = {f"{name}_{key}": round(one[key], 3) for name, one in figures.items() for key in _HEADLINE}
    seconds = next(iter(tallies.values())).audio_s
    return Report(
        name="agreement",
        headline=shown,
        tables=[
            Table(
                f"{seconds:.0f} s of speech; delays from the end of a word, ms",
                (*columns, "decoded s/s", "CPU ms/s"),
                rows,
                "revisions: words that were seen and changed; decoded: seconds of audio per second of speech",
            )
        ],
        figures={name: one | {"audio_s": seconds} for name, one in figures.items()},
        model=model,
    )


_HEADLINE = ("wer", "stands_p95_ms", "cpu_ms_per_s")


def _placed(word: HeardWord, by_ms: int) -> HeardWord:
    if word.start_ms is None or word.end_ms is None:
        return word
    return msgspec.structs.replace(word, start_ms=word.start_ms + by_ms, end_ms=word.end_ms + by_ms)


def _ms(samples: Sequence[int]) -> tuple[int, ...]:
    return tuple(sample * 1000 // SAMPLE_RATE for sample in samples)


def _result(words: Sequence[HeardWord], window: Window) -> SegmentResult:
    return SegmentResult(
        SessionId("bench"),
        ConnectionId("bench"),
        Epoch("bench"),
        window.seq or 0,
        window.start_sample,
        len(window.pcm) // 2,
        TraceId("bench"),
        "result",
        words=tuple(words),
        priority="final" if window.final else "partial",
    )
