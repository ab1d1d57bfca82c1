"""`rattil bench codecs`: what each way of carrying a segment's audio costs, and what it does to the words.

The gateway's own windows, its own encoder, the bus's own entries, the worker's own decoding and the
bundled model. Bytes are per second of audio and without the envelope; CPU is process time, so that a
busy machine does not count.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console

from asr_worker.batching.outcomes import engine_item
from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.engine import Engine, EngineItem
from asr_worker.offline import chunking
from benchmarks.report import Report, Table
from cli.modelling.measures import Rates, Tally
from cli.modelling.recordings import Choice, Recording, bundled_recordings, find_recordings
from gateway.connection.window_encoder import EncodedWindow, EncodingPlan, encode_window
from gateway.session.fixed_windows import FixedWindows
from gateway.session.segmenter import Position, Window, WindowPolicy
from shared.audio.decode import decode_file
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import samples_of
from shared.bus import segment_entries, stored_audio
from shared.bus.limits import AudioCodec
from shared.errors import DecodeFailed
from shared.hearing import Hearing
from shared.ids import ConnectionId, Epoch, PoolName, SessionId, TraceId
from shared.protocol.segments import Codec, Segment
from shared.recitation.reference.passage import load_passage
from shared.recitation.report.review import review

WINDOW = Position(SAMPLE_RATE * 5 // 2, SAMPLE_RATE // 2)
"""The gateway's defaults: windows of 2.5 s that share 0.5 s."""
BATCH = 16
CONTROL = "pcm16 with noise of 1/32768"
PLANS = (
    EncodingPlan("pcm16"),
    EncodingPlan("mel_u8"),
    EncodingPlan("flac", store_flac=True),
    EncodingPlan("opus"),
    EncodingPlan("pcm16", store_flac=True),
    EncodingPlan("mel_u8", store_flac=True),
    EncodingPlan("opus", store_flac=True),
)
"""Segment codec and stored audio; the first of each codec is also heard."""


@dataclass(frozen=True, slots=True)
class CodecCost:
    """Per second of audio: bytes of segments, of stored audio, and of both as they go to Redis (what they
    share goes once); ms of CPU of the gateway to encode and of the worker to decode and make features."""

    codec: Codec
    stored: str
    segment_bytes: float
    stored_bytes: float
    pushed_bytes: float
    gateway_ms: float
    worker_ms: float


@dataclass(frozen=True)
class CodecEffect:
    """What was heard; `other_words`: words of another state than with pcm16."""

    name: str
    rates: Rates
    other_words: int


@dataclass(frozen=True)
class _Heard:
    """One recording's hearings and word states."""

    recording: Recording
    seconds: float
    hearings: tuple[Hearing, ...]
    states: tuple[str, ...]


def run_codecs(model: Path, console: Console, sources: Sequence[Recording], *, quick: bool) -> Report:
    """Measure every codec on these recordings (none: the bundled ones; with `quick` at most eight)."""
    engine = CTranslate2Engine(model)
    chosen = list(sources) or bundled_recordings()
    chosen = chosen[:: -(-len(chosen) // 8)] if quick else chosen
    audio = [(one, decode_file(one.path)) for one in chosen]
    windows = [window for _one, pcm in audio for window in windows_of(pcm)]
    seconds = sum(len(pcm) for _one, pcm in audio) / 2 / SAMPLE_RATE
    costs: list[CodecCost] = []
    heard: dict[str, list[_Heard]] = {}
    for plan in PLANS:
        console.print(f"{plan.codec}, stored as {'flac' if plan.store_flac else 'pcm16'} …", style="dim")
        costs.append(measure_cost(plan, windows, seconds, engine))
        if plan.codec not in heard:
            heard[plan.codec] = [_hear(one, pcm, plan, engine) for one, pcm in audio]
    heard[CONTROL] = [_hear(one, _dithered(pcm), PLANS[0], engine) for one, pcm in audio]
    effects = [_effect(name, found, heard["pcm16"]) for name, found in heard.items()]
    card = engine.capabilities
    engine.close()
    return _report(costs, effects, f"{card.model} {card.version}".strip(), len(chosen), seconds)


def sources_of(manifest: Path | None, reciters: Sequence[str], limit: int) -> list[Recording]:
    """The recordings that the command line names; none: the bundled ones."""
    return find_recordings(manifest, Choice(tuple(reciters), limit)) if manifest else []


def measure_cost(plan: EncodingPlan, windows: Sequence[Window], seconds: float, engine: Engine) -> CodecCost:
    """Bytes and CPU of one plan. The first windows are also done before, so that everything is loaded."""
    features = engine.capabilities.features
    for window in windows[:4]:
        engine.prepare([engine_item(_segment(window, encode_window(window, plan)), features)])
    began_s = time.process_time()
    encoded = [encode_window(window, plan) for window in windows]
    gateway_s = time.process_time() - began_s
    segments = [_segment(*pair) for pair in zip(windows, encoded, strict=True) if pair[0].seq is not None]
    began_s = time.process_time()
    for segment in segments:
        engine.prepare([engine_item(segment, features)])
    worker_s = time.process_time() - began_s
    stored = [_stored(one, plan) for one in encoded]
    pushed = 0
    for window, one, entry in zip(windows, encoded, stored, strict=True):
        apart = len(one.audio) if window.seq is not None else 0
        if window.seq is not None:
            stored_as: AudioCodec = "flac" if plan.store_flac else "pcm16"
            sent = segment_entries.pushed(_segment(window, one), one.fresh, stored_as)
            apart = len(sent.overlap) if sent.split else apart
        pushed += apart + len(entry)
    return CodecCost(
        codec=plan.codec,
        stored="flac" if plan.store_flac else "pcm16",
        segment_bytes=sum(len(segment.audio) for segment in segments) / seconds,
        stored_bytes=sum(map(len, stored)) / seconds,
        pushed_bytes=pushed / seconds,
        gateway_ms=1000 * gateway_s / seconds,
        worker_ms=1000 * worker_s / seconds,
    )


def windows_of(pcm: bytes) -> list[Window]:
    """The windows a gateway cuts of a recording, silent ones included."""
    intake = FixedWindows(WINDOW, WindowPolicy())
    intake.feed(pcm)
    intake.end()
    found = []
    while (window := intake.cut()) is not None:
        found.append(window)
    return found


def _stored(encoded: EncodedWindow, plan: EncodingPlan) -> bytes:
    if encoded.fresh is None:
        return b""
    return stored_audio.pack(encoded.fresh, "flac" if plan.store_flac else "pcm16")


def _segment(window: Window, encoded: EncodedWindow) -> Segment:
    return Segment(
        session_id=SessionId("bench"),
        connection_id=ConnectionId("bench"),
        epoch=Epoch("bench"),
        seq=window.seq or 0,
        start_sample=window.start_sample,
        samples=len(window.pcm) // 2,
        audio=encoded.audio,
        pool=PoolName("bench"),
        trace_id=TraceId("bench"),
        created_ms=0,
        deadline_ms=0,
        codec=encoded.codec,
    )


def _hear(one: Recording, pcm: bytes, plan: EncodingPlan, engine: Engine) -> _Heard:
    """A recording as a live session would be heard."""
    voiced = [window for window in windows_of(pcm) if window.seq is not None]
    items: list[EngineItem] = [
        engine_item(_segment(window, encode_window(window, plan)), engine.capabilities.features)
        for window in voiced
    ]
    hearings: list[Hearing] = []
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        for window, output in zip(voiced[start : start + BATCH], engine.decode(batch), strict=True):
            if isinstance(output, Exception):
                raise DecodeFailed(f"a window of {one.path} could not be decoded: {output}") from output
            span = chunking.Chunk(window.start_sample, window.start_sample + len(window.pcm) // 2)
            hearings.append(chunking.hearing(span, output, engine.capabilities))
    feedback = review(load_passage(one.verses), hearings)
    states = tuple(word.status for word in feedback.words)
    return _Heard(one, len(pcm) / 2 / SAMPLE_RATE, tuple(hearings), states)


def _dithered(pcm: bytes) -> bytes:
    """The recording with noise of one step either way."""
    samples = samples_of(pcm).astype(np.int32)
    samples += np.random.default_rng(1).integers(-1, 2, samples.size, dtype=np.int32)
    return samples.clip(-32768, 32767).astype("<i2").tobytes()


def _effect(name: str, found: Sequence[_Heard], plain: Sequence[_Heard]) -> CodecEffect:
    tally = Tally()
    for one in found:
        passage = load_passage(one.recording.verses)
        tally.add(passage, one.seconds, one.hearings, one.hearings)
        tally.judge(review(passage, one.hearings))
    other = sum(
        mine != theirs
        for one, reference in zip(found, plain, strict=True)
        for mine, theirs in zip(one.states, reference.states, strict=True)
    )
    return CodecEffect(name, tally.rates(), other)


def _report(
    costs: Sequence[CodecCost], effects: Sequence[CodecEffect], model: str, count: int, seconds: float
) -> Report:
    plain, mel = costs[0], next(cost for cost in costs if cost.codec == "mel_u8")
    heard = {effect.name: effect.rates for effect in effects}
    return Report(
        name="codecs",
        headline={
            "mel_u8_bytes_share": mel.segment_bytes / plain.segment_bytes,
            "mel_u8_correct_change": heard["mel_u8"].correct - heard["pcm16"].correct,
            "opus_correct_change": heard["opus"].correct - heard["pcm16"].correct,
            "pcm16_push_share": plain.pushed_bytes / (plain.segment_bytes + plain.stored_bytes),
        },
        tables=[_cost_table(costs), _effect_table(effects, count, seconds)],
        figures={
            "costs": [asdict(cost) for cost in costs],
            "effects": [msgspec.to_builtins(effect) for effect in effects],
            "seconds": seconds,
        },
        model=model,
        notes=[
            "half a second of a window is also in the one before: segments carry 1.25 s per second of audio",
            "one gateway CPU ms per second of audio is 0.1 % of a core for each live reciter",
        ],
    )


def _cost_table(costs: Sequence[CodecCost]) -> Table:
    rows = [
        [
            f"{cost.codec}, stored as {cost.stored}",
            f"{cost.segment_bytes / 1000:.1f}",
            f"{cost.stored_bytes / 1000:.1f}",
            f"{cost.pushed_bytes / 1000:.1f}",
            f"{cost.gateway_ms:.2f}",
            f"{cost.worker_ms:.2f}",
        ]
        for cost in costs
    ]
    return Table(
        "Per second of audio, windows of 2.5 s with 0.5 s of overlap",
        ("segment codec", "segments kB", "stored kB", "to Redis kB", "gateway CPU ms", "worker CPU ms"),
        rows,
        "to Redis: segments and stored audio, what they share goes once; gateway: encoding; worker: "
        "decoding and features, which mel_u8 has ready",
    )


def _effect_table(effects: Sequence[CodecEffect], count: int, seconds: float) -> Table:
    rows = [
        [
            effect.name,
            "-" if effect.rates.live_per is None else f"{100 * effect.rates.live_per:.2f}",
            f"{100 * effect.rates.wer:.2f}",
            f"{100 * effect.rates.correct:.2f}",
            f"{100 * effect.rates.false_alarms:.2f}",
            f"{effect.other_words} of {effect.rates.words}",
        ]
        for effect in effects
    ]
    return Table(
        f"What is heard: {count} recordings, {seconds / 60:.0f} min, in live windows",
        ("segment codec", "PER %", "text WER %", "words correct %", "wrong or missing %", "judged otherwise"),
        rows,
        "judged otherwise: words that end in another state than with pcm16; the last row is the control: "
        "so many words stand on the edge that inaudible noise tips them",
    )
