"""What the command line says while no gateway can be reached."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest
from rich.console import Console

from cli.connecting import Connecting
from cli.ports import free_port
from cli.recite import Exit, recite_and_report, target_of
from shared.recitation.reference.passage import VerseRange
from tests.unit.rattil.client.scripted_server import Visit, scripted_server

FATIHA = VerseRange.parse("1:1-7")


async def some_audio() -> AsyncIterator[bytes]:
    yield bytes(6400)


async def recited(*urls: str) -> tuple[Exit, str]:
    out = io.StringIO()
    target = target_of(",".join(urls), FATIHA)
    code = await recite_and_report(target, some_audio(), Console(file=out, width=200), "title")
    return code, out.getvalue()


def test_before_the_first_connection_it_is_no_reconnect() -> None:
    connecting = Connecting(["ws://a:1", "ws://user:secret@b:2"])
    assert connecting.first() == "connecting to ws://a:1"
    refused = connecting.failed("connection refused", 0.25)
    assert refused.startswith("connecting to ws://a:1 failed: connection refused; trying again in 0.2 s; ")
    assert "rattil up" in refused
    assert "--url" in refused
    assert connecting.failed("HTTP 503", 1.0) == (
        "connecting to ws://b:2 failed: HTTP 503; trying again in 1.0 s"
    )


def test_a_session_that_was_opened_reconnects() -> None:
    connecting = Connecting(["ws://a:1"])
    connecting.reached = True
    assert connecting.failed("4408 too slow", 0.5) == (
        "connection lost (4408 too slow); reconnecting in 0.5 s"
    )


async def test_where_nothing_listens_the_address_the_reason_and_the_remedy_are_said() -> None:
    nobody = f"ws://127.0.0.1:{free_port()}"
    code, shown = await recited(nobody)
    assert code is Exit.UNREACHABLE
    assert f"connecting to {nobody} failed: connection refused; trying again in" in shown
    assert "reconnecting" not in shown


@pytest.mark.parametrize(("code", "reason"), [(1012, "restart"), (1011, "keepalive ping timeout")])
async def test_a_connection_that_breaks_is_a_reconnect(code: int, reason: str) -> None:
    async def breaks(visit: Visit) -> None:
        await visit.ready()
        await visit.socket.close(code, reason)

    async def goes_on(visit: Visit) -> None:
        await visit.ready(resumed=True)
        await visit.hear_to_the_end()
        await visit.final()
        await visit.socket.wait_closed()

    async with scripted_server(breaks, goes_on) as server:
        status, shown = await recited(server.url)
    assert status is Exit.OK
    assert f"connection lost ({code} {reason}); reconnecting in" in shown
    assert "failed" not in shown
