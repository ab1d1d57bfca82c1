"""`GET /verses/…`: verses as they are shown and as they are recited."""

from __future__ import annotations

import asyncio
import hashlib

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.answers import answering_errors, json_response, whole_number
from shared.recitation.reference.passage import VerseRange, load_passage, printed_words, verses_in

ATTRIBUTION = (
    "Text: Hafs 'an 'Asim, Uthmani script of the Quranic Universal Library (qul.tarteel.ai), as given by "
    "quranic-phonemizer (MIT), shown without any change."
)
CACHE_S = 86_400
"""The text of a verse does not change; a day keeps clients that cache from asking again."""


class VerseWord(msgspec.Struct, frozen=True):
    """One word: `index` from 0, `text` as printed, `phonemes` (IPA) as recited in continuous reading."""

    index: int
    text: str
    phonemes: tuple[str, ...]


class Verse(msgspec.Struct, frozen=True):
    """One verse with its sounds."""

    verse_key: str
    surah: int
    ayah: int
    text: str
    words: tuple[VerseWord, ...]
    attribution: str = ATTRIBUTION


class PrintedVerse(msgspec.Struct, frozen=True):
    """One verse of a range: its words as printed."""

    verse_key: str
    ayah: int
    words: tuple[str, ...]


class PrintedVerses(msgspec.Struct, frozen=True):
    """Consecutive verses of one sura."""

    surah: int
    first: int = msgspec.field(name="from")
    last: int = msgspec.field(name="to")
    verses: tuple[PrintedVerse, ...]
    attribution: str = ATTRIBUTION


def verse(surah: int, ayah: int) -> Verse:
    """One verse by its numbers; raises `UnknownVerse`. Blocking, about 10 ms the first time."""
    passage = load_passage(VerseRange.of(surah, ayah))
    words = tuple(VerseWord(word.position - 1, word.display, word.phones) for word in passage.words)
    text = " ".join(word.text for word in words)
    return Verse(passage.range.first.key, surah, ayah, text, words)


def printed_verses(surah: int, first: int | None, last: int | None) -> PrintedVerses:
    """Verses of one sura as printed, the whole sura by default. Raises `UnknownVerse` or `BadRequest`.

    Blocking, about a millisecond for the longest sura once the text is loaded.
    """
    first = 1 if first is None else first
    last = verses_in(surah) if last is None else last
    verses = VerseRange.of(surah, first, last).verses()
    printed = tuple(PrintedVerse(verse.key, verse.ayah, printed_words(verse)) for verse in verses)
    return PrintedVerses(surah, first, last, printed)


async def _get_verse(request: Request) -> Response:
    surah = whole_number(request.path_params["surah"], "surah")
    ayah = whole_number(request.path_params["ayah"], "ayah")
    return json_response(await asyncio.to_thread(verse, surah, ayah), max_age_s=CACHE_S)


async def _get_verses(request: Request) -> Response:
    surah = whole_number(request.path_params["surah"], "surah")
    query = request.query_params
    first, last = (whole_number(query[name], name) if name in query else None for name in ("from", "to"))
    response = json_response(await asyncio.to_thread(printed_verses, surah, first, last), max_age_s=CACHE_S)
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    response.headers["ETag"] = tag
    if tag in _tags(request.headers.get("if-none-match", "")):
        return Response(
            status_code=304, headers={"ETag": tag, "Cache-Control": response.headers["Cache-Control"]}
        )
    return response


def _tags(header: str) -> set[str]:
    """The entity tags of `If-None-Match`, weak ones too: their comparison is weak (RFC 9110, 13.1.2)."""
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


def routes() -> list[Route]:
    """The routes of this page."""
    return [
        Route("/verses/{surah}/{ayah}", answering_errors(_get_verse), methods=["GET"]),
        Route("/verses/{surah}", answering_errors(_get_verses), methods=["GET"]),
    ]
