"""`GET /verses/{surah}/{ayah}`: one verse as it is shown and as it is recited."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.answers import answering_errors, json_response, whole_number
from shared.recitation.reference.passage import VerseRange, load_passage

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
    """The body of the answer."""

    verse_key: str
    surah: int
    ayah: int
    text: str
    words: tuple[VerseWord, ...]
    attribution: str = ATTRIBUTION


def verse(surah: int, ayah: int) -> Verse:
    """One verse by its numbers; raises `UnknownVerse`. Blocking, about 10 ms the first time."""
    passage = load_passage(VerseRange.of(surah, ayah))
    words = tuple(VerseWord(word.position - 1, word.display, word.phones) for word in passage.words)
    text = " ".join(word.text for word in words)
    return Verse(passage.range.first.key, surah, ayah, text, words)


async def _get_verse(request: Request) -> Response:
    surah = whole_number(request.path_params["surah"], "surah")
    ayah = whole_number(request.path_params["ayah"], "ayah")
    return json_response(await asyncio.to_thread(verse, surah, ayah), max_age_s=CACHE_S)


def routes() -> list[Route]:
    """The routes of this page."""
    return [Route("/verses/{surah}/{ayah}", answering_errors(_get_verse), methods=["GET"])]
