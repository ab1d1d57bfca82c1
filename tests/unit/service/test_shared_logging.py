"""What a log line shows: everything it was given, except a whole session id."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.ids import short_id
from shared.service.logging import LogFormat, configure_logging, get_logger

SECRET = "Zk3-whole-session-id"
SHOWN = short_id(SECRET)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_line_shows_a_whole_session_id(log_format: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("test", "debug", log_format)
    log = get_logger("test")
    for write in (log.debug, log.info, log.warning, log.error):
        write("something", session_id=SECRET, error=f"session {SECRET} is gone")
    try:
        raise ValueError(f"cannot read {SECRET}")
    except ValueError as error:
        log.error("failed", session_id=SECRET, exc_info=error)
        log.exception("failed again", session_id=SECRET)
    written = capsys.readouterr().err
    assert written.count(SHOWN) >= 12
    assert "Traceback" in written
    assert SECRET not in written


def test_all_else_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("test", "info", "json")
    get_logger("test").info("something", session_id="", seq=3, connection_id="abc")
    get_logger("test").info("something", session_id=None)
    logging.getLogger("elsewhere").warning("of the standard library")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["something", "something", "of the standard library"]
    assert (lines[0]["session_id"], lines[0]["seq"], lines[0]["service"]) == ("", 3, "test")


def test_a_short_id_is_the_beginning_of_the_hash_and_tells_ids_apart() -> None:
    assert short_id("session-1") == "84097828fc"
    assert len({short_id(f"session-{number}") for number in range(1000)}) == 1000
