"""What a reciter sees: the state of every word of the passage."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.recitation.live.audio_quality import GOOD, AudioQuality

WordStatus = Literal["correct", "minor_mistake", "wrong", "missing", "pending", "not_judged"]
"""`not_judged`: the audio in which it may have been recited was lost, too poor or too slow."""

NoticeCode = Literal["not_this_passage", "too_quiet"]


class WordFeedback(msgspec.Struct, frozen=True, gc=False):
    """One reference word. `final`: it will not get worse, though a correct repetition may heal it.

    `heard`/`expected` are sounds (IPA, spaced) for phoneme engines, words otherwise; `heard` is
    `None` until the word was heard, `expected` until it was judged. Times in ms of the session;
    `None` when not known. `confidence` 0-1.
    """

    index: int
    word: str
    verse_key: str
    status: WordStatus = "pending"
    final: bool = False
    confidence: float = 0.0
    heard: str | None = None
    expected: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None


class Repeat(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The reciter went back: from word `left` (0-based) to word `resumed`. Never a mistake."""

    left: int
    resumed: int


class Gap(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Audio of which nothing is known, ms of the session. `word`: the first one (index) that may be in it."""

    start_ms: int
    end_ms: int
    word: int = 0


class Feedback(msgspec.Struct, frozen=True, gc=False):
    """The whole passage as it stands. `words` has one entry per reference word, always.

    `pointer` is the index of the word expected next (the number of words once all are said);
    `completed` says that the last word has been recited. `gaps`: audio that was lost. `notice`: why hardly
    anything is judged, if that is so. `quality`: of what was heard lately; once finished, of all.
    """

    words: tuple[WordFeedback, ...]
    transcript: str = ""
    extra_words: tuple[str, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    pointer: int = 0
    completed: bool = False
    gaps: tuple[Gap, ...] = ()
    notice: NoticeCode | None = None
    quality: AudioQuality = GOOD
