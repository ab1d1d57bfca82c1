"""Advice helps against the error that it comes with."""

from __future__ import annotations

import pytest

from gateway.dialects.recite import advice
from gateway.dialects.recite.advice import UPLOAD


@pytest.mark.parametrize(
    "code",
    [
        *("bad_message", "bad_request", "unknown_verse", "unknown_model", "passage_mismatch", "unauthorised"),
        *("audio_too_fast", "server_busy", "no_capacity", "no_worker", "storage_full", "too_many_sessions"),
        *("router_unavailable", "queue_full", "unavailable", "draining", "bus_unavailable", "internal"),
        *("superseded", "idle_timeout", "frame_too_big", "passage_too_long", "no_audio", "session_busy"),
    ],
)
def test_an_upload_is_not_advised_where_it_would_fare_no_better(code: str) -> None:
    assert "/verify" not in advice.advice(code)


@pytest.mark.parametrize("code", ["asr_failed", "audio_lost", "timeout"])
def test_it_is_advised_where_the_recording_would_help(code: str) -> None:
    assert advice.advice(code) == UPLOAD
