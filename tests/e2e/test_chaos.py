"""Random faults by seed. `CHAOS_SEEDS=1-50 pytest tests/e2e/test_chaos.py` looks for new trouble."""

from __future__ import annotations

import os

import pytest

from tests.e2e.chaos import ENV, chaos, undisturbed
from tests.e2e.history import check
from tests.e2e.system import system

SEEDS = (105, 106)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(0 if "CHAOS_SEEDS" in os.environ else 240)]


def seeds() -> list[int]:
    asked = os.environ.get("CHAOS_SEEDS", "")
    if not asked:
        return list(SEEDS)
    first, _, last = asked.partition("-")
    return list(range(int(first), int(last or first) + 1))


async def test_nothing_is_lost_or_doubled_whatever_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    """Two of everything and two shards; each seed draws its own faults."""
    bad = []
    async with system(gateways=2, workers=2, routers=2, shards=2, env=ENV, proxied=True) as running:
        calm = await undisturbed(running)
        assert check(calm).ok, check(calm)
        for seed in seeds():
            outcome = await chaos(running, calm, seed)
            with capsys.disabled():
                print(f"\n{outcome}", flush=True)
            if not outcome.verdict.ok:
                bad.append(outcome)
        assert not bad, "\n".join(map(str, bad))
