"""`DELETE /v1/sessions/{id}`: whoever knows the id (and has the tenant's key) can have it forgotten."""

from __future__ import annotations

import pytest

from shared.protocol.close_codes import SUPERSEDED
from tests.integration.edge import edge
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Closed


async def test_a_session_is_deleted_and_its_connection_ends() -> None:
    async with edge() as running:
        client = running.gateway.connect()
        ready = await client.until("ready")
        await client.stream(speech.recite(range(16)))
        await client.until("ack")
        path = f"/v1/sessions/{ready['session_id']}"
        assert (await running.http.delete(path)).status_code == 204
        closed: Closed = await client.rest()
        assert closed.code == SUPERSEDED.code
        assert running.batch.forgotten == [(ready["session_id"], ready["epoch"])]
        gone = await running.http.delete(path)
        assert gone.status_code == 404
        assert gone.json()["error"]["code"] == "unknown_session"


@pytest.mark.parametrize("session_id", ["no-such-session", "x", "%00%00%00%00%00%00%00%00"])
async def test_what_is_no_session_is_unknown(session_id: str) -> None:
    async with edge() as running:
        assert (await running.http.delete(f"/v1/sessions/{session_id}")).status_code == 404


async def test_only_the_own_tenant_can_delete() -> None:
    async with edge(api_keys="acme=a-key,other=b-key") as running:
        client = running.gateway.connect([("Authorization", "Bearer a-key")])
        path = f"/v1/sessions/{(await client.until('ready'))['session_id']}"
        for headers, status in (({}, 401), ({"X-API-Key": "b-key"}, 404), ({"X-API-Key": "a-key"}, 204)):
            assert (await running.http.delete(path, headers=headers)).status_code == status
