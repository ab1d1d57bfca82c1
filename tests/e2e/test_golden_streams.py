"""Clients of `/ws/recite` and `/ws/verify` receive what they received when the streams were recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.golden_cases import CASES, SETTINGS
from tests.e2e.golden_streams import (
    FIRST_FOLDER,
    Stream,
    compact,
    differences,
    expand,
    load,
    since_first,
)
from tests.e2e.system import system

MODEL = Path(__file__).parent.parent.parent / "models" / "rattil-tiny" / "model.bin"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not MODEL.exists(), reason="the bundled model is not in models/"),
]


async def test_event_streams_are_what_they_were() -> None:
    """All cases on one system: starting one for each would take longer than the cases do."""
    async with system(env=SETTINGS) as running:
        streams = {name: await play(running.ws_urls[0]) for name, play in CASES.items()}
    found = {name: differences(load(name), stream) for name, stream in streams.items()}
    assert {name: list_[:20] for name, list_ in found.items() if list_} == {}
    firsts = {name: load(name, FIRST_FOLDER) for name in CASES}
    # A passage that ends in the middle of a word: the first build never showed this word.
    firsts["flushed"]["events"].pop()
    streams["flushed"]["events"].pop()
    found = {name: since_first(first, streams[name]) for name, first in firsts.items()}
    assert {name: list_[:20] for name, list_ in found.items() if list_} == {}


def test_a_compact_stream_is_the_stream() -> None:
    words: list[dict[str, object]] = [{"index": 0, "status": "pending"}, {"index": 1, "status": "pending"}]
    later = [words[0] | {"status": "correct"}, words[1]]
    stream: Stream = {
        "acks": [1],
        "close": 1000,
        "events": [
            {"type": "partial_result", "word_feedback": words},
            {"type": "x"},
            {"type": "partial_result", "word_feedback": later},
        ],
    }
    assert expand(compact(stream)) == stream
    assert expand(compact({"first": stream})) == {"first": stream}


def test_differences_are_seen_and_additions_are_not() -> None:
    old: Stream = {"close": 1000, "events": [{"type": "a", "status": "wrong", "at": 1.0}, {"type": "b"}]}
    same = {"type": "a", "status": "wrong", "at": 1.02, "more": 1}
    added = {"close": 1000, "events": [{"type": "new"}, same, {"type": "b"}]}
    assert differences(old, added) == []
    changed = {"close": 1001, "events": [{"type": "a", "status": "correct", "at": 1.0}]}
    assert differences(old, changed) == [".close is 1001, not 1000", ".events has 1 items, not 2"]
    assert differences(old["events"][0], {"type": "a", "status": "wrong", "at": 1.1}) == [
        ".at is 1.1, not 1.0"
    ]
    assert differences(old["events"][0], {"type": "a", "at": 1.0}) == [".status is gone"]


def test_decoded_text_may_differ_a_little_and_not_more() -> None:
    old: Stream = {"type": "partial_result", "partial_transcript": "بسم الله الرحمن الرحيم"}
    assert differences(old, old | {"partial_transcript": "بسم الله الرحمن الرحي"}) == []
    assert len(differences(old, old | {"partial_transcript": "الحمد لله رب العالمين"})) == 1
    assert len(differences(old, old | {"partial_transcript": ""})) == 1


def test_a_word_may_show_earlier_than_in_the_first_build_and_not_end_otherwise() -> None:
    def shown(status: str, final: bool, **more: object) -> Stream:
        word = {"word": "a", "status": status, "final": final, "start_time": None} | more
        return {"close": 1000, "events": [{"type": "partial_result", "word_feedback": [word]}]}

    early, late = shown("correct", True, start_time=1.0), shown("pending", False)
    assert since_first(late, early) == []
    assert since_first(shown("wrong", True), shown("wrong", True, start_time=2.0)) == []
    assert len(since_first(shown("wrong", True), early)) == 1
    assert len(since_first(late, {"close": 1011, "events": late["events"]})) == 1
    assert len(since_first(late, {"close": 1000, "events": []})) == 1
