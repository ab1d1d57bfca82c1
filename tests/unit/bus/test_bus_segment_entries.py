"""A segment's audio travels once where the store takes its end, and comes out in one piece."""

from __future__ import annotations

import msgspec
import pytest

from shared.audio import flac
from shared.bus import segment_entries, stored_audio
from shared.bus.limits import AudioCodec
from shared.bus.ports import AudioChunk
from shared.bus.segment_entries import ENVELOPE, FRESH, OVERLAP, PushedSegment
from shared.errors import BadRequest
from shared.protocol import codec
from shared.protocol.segments import Segment
from tests.contract.bus_harness import a_record, a_segment

PCM = bytes(range(200)) * 2
FRESH_FROM = 100


def fields(sent: PushedSegment, stored: bytes) -> dict[bytes, bytes]:
    """What the push script makes of it."""
    entry = {ENVELOPE: sent.envelope}
    return entry | {OVERLAP: sent.overlap, FRESH: stored} if sent.split else entry


def segment(audio: bytes = PCM, name: str = "pcm16") -> Segment:
    return msgspec.structs.replace(a_segment(a_record(), 3, PCM), audio=audio, codec=name)


@pytest.mark.parametrize("overlap", [0, FRESH_FROM])
def test_pcm_travels_once(overlap: int) -> None:
    chunk = AudioChunk(0, PCM[overlap:])
    stored = stored_audio.pack(chunk, "pcm16")
    sent = segment_entries.pushed(segment(), chunk, "pcm16")
    assert sent.split
    assert sent.overlap == PCM[:overlap]
    assert len(sent.envelope) < 300
    assert segment_entries.claimed(fields(sent, stored)) == segment()


def test_flac_travels_once() -> None:
    fresh = flac.encode(PCM[FRESH_FROM:])
    audio = flac.encode(PCM[:FRESH_FROM]) + fresh
    chunk = AudioChunk(0, PCM[FRESH_FROM:], fresh)
    stored = stored_audio.pack(chunk, "flac")
    sent = segment_entries.pushed(segment(audio, "flac"), chunk, "flac")
    assert sent.split
    assert segment_entries.claimed(fields(sent, stored)) == segment(audio, "flac")


@pytest.mark.parametrize(
    ("name", "stored_as", "pcm"),
    [
        ("mel_u8", "pcm16", PCM[FRESH_FROM:]),
        ("pcm16", "flac", PCM[FRESH_FROM:]),
        ("flac", "pcm16", PCM[FRESH_FROM:]),
        ("pcm16", "pcm16", b"other"),
        ("pcm16", "pcm16", b""),
    ],
)
def test_what_differs_from_the_stored_audio_travels_whole(
    name: str, stored_as: AudioCodec, pcm: bytes
) -> None:
    chunk = AudioChunk(0, pcm[: len(pcm) // 2 * 2]) if pcm else None
    stored = stored_audio.pack(chunk, stored_as) if chunk else b""
    sent = segment_entries.pushed(segment(name=name), chunk, stored_as)
    assert not sent.split
    assert segment_entries.claimed(fields(sent, stored)) == segment(name=name)


def test_a_segment_of_the_first_version_is_read() -> None:
    assert segment_entries.claimed({ENVELOPE: codec.encode_segment(segment())}) == segment()


def test_a_whole_segment_of_pcm_is_what_older_workers_read() -> None:
    envelope = msgspec.msgpack.decode(segment_entries.pushed(segment(), None, "pcm16").envelope)
    assert (envelope["v"], envelope["audio"]) == (1, PCM)


def test_parts_of_another_codec_are_refused() -> None:
    sent = segment_entries.pushed(segment(), AudioChunk(0, PCM), "pcm16")
    with pytest.raises(BadRequest, match="another codec"):
        segment_entries.claimed(fields(sent, stored_audio.pack(AudioChunk(0, PCM), "flac")))


def test_a_codec_of_the_future_reaches_the_worker_who_says_so() -> None:
    strange = segment(b"...", "neural_v9")
    assert segment_entries.claimed(fields(segment_entries.pushed(strange, None, "pcm16"), b"")) == strange
