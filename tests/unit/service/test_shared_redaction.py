"""No password in a log, no address of another service in what a client reads."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from gateway.auth.api_keys import Authenticator
from gateway.connection.client_text import for_client
from gateway.connection.end_reason import end_for
from gateway.session.events import Pong, SegmentFailed, Trouble
from shared.errors import (
    BusUnavailable,
    NoCapacity,
    RattilError,
    RouterUnavailable,
    Unauthorised,
    Unavailable,
)
from shared.redaction import without_addresses, without_credentials
from shared.service.logging import configure_logging, get_logger
from shared.service.service_keys import ServiceKeys


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("http://user:pw@router:8100/v1", "http://***@router:8100/v1"),
        ("redis://:p@ss@10.0.0.1:6379/0, again", "redis://***@10.0.0.1:6379/0, again"),
        ("rediss://user@host", "rediss://***@host"),
        ("GET /ws/recite?surah=1&token=abc&to=7", "GET /ws/recite?surah=1&token=***&to=7"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("rattil.v1, rattil.key.abc", "rattil.v1, rattil.key.***"),
        ("write to a@b.example about 112:1-4", "write to a@b.example about 112:1-4"),
    ],
)
def test_credentials_are_cut(text: str, cut: str) -> None:
    assert without_credentials(text) == cut


@pytest.mark.parametrize(
    "text",
    [
        "Error 111 connecting to 10.1.2.3:6379. Connection refused.",
        "Error -2 connecting to redis.internal:6379. Name or service not known.",
        "no answer of http://user:pw@router:8100/v1/sessions",
        "cannot reach [fd00::1:2]:6379",
        "host 192.168.7.8 is away",
    ],
)
def test_addresses_are_cut(text: str) -> None:
    told = without_addresses(text)
    assert "(internal address)" in told
    for part in ("10.1.2.3", "redis.internal", "router", "pw", "fd00", "192.168", "6379"):
        assert part not in told


@pytest.mark.parametrize("text", ["verse 2:255 of 1:1-7", "at 12:30:15", "16000 Hz; see /verify?surah=1"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert without_addresses(text) == text


def test_how_a_key_is_sent_can_be_read() -> None:
    gateway, service = Authenticator("school=k1"), ServiceKeys(("k1",))
    with pytest.raises(Unauthorised) as by_client:
        gateway.tenant({}, {})
    with pytest.raises(Unauthorised) as by_service:
        service.check({})
    for refusal in (by_client.value, by_service.value):
        assert refusal.for_client == refusal.message
        assert "Authorization: Bearer <key>" in refusal.message


@pytest.mark.parametrize("kind", [BusUnavailable, RouterUnavailable, Unavailable, NoCapacity])
def test_no_error_of_another_service_tells_where_it_is(kind: type[RattilError]) -> None:
    error = kind("http://user:pw@10.0.0.9:8100: ConnectError while asking redis.internal:6379")
    ending = end_for(error)
    assert ending.trouble is not None
    for told in (error.for_client, ending.trouble.message, ending.end.detail):
        assert "10.0.0.9" not in told
        assert "redis.internal" not in told
        assert "pw" not in told


def test_events_are_cut_whatever_dialect_carries_them() -> None:
    failed = for_client(SegmentFailed(3, "error", "asr_failed", "worker at 10.0.0.9:9000 broke"))
    assert isinstance(failed, SegmentFailed)
    assert failed.message == "worker at (internal address) broke"
    fine = Trouble("bad_message", "'hello' is no command")
    assert for_client(fine) is fine
    pong = Pong()
    assert for_client(pong) is pong


def test_no_log_line_holds_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    before, level = logging.getLogger().handlers, logging.getLogger().level
    configured = structlog.get_config()
    try:
        configure_logging("test", "info", "json")
        try:
            raise ConnectionError("redis://user:s3cret@host:6379")
        except ConnectionError as error:
            get_logger("a").warning("away", failures=["http://u:s3cret@h"], error=error, exc_info=True)
        logging.getLogger("b").warning("GET /x?token=s3cret")
    finally:
        structlog.configure(**configured)
        logging.getLogger().handlers = before
        logging.getLogger().setLevel(level)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert len(lines) == 2
    assert "s3cret" not in written.getvalue()
    assert "redis://***@host:6379" in lines[0]["exception"]
