"""`GET /verses/…`: exact text, named refusals."""

from __future__ import annotations

import pytest

from shared.recitation.reference.passage import VerseRange, VerseRef, load_passage, printed_words
from tests.integration.edge import edge


async def test_a_verse_is_shown_exactly_as_its_source_gives_it() -> None:
    async with edge() as running:
        response = await running.http.get("/verses/1/2")
    assert response.status_code == 200
    verse = response.json()
    words = [word.display for word in load_passage(VerseRange.of(1, 2)).words]
    assert [word["text"] for word in verse["words"]] == words
    assert verse["text"] == " ".join(words)
    assert (verse["verse_key"], verse["surah"], verse["ayah"]) == ("1:2", 1, 2)
    assert [word["index"] for word in verse["words"]] == list(range(len(words)))
    assert all(word["phonemes"] for word in verse["words"])
    assert "quranic-phonemizer" in verse["attribution"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/verses/115/1", 404, "unknown_verse"),
        ("/verses/1/8", 404, "unknown_verse"),
        ("/verses/0/1", 404, "unknown_verse"),
        ("/verses/one/1", 400, "bad_request"),
        ("/verses/1/1.5", 400, "bad_request"),
        ("/verses/1/-1", 400, "bad_request"),
    ],
)
async def test_a_wrong_verse_is_named(path: str, status: int, code: str) -> None:
    async with edge() as running:
        response = await running.http.get(path)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code


async def test_a_range_is_given_as_printed() -> None:
    async with edge() as running:
        part = (await running.http.get("/verses/2?from=254&to=256")).json()
        whole = (await running.http.get("/verses/112")).json()
    assert (part["surah"], part["from"], part["to"]) == (2, 254, 256)
    assert [verse["verse_key"] for verse in part["verses"]] == ["2:254", "2:255", "2:256"]
    words = [tuple(verse["words"]) for verse in part["verses"]]
    assert words == [printed_words(VerseRef(2, ayah)) for ayah in (254, 255, 256)]
    assert sum("\u06da" in word or "\u06d6" in word or "\u06d7" in word for word in words[1]) == 8
    assert [verse["ayah"] for verse in whole["verses"]] == [1, 2, 3, 4]
    assert "quranic-phonemizer" in whole["attribution"]


async def test_a_range_that_is_known_is_not_sent_again() -> None:
    async with edge() as running:
        first = await running.http.get("/verses/112?from=1&to=2")
        tag = first.headers["etag"]
        again = await running.http.get("/verses/112?from=1&to=2", headers={"If-None-Match": f'"x", W/{tag}'})
        other = await running.http.get("/verses/112?from=1&to=3", headers={"If-None-Match": tag})
    assert "max-age" in first.headers["cache-control"]
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/verses/115", 404, "unknown_verse"),
        ("/verses/1?from=1&to=8", 404, "unknown_verse"),
        ("/verses/1?from=0", 404, "unknown_verse"),
        ("/verses/1?from=3&to=2", 400, "bad_request"),
        ("/verses/1?from=&to=2", 400, "bad_request"),
        ("/verses/one", 400, "bad_request"),
    ],
)
async def test_a_wrong_range_is_named(path: str, status: int, code: str) -> None:
    async with edge() as running:
        response = await running.http.get(path)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
