"""A follower's saved state: small ones as they are, large ones compressed; both are read back."""

from __future__ import annotations

import zlib
from pathlib import Path

import msgspec
import pytest

from shared.confidence import ConfidenceCurves
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
    assert (saved[0] >> 4 != 0x9) is compressed  # MessagePack arrays begin with 0x90 to 0x9F
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


SNAPSHOTS = Path(__file__).parents[3] / "golden" / "snapshots"


@pytest.mark.parametrize("windows", [7, 17])
def test_a_state_of_the_version_before_is_gone_on_with(windows: int) -> None:
    """In a rolling update a session moves from a gateway of the version before to one of this version."""
    passage = load_passage(VerseRange.of(1, 1, 7))
    hearings = msgspec.msgpack.decode((SNAPSHOTS / "hearings.msgpack").read_bytes(), type=list[Hearing])
    saved = (SNAPSHOTS / f"version_1_window_{windows}.bin").read_bytes()
    moved, stayed = Follower.restore(passage, DEFAULT, saved), Follower(passage)
    for hearing in hearings[:windows]:
        stayed.hear(hearing)
    assert [word.status for word in moved.feedback().words] == [
        word.status for word in stayed.feedback().words
    ]
    for hearing in hearings[windows:]:
        moved.hear(hearing)
    found = {word.index: word.status for word in moved.finish().words if word.status != "correct"}
    assert found == {11: "missing", 25: "wrong"}


def test_the_confidence_curves_move_with_the_session() -> None:
    passage = load_passage(VerseRange.of(1, 1, 7))
    sounds = [sound for word in passage.words for sound in word.phones]
    phones = tuple(Phone(sound, 100 * at, 100 * at + 100, 0.8) for at, sound in enumerate(sounds))
    plain, curved = Follower(passage), Follower(passage)
    plain.hear(Hearing(0, 9000, phones=phones[:40]))
    before = plain.feedback()
    curved.hear(Hearing(0, 9000, phones=phones[:40], confidence_curves=ConfidenceCurves(((0.8, 0.9),))))
    shown = {word.confidence for word in curved.feedback().words if word.status == "correct"}
    assert shown == {0.9}
    assert {word.confidence for word in before.words if word.status == "correct"} == {0.8}
    assert {word.confidence for word in curved.feedback().words if word.heard is None} == {0.0}
    moved = Follower.restore(passage, DEFAULT, curved.snapshot())
    assert moved.feedback() == curved.feedback()
    for follower in (moved, curved):
        follower.hear(Hearing(9000, 10_000, phones=(), confidence_curves=ConfidenceCurves(((0.8, 0.7),))))
    assert moved.feedback() == curved.feedback()
    assert {word.confidence for word in moved.feedback().words if word.status == "correct"} == {0.7}


def test_a_state_without_confidence_curves_is_gone_on_with() -> None:
    """The version before saved none: its words keep the confidence they had."""
    passage = load_passage(VerseRange.of(1, 1, 7))
    follower = _followed(passage, 2)
    *fields, curves, quality, doubted = msgspec.msgpack.decode(follower.snapshot())
    assert (curves, quality[0], doubted) == ({}, None, [])
    assert (
        Follower.restore(passage, DEFAULT, msgspec.msgpack.encode(fields)).feedback() == follower.feedback()
    )


def test_a_state_is_readable_by_the_version_before() -> None:
    """New fields are at the end, where that version does not look; states it does not know are apart."""
    passage = load_passage(VerseRange.of(1, 1, 7))
    follower = _followed(passage, 2)
    follower.miss(4000, 8000)
    sounds = [sound for word in passage.words[20:] for sound in word.phones][:20]
    phones = tuple(Phone(s, 8000 + 100 * at, 8080 + 100 * at) for at, s in enumerate(sounds))
    feedback = follower.hear(Hearing(8000, 10_000, phones=phones))
    assert "not_judged" in {word.status for word in feedback.words}
    saved = follower.snapshot()
    version, _passage, _transcript, _update, packed, *_rest = msgspec.msgpack.decode(saved)
    assert version == 1
    assert all(0 <= word[0] <= 4 for word in packed[5].values())
    assert Follower.restore(passage, DEFAULT, saved).feedback() == feedback
