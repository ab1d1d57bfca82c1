"""The gateway and `rattil bench words` measure the same: which words were shown, and how long after."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.speech import recordings
from benchmarks.words import FRAME_S, recite
from tests.e2e.system import system

MODEL = Path(__file__).parents[2] / "models" / "rattil-tiny" / "model.bin"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not MODEL.exists(), reason="the bundled model is not in models/"),
]


async def test_the_gateway_measures_the_words_that_its_client_measures() -> None:
    spoken = next(one for name, one in recordings().items() if "ikhlas" in name)
    async with system() as running:
        url = running.plan.gateway_urls[0]
        times = await recite(url, spoken, 0.0)
        async with httpx.AsyncClient() as http:
            exposition = (await http.get(f"{url}/metrics")).text
    shown_ms, settled_ms = times.delays_ms()
    gateway = {
        sample.name: sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.labels.get("protocol") == "recite"
    }
    assert len(shown_ms) > 10
    for name, seen_ms in (("shown", shown_ms), ("settled", settled_ms)):
        histogram = f"rattil_gateway_word_{name}_seconds"
        assert gateway[f"{histogram}_count"] == len(seen_ms), name
        mean_ms = 1000 * gateway[f"{histogram}_sum"] / len(seen_ms)
        print(f"{name}: {mean_ms:.0f} ms at the gateway, {sum(seen_ms) / len(seen_ms):.0f} ms at the client")
        # The client hears of it after the gateway has said it, never before.
        assert mean_ms <= sum(seen_ms) / len(seen_ms) + 1000 * FRAME_S
