"""Windows leave as the settings say; a session behaves the same whatever the codec."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest

from gateway.connection import window_encoder
from gateway.connection.window_encoder import (
    CodecEncoder,
    EncodingPlan,
    PlainEncoder,
    encode_window,
    open_encoder,
)
from gateway.session.fixed_windows import FixedWindows
from gateway.session.segmenter import Position, Window, WindowPolicy
from gateway.settings import GatewaySettings
from shared.audio import flac, mel, opus
from shared.audio.features import FeatureConfig
from shared.audio.formats import SAMPLE_RATE
from shared.ids import PoolName
from shared.protocol.segments import Segment, SegmentResult
from tests.unit.gateway import speech
from tests.unit.gateway.harness import world

POOL = PoolName("default")
PCM = speech.recite(range(16))


def windows(pcm: bytes = PCM) -> list[Window]:
    intake = FixedWindows(Position(SAMPLE_RATE * 5 // 2, SAMPLE_RATE // 2), WindowPolicy())
    intake.feed(pcm)
    intake.end()
    cut = []
    while (window := intake.cut()) is not None:
        cut.append(window)
    return cut


async def test_plain_pcm_is_passed_on() -> None:
    encoder = open_encoder(GatewaySettings())
    assert isinstance(encoder, PlainEncoder)
    for window in windows():
        codec, audio, chunk = await encoder.encode(window, POOL)
        assert codec == "pcm16"
        assert audio is window.pcm
        assert chunk is None or (chunk.start_sample, chunk.pcm) == (window.fresh_start, window.fresh)


def test_flac_of_fresh_audio_is_the_end_of_the_segments_own() -> None:
    for window in windows():
        encoded = encode_window(window, EncodingPlan("flac", store_flac=True))
        if window.seq is not None:
            assert flac.decode(encoded.audio) == window.pcm
            assert encoded.fresh is not None
            assert encoded.audio.endswith(encoded.fresh.flac)


def test_features_are_those_of_the_pools_model() -> None:
    shape = FeatureConfig(n_mels=128, hop_length=160)
    plan = EncodingPlan.of(GatewaySettings(segment_codec="mel_u8", mel_bands=128, mel_hop=160))
    window = windows()[0]
    encoded = encode_window(window, plan)
    assert mel.decode(encoded.audio, shape).shape[1] == 128
    assert encoded.fresh is not None
    assert encoded.fresh.flac == b""


async def test_another_pool_than_the_one_asked_for_gets_samples() -> None:
    encoder = open_encoder(GatewaySettings(segment_codec="mel_u8", asr_pool="large"))
    window = windows()[0]
    assert (await encoder.encode(window, PoolName("large"))).codec == "mel_u8"
    elsewhere = await encoder.encode(window, PoolName("small"))
    assert (elsewhere.codec, elsewhere.audio) == ("pcm16", window.pcm)
    encoder.close()


def test_opus_has_the_bitrate_it_was_given() -> None:
    window = windows()[0]
    small, large = (encode_window(window, EncodingPlan("opus", opus_bitrate=rate)) for rate in (8000, 48_000))
    assert len(small.audio) < len(large.audio)
    assert len(opus.decode(small.audio, len(window.pcm) // 2)) == len(window.pcm)


def test_silence_is_stored_and_not_encoded_for_anybody() -> None:
    [*_, window] = windows(bytes(SAMPLE_RATE * 10))
    assert window.seq is None
    assert encode_window(window, EncodingPlan("opus")).audio == b""


@pytest.mark.parametrize(
    ("plan", "beside"),
    [
        (EncodingPlan("mel_u8"), False),
        (EncodingPlan("opus"), True),
        (EncodingPlan("flac"), True),
        (EncodingPlan("pcm16", store_flac=True), True),
    ],
)
async def test_what_takes_long_is_not_done_on_the_loop(
    plan: EncodingPlan, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: list[threading.Thread] = []

    def note(*args: Any) -> window_encoder.EncodedWindow:
        where.append(threading.current_thread())
        return encode_window(*args)

    monkeypatch.setattr(window_encoder, "encode_window", note)
    encoder = CodecEncoder(plan, threads=1)
    encoded = await encoder.encode(windows()[0], POOL)
    encoder.close()
    again = encode_window(windows()[0], plan)
    if plan.codec == "flac":  # its frames are numbered on and on
        assert flac.decode(encoded.audio) == flac.decode(again.audio)
    else:
        assert encoded.audio == again.audio
    assert (where[0] is not threading.main_thread()) is beside


async def test_a_session_in_flac_stores_and_recites_as_one_in_pcm() -> None:
    async with world(_listen_to_flac) as w:
        client = w.gateway(segment_codec="flac", store_audio_codec="flac").connect()
        ready = await client.until("ready")
        await client.stream(PCM)
        await client.send("end")
        assert (await client.rest()).code == 1000
        words = client.of("partial_result")[-1]["word_feedback"]
        assert [word["status"] for word in words[:16]] == ["correct"] * 16
        assert {segment.codec for segment in w.worker.seen} == {"flac"}
        assert client.of("ack")[-1]["offset"] == len(PCM) // 2
        assert ready["offset"] == 0


def _listen_to_flac(segment: Segment) -> SegmentResult:
    return speech.listen(msgspec.structs.replace(segment, audio=flac.decode(segment.audio), codec="pcm16"))
