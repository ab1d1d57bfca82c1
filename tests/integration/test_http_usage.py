"""`GET /v1/usage`: one's own, by day; clear refusals."""

from __future__ import annotations

import datetime as dt

import pytest

from shared.errors import BusUnavailable
from tests.integration.edge import Edge, edge, wav

TODAY = dt.datetime.now(dt.UTC).date()
ACME = {"Authorization": "Bearer a"}
OTHER = {"X-API-Key": "b"}
KEYS = "acme=a,other=b"


async def counted(made: Edge) -> None:
    """Acme has recited; it is in the store."""
    usage = made.gateway.ports.usage
    usage.count("acme", "default", samples=24_000, sessions=1, words=5)
    usage.count("acme", "fast", samples=16_000, sessions=2)
    assert await usage.hand_over()


async def test_a_tenant_sees_what_it_used() -> None:
    async with edge(api_keys=KEYS) as made:
        await counted(made)
        answer = await made.http.get("/v1/usage", headers=ACME)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    day = TODAY.isoformat()
    assert answer.json() == {
        "tenant": "acme",
        "from": TODAY.replace(day=1).isoformat(),
        "to": day,
        "total": {"audio_seconds": 2.5, "sessions": 3, "words": 5},
        "days": [
            {"date": day, "pool": "default", "audio_seconds": 1.5, "sessions": 1, "words": 5},
            {"date": day, "pool": "fast", "audio_seconds": 1.0, "sessions": 2, "words": 0},
        ],
    }


async def test_nobody_sees_what_another_used() -> None:
    async with edge(api_keys=KEYS) as made:
        await counted(made)
        theirs = await made.http.get("/v1/usage?tenant=acme", headers=OTHER)
        nobody = await made.http.get("/v1/usage")
    assert theirs.json()["tenant"] == "other"
    assert theirs.json()["days"] == []
    assert nobody.status_code == 401


async def test_an_upload_counts_for_who_sent_it() -> None:
    async with edge(api_keys=KEYS) as made:
        assert (await made.post(wav(16_000), headers=ACME)).status_code == 200
        await made.gateway.ports.usage.hand_over()
        total = (await made.http.get("/v1/usage", headers=ACME)).json()["total"]
    assert (total["audio_seconds"], total["sessions"]) == (1.0, 1)


async def test_a_span_without_use_is_empty() -> None:
    async with edge() as made:
        await counted(made)
        answer = (await made.http.get("/v1/usage?from=2020-01-01&to=2020-02-01")).json()
    assert answer["total"] == {"audio_seconds": 0.0, "sessions": 0, "words": 0}
    assert answer["days"] == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=yesterday", "must be a date"),
        ("to=2026-13-01", "must be a date"),
        ("from=2026-11-02&to=2026-11-01", "is later than"),
        ("from=2020-01-01&to=2026-01-01", "kept for 92 days"),
    ],
)
async def test_what_makes_no_sense_is_refused(query: str, said: str) -> None:
    async with edge() as made:
        answer = await made.http.get(f"/v1/usage?{query}")
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


async def test_a_store_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async with edge() as made:

        async def away(tenant: str, days: object) -> None:
            raise BusUnavailable("Redis is not reachable")

        monkeypatch.setattr(made.gateway.ports.usage.store, "read", away)
        answer = await made.http.get("/v1/usage")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "bus_unavailable"
