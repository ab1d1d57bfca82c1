"""What a worker makes of each codec, and what it answers when it cannot."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from asr_worker.batching.outcomes import Stages, engine_item, heard
from asr_worker.engines.engine import EngineOutput
from asr_worker.engines.scripted import ScriptedEngine
from cli.sample_files import load_samples
from shared.audio import flac, mel, opus
from shared.audio.decode import decode_file
from shared.audio.features import FeatureConfig
from shared.audio.pcm import to_float
from shared.errors import BadAudio, RattilError, UnsupportedCodec
from shared.hearing import SoundFacts
from shared.ids import WorkerId
from shared.protocol.segments import Segment
from tests.contract.bus_harness import a_record, a_segment
from tests.memory.bus_state import MemoryBus
from tests.unit.asr_worker.worker_harness import reciter, running

MODEL = FeatureConfig()
PCM = decode_file(load_samples()["ikhlas_clean"].path)[:80_000]


def segment(audio: bytes, codec: str, samples: int = len(PCM) // 2) -> Segment:
    return msgspec.structs.replace(a_segment(a_record(), 0, PCM), audio=audio, codec=codec, samples=samples)


def test_flac_is_what_pcm_is() -> None:
    whole = engine_item(segment(PCM, "pcm16"))
    parts = engine_item(segment(flac.encode(PCM[:16_000]) + flac.encode(PCM[16_000:]), "flac"))
    assert whole.pcm is not None
    assert parts.pcm is not None
    assert np.array_equal(whole.pcm, parts.pcm)


def test_opus_has_the_length_it_claims() -> None:
    item = engine_item(segment(opus.encode(PCM), "opus"))
    assert item.pcm is not None
    assert item.pcm.size == len(PCM) // 2


def test_features_go_to_the_engine_without_samples() -> None:
    item = engine_item(segment(mel.encode(PCM, MODEL), "mel_u8"), MODEL)
    assert item.pcm is None
    assert item.logs is not None
    assert item.samples == to_float(PCM).size
    assert MODEL.frames(item.samples) <= item.logs.shape[0] <= MODEL.frames(item.samples + MODEL.n_fft)


def _facts(segment: Segment) -> SoundFacts:
    taken = replace(ScriptedEngine().capabilities, features=MODEL)
    result = heard(segment, engine_item(segment, MODEL), EngineOutput(), Stages(0), WorkerId("w"), taken)
    assert result.sound is not None
    return result.sound


def test_how_loud_a_window_was_is_known_whatever_its_codec() -> None:
    as_samples = _facts(segment(PCM, "pcm16"))
    assert as_samples.loudest_dbfs < -10
    for audio, codec in ((mel.encode(PCM, MODEL), "mel_u8"), (opus.encode(PCM), "opus")):
        facts = _facts(segment(audio, codec))
        assert facts.loudest_dbfs == pytest.approx(as_samples.loudest_dbfs, abs=2), codec
        assert facts.typical_dbfs == pytest.approx(as_samples.typical_dbfs, abs=3), codec


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (segment(PCM, "neural_v9"), UnsupportedCodec, "neural_v9"),
        (segment(mel.encode(PCM, FeatureConfig(n_mels=128)), "mel_u8"), UnsupportedCodec, "128 bands"),
        (segment(mel.encode(PCM, FeatureConfig(hop_length=160)), "mel_u8"), UnsupportedCodec, "WS_MEL_HOP"),
        (segment(b"", "mel_u8"), BadAudio, "cut short"),
        (segment(PCM, "flac"), BadAudio, "cut short|damaged"),
        (segment(flac.encode(PCM[:-2]), "flac"), BadAudio, "claims"),
        (segment(PCM, "opus"), BadAudio, "cut short"),
        (segment(b"\x01\x00a", "opus"), BadAudio, "damaged|claims"),
        (segment(PCM, "pcm16", samples=7), BadAudio, "claims 7 samples"),
        (segment(b"", "pcm16", samples=0), BadAudio, "no samples"),
    ],
)
def test_what_cannot_be_read_is_named(wrong: Segment, error: type[RattilError], says: str) -> None:
    with pytest.raises(error, match=says):
        engine_item(wrong, MODEL)


def test_an_engine_that_takes_samples_refuses_features() -> None:
    with pytest.raises(UnsupportedCodec, match="WS_SEGMENT_CODEC"):
        engine_item(segment(mel.encode(PCM, MODEL), "mel_u8"))


async def test_a_segment_in_a_strange_codec_is_answered_and_its_neighbours_are_decoded() -> None:
    bus = MemoryBus()
    async with running(bus):
        client = await reciter(bus)
        quiet = np.zeros(16_000, np.int16)
        await client.push(quiet)
        await client.push(quiet, codec="mel_u8")
        await client.push(quiet, codec="not invented yet")
        await client.push(quiet)
        results = {result.seq: result for result in await client.results(4)}
    assert [results[seq].outcome for seq in range(4)] == ["result", "error", "error", "result"]
    assert {results[1].code, results[2].code} == {"unsupported_codec"}
