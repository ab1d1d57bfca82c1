"""Every end of a connection has its close code."""

from __future__ import annotations

import pytest

from gateway.connection.end_reason import EndReason, end_for
from gateway.transport.websocket import CLOSES, shorten
from shared.errors import (
    BadRequest,
    BusUnavailable,
    DecodeFailed,
    Draining,
    Fenced,
    NoCapacity,
    RattilError,
    StateLost,
    Unauthorised,
    UnknownVerse,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnknownVerse("there is no sura 115"), 1008),
        (BadRequest("surah is needed"), 1008),
        (Unauthorised("a key is needed"), 4502),
        (Draining("going away"), 4001),
        (NoCapacity("full"), 4013),
        (BusUnavailable("away"), 4011),
        (Fenced("newer"), 4501),
        (StateLost("gone"), 4010),
        (DecodeFailed("odd"), 4014),
    ],
)
def test_every_error_has_its_close_code(error: RattilError, code: int) -> None:
    ending = end_for(error)
    assert CLOSES[ending.end.reason].code == code
    assert ending.trouble is not None
    assert ending.trouble.code == error.code


def test_every_reason_has_a_close_code() -> None:
    assert set(CLOSES) == set(EndReason)


def test_reasons_fit_into_a_close_frame() -> None:
    assert len(shorten("ب" * 200).encode()) <= 123
    assert shorten("short") == "short"
