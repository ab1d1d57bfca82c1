"""The codec benchmark counts what the product sends, and compares with plain samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from asr_worker.engines.engine import EngineCapabilities, EngineItem
from asr_worker.engines.scripted import ScriptedEngine
from benchmarks import codecs
from cli.modelling.recordings import bundled_recordings
from gateway.connection.window_encoder import EncodingPlan
from shared.audio.decode import decode_file
from shared.audio.features import FeatureConfig


class Ears(ScriptedEngine):
    """Hears nothing in particular; takes features, too."""

    prepared = 0

    @property
    def capabilities(self) -> EngineCapabilities:
        return replace(super().capabilities, features=FeatureConfig())

    def prepare(self, items: Sequence[EngineItem]) -> list[EngineItem]:
        self.prepared += len(items)
        return list(items)


PCM = decode_file(bundled_recordings()[0].path)
SECONDS = len(PCM) / 32_000


def cost(plan: EncodingPlan) -> codecs.CodecCost:
    return codecs.measure_cost(plan, codecs.windows_of(PCM), SECONDS, Ears())


def test_plain_samples_are_pushed_once() -> None:
    plain = cost(EncodingPlan("pcm16"))
    assert plain.stored_bytes == pytest.approx(32_000, rel=0.01)
    assert plain.segment_bytes == pytest.approx(40_000, rel=0.05)
    assert plain.pushed_bytes == pytest.approx(plain.segment_bytes, rel=0.01)


def test_a_codec_that_is_not_stored_is_pushed_beside_what_is() -> None:
    mel = cost(EncodingPlan("mel_u8"))
    assert mel.segment_bytes < 5_100
    assert mel.pushed_bytes == pytest.approx(mel.segment_bytes + mel.stored_bytes)


def test_flac_that_is_stored_is_pushed_once() -> None:
    flac = cost(EncodingPlan("flac", store_flac=True))
    assert flac.pushed_bytes == pytest.approx(flac.segment_bytes, rel=0.01)
    assert flac.segment_bytes < 25_000


def test_every_plan_is_measured_and_each_codec_comes_with_samples_as_they_are() -> None:
    assert {plan.codec for plan in codecs.PLANS} == {"pcm16", "mel_u8", "flac", "opus"}
    assert codecs.PLANS[0] == EncodingPlan("pcm16")


def test_without_a_manifest_the_bundled_recordings_are_taken() -> None:
    assert codecs.sources_of(None, ("nobody",), 3) == []
