"""What holds for every streaming dialect, whatever its words: one suite, one row for each."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import random
import string
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from gateway.connection.connection import Connection
from shared.protocol.segments import Segment, SegmentResult
from tests.integration.dialect_clients import (
    ALL,
    RESUMABLE,
    TRANSCRIBING,
    Conversation,
    DialectClient,
    Gone,
    Told,
)
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Gateway, World, eventually, world

WORDS = [0, 1, 2, 3, 4, 5]
SPOKEN = [speech.FATIHA.words[word].display for word in WORDS]
TAIL_AT_ONCE = speech.recite(WORDS[:3]) + speech.silence(1.2) + speech.recite(WORDS[3:])
"""The end comes while somebody still speaks."""
FRAME_BYTES = 6400
LANGUAGES = ("en", "fr", "de", "tr", "ur", "id", "fa", "ms")
FUZZ = int(os.environ.get("DIALECT_FUZZ", "300"))
"""Messages of each dialect."""
MOST_GROWTH_BYTES = 80_000_000

each_transcribing = pytest.mark.parametrize("dialect", TRANSCRIBING, ids=lambda one: one.name)
each_with_finals = pytest.mark.parametrize(
    "dialect", [one for one in ALL if one.name != "recite"], ids=lambda one: one.name
)
each = pytest.mark.parametrize("dialect", ALL, ids=lambda one: one.name)


def hear(segment: Segment) -> SegmentResult:
    """As the scripted engine, and nothing in sounds that are no words of its passage."""
    try:
        return speech.listen(segment)
    except IndexError:
        silent = msgspec.structs.replace(segment, audio=b"")
        return speech.listen(msgspec.structs.replace(silent, audio=bytes(2)))


@asynccontextmanager
async def gateway(**overrides: Any) -> AsyncIterator[tuple[World, Gateway]]:
    async with world(listen=hear) as w:
        yield w, w.gateway(stream_enabled=True, stream_port=0, **overrides)


async def speak(conversation: Conversation, pcm: bytes, frame_bytes: int = FRAME_BYTES) -> None:
    for start in range(0, len(pcm), frame_bytes):
        await conversation.send(pcm[start : start + frame_bytes])


async def transcribe(
    dialect: DialectClient, made: Gateway, pcm: bytes = TAIL_AT_ONCE, language: str = "ar"
) -> Told:
    conversation = await dialect.open(made, language)
    await speak(conversation, pcm)
    await conversation.send(dialect.end)
    return await conversation.rest()


def words(dialect: DialectClient, told: Told) -> list[str]:
    return [word for final in dialect.finals(told.events) for word in final.text.split()]


@each_with_finals
async def test_the_end_answers_everything_that_came(dialect: DialectClient) -> None:
    async with gateway() as (_, made):
        told = await transcribe(dialect, made)
    assert words(dialect, told) == SPOKEN
    assert dialect.errors(told.events) == []
    assert told.code in (1000, -1)


@pytest.mark.parametrize(
    "dialect", [one for one in ALL if one.end and one.name != "recite"], ids=lambda one: one.name
)
async def test_what_comes_after_the_end_changes_nothing(dialect: DialectClient) -> None:
    async with gateway() as (w, made):
        w.worker.working.clear()
        conversation = await dialect.open(made)
        await speak(conversation, TAIL_AT_ONCE)
        await conversation.send(dialect.end)
        await speak(conversation, speech.recite([6]))
        await conversation.send(dialect.end)
        w.worker.working.set()
        told = await conversation.rest()
    assert words(dialect, told) == SPOKEN
    assert (dialect.errors(told.events), told.code) == ([], 1000)


@each_transcribing
@pytest.mark.parametrize("seed", range(3))
async def test_finals_never_change_and_follow_time(dialect: DialectClient, seed: int) -> None:
    chance = random.Random(seed)
    said = [chance.randrange(8) for _ in range(12)]
    pauses = [chance.choice([0.0, 0.0, 1.0]) for _ in said]
    pcm = b"".join(
        speech.recite([word]) + speech.silence(pause) for word, pause in zip(said, pauses, strict=True)
    )
    async with gateway(interim_s=0.5) as (_, made):
        conversation = await dialect.open(made)
        await speak(conversation, pcm, 2 * chance.randrange(200, 8000))
        await conversation.send(dialect.end)
        told = await conversation.rest()
    finals = dialect.finals(told.events)
    assert words(dialect, told) == [speech.FATIHA.words[word].display for word in said]
    assert all(final.start <= final.end for final in finals)
    assert all(later.start >= earlier.end - 0.001 for earlier, later in itertools.pairwise(finals))


async def test_many_dialects_at_once_and_no_option_leaks() -> None:
    """Everybody says one word of his own, so that a segment shows whose it is."""
    with_language = [dialect for dialect in TRANSCRIBING if not dialect.name.startswith("committed")]
    asked = list(enumerate((dialect, language) for dialect in with_language for language in LANGUAGES[:2]))
    async with gateway() as (w, made):
        told = await asyncio.gather(
            *(
                transcribe(dialect, made, speech.recite([place] * 3), LANGUAGES[place])
                for place, (dialect, _) in asked
            ),
            *(
                transcribe(dialect, made, speech.recite([6] * 3))
                for dialect in TRANSCRIBING
                if dialect not in with_language
            ),
        )
        heard = {
            (speech.listen(segment).text.split()[0], segment.options.language)
            for segment in w.worker.seen
            if speech.listen(segment).text
        }
    spellings = [speech.FATIHA.words[place].spelling for place in range(7)]
    expected = {(spellings[place], LANGUAGES[place]) for place, _ in asked} | {(spellings[6], "ar")}
    assert heard == expected
    for place, (dialect, _) in asked:
        assert words(dialect, told[place]) == [speech.FATIHA.words[place].display] * 3


@pytest.mark.parametrize("dialect", [one for one in ALL if one.bad_text], ids=lambda one: one.name)
async def test_a_bad_message_gets_the_dialect_s_own_error_and_the_session_goes_on(
    dialect: DialectClient,
) -> None:
    assert dialect.bad_text is not None
    async with gateway() as (_, made):
        conversation = await dialect.open(made)
        await conversation.send(dialect.bad_text)
        await speak(conversation, TAIL_AT_ONCE)
        await conversation.send(dialect.end)
        told = await conversation.rest()
    assert len(dialect.errors(told.events)) == 1
    assert dialect.name == "recite" or words(dialect, told) == SPOKEN
    assert told.code == 1000


@pytest.mark.parametrize("dialect", [one for one in ALL if one.bad_text], ids=lambda one: one.name)
async def test_who_sends_nothing_but_bad_messages_is_closed(dialect: DialectClient) -> None:
    assert dialect.bad_text is not None
    async with gateway(max_bad_messages=5) as (_, made):
        conversation = await dialect.open(made)
        for _ in range(5):
            await conversation.send(dialect.bad_text)
        told = await conversation.rest()
    assert (len(dialect.errors(told.events)), told.code) == (5, 1008)


@each
async def test_a_drain_says_reconnect_in_the_dialect_s_own_way(dialect: DialectClient) -> None:
    async with gateway() as (w, made):
        conversation = await dialect.open(made)
        await speak(conversation, TAIL_AT_ONCE)
        await eventually(lambda: len(w.worker.seen) > 0)
        draining = asyncio.create_task(made.ports.connections.drain(0))
        told = await conversation.rest()
        await draining
    assert dialect.says_reconnect(told)
    heard = words(dialect, told)
    assert heard == SPOKEN[: len(heard)]


def has_ended(made: Gateway) -> bool:
    """Whether the one live connection has been told that no more audio comes."""
    (connection,) = made.ports.connections._live.values() or (None,)
    return isinstance(connection, Connection) and connection._core.segmenter.end_requested


@pytest.mark.parametrize(
    "dialect", [one for one in TRANSCRIBING if one.name not in RESUMABLE], ids=lambda one: one.name
)
async def test_who_has_ended_and_cannot_resume_is_answered_to_the_end_in_a_drain(
    dialect: DialectClient,
) -> None:
    async with gateway() as (w, made):
        w.worker.working.clear()
        conversation = await dialect.open(made)
        await speak(conversation, TAIL_AT_ONCE)
        await conversation.send(dialect.end)
        await eventually(lambda: has_ended(made))
        draining = asyncio.create_task(made.ports.connections.drain(0))
        await asyncio.sleep(0)
        w.worker.working.set()
        told = await conversation.rest()
        await draining
    assert words(dialect, told) == SPOKEN
    assert dialect.errors(told.events) == []
    assert told.code in (1000, -1)


@each
async def test_a_service_without_room_says_so(dialect: DialectClient) -> None:
    async with gateway(ws_max_connections=1) as (_, made):
        holding = await dialect.open(made)
        await speak(holding, speech.recite([0]))
        await eventually(lambda: made.ports.connections.count == 1)
        told = await (await dialect.open(made)).rest()
        await holding.send(dialect.end)
        await holding.rest()
    assert len(dialect.errors(told.events)) == 1
    assert told.code in (1013, 4013, -1)


@each
async def test_a_failure_of_ours_is_told_and_counted(
    dialect: DialectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_record: object) -> None:
        raise RuntimeError("a fault of the service")

    async with gateway() as (_, made):
        monkeypatch.setattr(made.ports.store, "open", fail)
        told = await (await dialect.open(made)).rest()
        await eventually(lambda: made.ports.connections.count == 0)
        closes = made.ports.metrics.registry.get_sample_value(
            "rattil_gateway_closes_total", {"reason": "internal"}
        )
    (sentence,) = dialect.errors(told.events)
    assert "something went wrong here" in sentence
    assert (closes, told.code in (1011, 4014, -1)) == (1, True)


# -- by chance -----------------------------------------------------------------------------------------
def _value(chance: random.Random) -> str:
    return chance.choice(
        [
            *("", "-1", "0", "1e999", "NaN", "true", "null", "9" * 40, "../../etc", "ar", "16000", "48000"),
            "".join(chance.choices(string.printable, k=chance.randrange(1, 30))),
            chr(chance.randrange(0x600, 0x6FF)) * chance.randrange(1, 9),
        ]
    )


_NAMES = (
    *("language", "model", "encoding", "sample_rate", "channels", "interim_results", "endpointing", "tag"),
    *(
        "utterance_end_ms",
        "vad_events",
        "keyterm",
        "endpoint_ms",
        "vocabulary",
        "surah",
        "ayah",
        "to",
        "token",
    ),
)
_SOUNDS = ("linear16", "mulaw", "pcm_s16le", "pcm_f32le", "webm_opus", "container")


def query_by_chance(chance: random.Random) -> str:
    asked = {name: _value(chance) for name in chance.sample(_NAMES, chance.randrange(4))}
    if chance.random() < 0.7:
        asked |= {
            "encoding": chance.choice(_SOUNDS),
            "sample_rate": chance.choice(["16000", "8000", "44100"]),
        }
        asked.pop("sample_rate" if asked["encoding"] in _SOUNDS[4:] else "", "")
    if chance.random() < 0.7:
        asked |= {"surah": "1", "ayah": "1"}
    return "&".join(f"{name}={quote(value)}" for name, value in asked.items())


def text_by_chance(chance: random.Random, texts: tuple[str, ...]) -> str:
    text = chance.choice([*texts, json.dumps({_value(chance): _value(chance)}), "[" * chance.randrange(3000)])
    letters = list(text)
    for _ in range(chance.choice([0, 1, 1, 3])):
        place = chance.randrange(len(letters) + 1)
        letters[place : place + chance.randrange(3)] = chance.choice(["", '"', "{", "\0", "é", "7"])
    return "".join(letters) * chance.choice([1, 1, 1, 1, 2, 200])


def binary_by_chance(chance: random.Random) -> bytes:
    size = chance.choice([0, 1, 3, 12, 640, 6400, 6401, 40_000])
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randbytes(size)
    if kind == 1:
        return speech.recite([chance.randrange(20)])[:size]
    if kind == 2:
        return bytes([chance.randrange(256)]) * size
    return chance.choice(
        [b"RIFF\0\0\0\0WAVEfmt ", b"OggS", b"\x1aE\xdf\xa3", b"END_OF_AUDI"]
    ) + chance.randbytes(size)


async def one_by_chance(dialect: DialectClient, made: Gateway, chance: random.Random, most: int) -> int:
    """A conversation of at most so many messages; returns how many were sent."""
    if chance.random() < 0.5:
        conversation = await dialect.open(made)
    else:
        text, binary = text_by_chance(chance, tuple(dialect.texts)), binary_by_chance(chance)
        first = text if chance.random() < 0.5 else binary
        conversation = await dialect.open_anyhow(made, query_by_chance(chance), first)
    messages = min(most, chance.randrange(1, 40))
    try:
        for _ in range(messages):
            if dialect.texts and chance.random() < 0.5:
                await conversation.send(text_by_chance(chance, tuple(dialect.texts)))
            else:
                await conversation.send(binary_by_chance(chance) or b"\0")
        for _ in range(chance.choice([1, 1, 2]) if dialect.end else 1):
            await conversation.send(dialect.end)
            if dialect.end:
                await conversation.send(binary_by_chance(chance) or b"\0")
    except Gone:
        pass  # one of them ended it
    told = await conversation.rest()
    assert told.code not in (1006, 1011, 4014)
    return messages


@each
@pytest.mark.timeout(60 + FUZZ)
async def test_no_message_breaks_a_dialect(dialect: DialectClient) -> None:
    """`DIALECT_FUZZ` says how many messages are tried."""
    chance = random.Random(f"{dialect.name}-1")
    sent, begun_bytes = 0, 0
    while sent < FUZZ:
        async with gateway(max_bad_messages=50, first_audio_s=1.0, segment_check_s=0.5) as (_, made):
            until = min(FUZZ, sent + 200)
            while sent < until:
                sent += await one_by_chance(dialect, made, chance, until - sent)
            assert (await transcribe(dialect, made)).code in (1000, -1)
            await eventually(lambda: made.ports.connections.count == 0)
            metrics = made.ports.metrics.registry
            assert not metrics.get_sample_value("rattil_gateway_closes_total", {"reason": "internal"})
        gc.collect()
        begun_bytes = begun_bytes or _resident_bytes()
    assert _resident_bytes() - begun_bytes < MOST_GROWTH_BYTES


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
