"""A follower's saved state: small ones as they are, large ones compressed; both are read back."""

from __future__ import annotations

import zlib

import pytest

from shared.errors import BadRequest
from shared.hearing import Hearing, Phone
from shared.recitation.live.follower import DEFAULT, Follower
from shared.recitation.reference.passage import Passage, VerseRange, load_passage


def _followed(passage: Passage, windows: int) -> Follower:
    """Ten sounds a second, correct, in windows that do not overlap."""
    sounds = [sound for word in passage.words for sound in word.phones]
    follower = Follower(passage)
    for window in range(windows):
        said = sounds[20 * window : 20 * window + 20]
        start_ms = 2000 * window
        phones = tuple(
            Phone(sound, start_ms + 100 * at, start_ms + 100 * at + 100) for at, sound in enumerate(said)
        )
        follower.hear(Hearing(start_ms, start_ms + 2000, phones=phones))
    return follower


@pytest.mark.parametrize(("verses", "windows", "compressed"), [("1:1-7", 3, False), ("2:1-60", 60, True)])
def test_a_state_is_compressed_when_it_is_large_and_always_read_back(
    verses: str, windows: int, compressed: bool
) -> None:
    passage = load_passage(VerseRange.parse(verses))
    follower = _followed(passage, windows)
    saved = follower.snapshot()
    assert (saved[0] & 0x0F == zlib.DEFLATED) is compressed
    restored = Follower.restore(passage, DEFAULT, saved)
    assert (restored.feedback(), restored.snapshot()) == (follower.feedback(), saved)


def test_a_small_state_that_was_compressed_is_read_as_well() -> None:
    passage = load_passage(VerseRange.of(1, 1, 7))
    follower = _followed(passage, 3)
    restored = Follower.restore(passage, DEFAULT, zlib.compress(follower.snapshot()))
    assert restored.feedback() == follower.feedback()


@pytest.mark.parametrize("damaged", [b"", b"\x96", b"\x96\x01\x02", b"?", zlib.compress(b"?")])
def test_a_damaged_state_is_refused(damaged: bytes) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        Follower.restore(load_passage(VerseRange.of(1, 1, 7)), DEFAULT, damaged)
