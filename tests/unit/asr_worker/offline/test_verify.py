"""A whole recording becomes a report; what cannot be verified says why."""

from __future__ import annotations

from threading import get_ident
from typing import Any

import msgspec
import numpy as np
import pytest

from asr_worker.batching.executor import EngineExecutor
from asr_worker.engines.scripted import FAIL_ITEM, ScriptedEngine, speak, speak_marker
from asr_worker.offline import chunking, verify
from asr_worker.offline.verify import Verifier
from shared.bus.ports import AudioChunk
from shared.clock import SystemClock
from shared.errors import BadAudio, BadRequest, DecodeFailed, RattilError, StateLost, UnknownVerse
from shared.ids import SessionId
from shared.protocol.jobs import (
    MAX_RECORDING_S,
    VerifyReply,
    VerifySession,
    VerifyUpload,
    decode_reply,
    decode_request,
    dump_job,
    encode_request,
    load_job,
)
from shared.recitation.reference.passage import VerseRange, load_passage
from shared.recitation.report.report import VerifyReport
from tests.memory.bus import MemorySessionStore
from tests.memory.bus_state import MemoryBus
from tests.unit.asr_worker.worker_harness import Reciter

PASSAGE = "112:1-4"


class _Uploads:
    def __init__(self, pcm16: bytes | None) -> None:
        self.pcm16 = pcm16

    async def fetch(self, upload_id: str) -> bytes | None:
        return self.pcm16


def _recited(*, without: int | None = None) -> bytes:
    words = load_passage(VerseRange.parse(PASSAGE)).words
    sounds = [phone for word in words if word.index != without for phone in word.phones]
    return speak(sounds).tobytes()


async def _verify(pcm16: bytes | None, passage: str = PASSAGE) -> VerifyReport:
    executor = EngineExecutor(ScriptedEngine(), SystemClock())
    verifier = Verifier(executor, MemorySessionStore(MemoryBus()), _Uploads(pcm16), SystemClock(), batch=2)
    reply = await verifier.verify(VerifyUpload("u", passage))
    executor.close()
    return msgspec.msgpack.decode(reply.report, type=VerifyReport)


async def test_a_clean_recording_is_all_correct() -> None:
    report = await _verify(_recited())
    assert {word.status for word in report.word_analysis} == {"correct"}
    assert report.accuracy_score == 100.0
    assert set(report.timing_ms) == {
        "load_ms",
        "decode_ms",
        "inference_ms",
        "audio_ms",
        "review_ms",
        "total_ms",
    }


async def test_a_recording_at_hand_gets_the_same_report() -> None:
    executor = EngineExecutor(ScriptedEngine(), SystemClock())
    nothing = _Uploads(None)
    verifier = Verifier(executor, MemorySessionStore(MemoryBus()), nothing, SystemClock(), batch=2)
    report = await verifier.judge(_recited(without=3), PASSAGE, "ar")
    executor.close()
    sent = await _verify(_recited(without=3))
    assert report.word_analysis[3].status == "missing"
    assert msgspec.structs.replace(report, timing_ms={}) == msgspec.structs.replace(sent, timing_ms={})


async def test_whole_recordings_are_worked_on_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds of work on a long recording must not hold up the segments of live sessions."""
    worked_in: dict[str, int] = {}

    def noting(owner: object, name: str) -> None:
        work = getattr(owner, name)

        def noted(*args: Any) -> Any:
            worked_in[name] = get_ident()
            return work(*args)

        monkeypatch.setattr(owner, name, noted)

    noting(chunking, "windows")
    noting(chunking, "audible")
    noting(verify, "review")
    await _verify(_recited())
    assert set(worked_in) == {"windows", "audible", "review"}
    assert get_ident() not in worked_in.values()


async def test_a_skipped_word_is_missing() -> None:
    report = await _verify(_recited(without=6))
    assert [word.index for word in report.word_analysis if word.status == "missing"] == [6]


async def test_a_long_recording_is_cut_without_loss_or_doubling() -> None:
    passage = load_passage(VerseRange.parse("1:1-7"))
    sounds: list[str | None] = [phone for word in passage.words for phone in [*word.phones, None, None]]
    pcm16 = speak(sounds).tobytes()
    assert len(pcm16) / 32_000 > 15
    report = await _verify(pcm16, "1:1-7")
    assert {word.status for word in report.word_analysis} == {"correct"}
    assert report.extra_words == ()


async def test_silence_is_not_invented_into_words() -> None:
    report = await _verify(bytes(32_000 * 12))
    assert {word.status for word in report.word_analysis} == {"pending"}
    assert report.timing_ms["inference_ms"] == 0


async def test_a_session_is_verified_from_its_stored_audio() -> None:
    bus = MemoryBus()
    session = Reciter(MemorySessionStore(bus))
    await session.store.open(session.record)
    pcm16 = _recited()
    await session.store.push(session.record, None, AudioChunk(0, pcm16[:32_000]))
    await session.store.push(session.record, None, AudioChunk(16_000, pcm16[32_000:]))
    executor = EngineExecutor(ScriptedEngine(), SystemClock())
    verifier = Verifier(executor, session.store, _Uploads(None), SystemClock(), batch=4)
    reply = await verifier.verify(VerifySession(session.session_id, PASSAGE))
    report = msgspec.msgpack.decode(reply.report, type=VerifyReport)
    assert {word.status for word in report.word_analysis} == {"correct"}
    with pytest.raises(StateLost):
        await verifier.verify(VerifySession(SessionId("unknown-session"), PASSAGE))
    executor.close()


@pytest.mark.parametrize(
    ("pcm16", "passage", "error"),
    [
        (b"", PASSAGE, BadAudio),
        (b"\x00" * 3, PASSAGE, BadAudio),
        (bytes(32_000 * MAX_RECORDING_S + 2), PASSAGE, BadAudio),
        (None, PASSAGE, StateLost),
        (_recited(), "112:9", UnknownVerse),
        (_recited(), "nonsense", BadRequest),
        (speak_marker(FAIL_ITEM, 10).tobytes(), PASSAGE, DecodeFailed),
    ],
    ids=["empty", "odd bytes", "too long", "expired", "no such verse", "no verse at all", "not decodable"],
)
async def test_what_cannot_be_verified_says_why(
    pcm16: bytes | None, passage: str, error: type[RattilError]
) -> None:
    with pytest.raises(error) as raised:
        await _verify(pcm16, passage)
    assert raised.value.message


# -- the job's wire format -----------------------------------------------------------------------
@pytest.mark.parametrize(
    "request_", [VerifySession(SessionId("s" * 16), "1:1"), VerifyUpload("u", "1:1", language="en")]
)
def test_requests_travel(request_: VerifySession | VerifyUpload) -> None:
    job: dict[str, object] = {"f": "verify", "a": (encode_request(request_),), "k": {}, "t": None, "et": 1}
    assert decode_request(load_job(dump_job(job))["a"][0]) == request_


def test_replies_travel_and_become_errors() -> None:
    reply = decode_reply(msgspec.msgpack.encode(VerifyReply(code="state_lost", message="gone")))
    error = reply.error()
    assert isinstance(error, StateLost)
    assert error.message == "gone"
    assert VerifyReply(report=b"x").error() is None


@pytest.mark.parametrize("data", [b"", b"rubbish", msgspec.msgpack.encode({"type": "upload", "v": 1})])
def test_rubbish_is_a_bad_request(data: bytes) -> None:
    with pytest.raises(BadRequest):
        decode_request(data)
    with pytest.raises(BadRequest):
        decode_reply([data])


def test_other_versions_are_refused() -> None:
    with pytest.raises(BadRequest, match="version 2"):
        decode_request(encode_request(VerifyUpload("u", "1:1", v=2)))


def test_exceptions_travel_as_text_never_as_pickles() -> None:
    data = dump_job({"s": False, "r": TimeoutError("too slow")})
    failure = load_job(data)["r"]
    assert isinstance(failure, DecodeFailed)
    assert "TimeoutError: too slow" in failure.message
    with pytest.raises(NotImplementedError):
        dump_job({"r": np.zeros(1)})
