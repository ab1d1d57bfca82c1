"""Sound that is too poor to judge by is said to be so, and is no ground for a mistake."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from shared.hearing import Hearing, Phone, SoundFacts
from shared.recitation.grading.grader import CORRECT, Verdict
from shared.recitation.grading.verdicts import Verdicts, WordVerdict
from shared.recitation.live.audio_gaps import clear_of_poor_sound
from shared.recitation.live.audio_quality import GOOD, AudioQuality, QualityState, next_quality
from shared.recitation.live.feedback import Gap
from shared.recitation.live.follower import DEFAULT, Follower
from shared.recitation.reference.passage import VerseRange, load_passage
from shared.recitation.report.scoring import score

FATIHA = load_passage(VerseRange.of(1, 1, 7))
SOUNDS = [sound for word in FATIHA.words for sound in word.phones]
SPEECH = SoundFacts(0.0, -15.0, -25.0, -50.0)
NOISE = SoundFacts(0.0, -19.0, -20.0, -21.0)
CLIPPED = SoundFacts(0.4, 0.0, -3.0, -20.0)
QUIET = SoundFacts(0.0, -70.0, -78.0, -85.0)
TOO_QUIET = SoundFacts(0.0, -76.0, -89.0, -110.0)
BREATH = SoundFacts(0.0, -78.0, -90.0, -110.0)
PAUSE = SoundFacts(0.0, -55.0, -57.0, -58.0)


def _windows(
    said: Sequence[str], certainty: float, sound: SoundFacts | None, sounds_each: int = 10, start_ms: int = 0
) -> Iterator[Hearing]:
    """Windows of 2 s, one after the other."""
    for number in range(-(-len(said) // sounds_each)):
        at_ms = start_ms + 2000 * number
        step_ms = 1900 // sounds_each
        phones = tuple(
            Phone(symbol, at_ms + step_ms * place, at_ms + step_ms * (place + 1), certainty)
            for place, symbol in enumerate(said[number * sounds_each : (number + 1) * sounds_each])
        )
        yield Hearing(at_ms, at_ms + 2000, phones=phones, sound=sound)


def _empty(count: int, sound: SoundFacts, start_ms: int = 0) -> list[Hearing]:
    return [
        Hearing(start_ms + 2000 * at, start_ms + 2000 * at + 2000, phones=(), sound=sound)
        for at in range(count)
    ]


def _babble(count: int) -> list[str]:
    return random.Random(4).choices(sorted(set(SOUNDS)), k=count)


def _qualities(hearings: Sequence[Hearing] | Iterator[Hearing]) -> list[AudioQuality]:
    follower = Follower(FATIHA)
    return [follower.hear(hearing).quality for hearing in hearings]


def test_a_recitation_is_good_from_its_first_to_its_last_window() -> None:
    assert set(_qualities(_windows(SOUNDS, 0.95, SPEECH))) == {GOOD}


@pytest.mark.parametrize("sound", [NOISE, CLIPPED, QUIET, None])
def test_a_recitation_whose_words_are_heard_well_is_good_whatever_its_sound(sound: SoundFacts | None) -> None:
    assert set(_qualities(_windows(SOUNDS, 0.9, sound))) == {GOOD}


@pytest.mark.parametrize(
    ("sound", "reason"),
    [(NOISE, "noise"), (CLIPPED, "clipping"), (QUIET, "quiet"), (SPEECH, "unclear"), (None, "unclear")],
)
def test_sounds_that_are_neither_sure_nor_the_passage_are_poor_for_the_reason_of_their_sound(
    sound: SoundFacts | None, reason: str
) -> None:
    follower = Follower(FATIHA)
    for hearing in _windows(_babble(60), 0.55, sound):
        now = follower.hear(hearing).quality
    assert now == AudioQuality("poor", reason)  # type: ignore[arg-type]
    assert follower.finish().quality == now


def test_loud_sound_without_a_voice_is_noise() -> None:
    assert _qualities(_empty(8, NOISE))[-1] == AudioQuality("poor", "noise")


def test_a_reciter_who_waits_in_a_quiet_room_hears_nothing_of_it() -> None:
    hearings = [*_windows(SOUNDS[:60], 0.9, SPEECH), *_empty(20, PAUSE, 12_000)]
    assert set(_qualities(hearings)) == {GOOD}
    assert set(_qualities(_empty(20, PAUSE))) == {GOOD}


def test_another_passage_recited_clearly_is_no_matter_of_the_sound() -> None:
    other = load_passage(VerseRange.of(78, 1, 20))
    said = [sound for word in other.words for sound in word.phones]
    follower = Follower(FATIHA)
    for hearing in _windows(said, 0.95, SPEECH):
        feedback = follower.hear(hearing)
        assert feedback.quality == GOOD
    assert feedback.notice == "not_this_passage"


def test_a_moment_of_poor_sound_is_not_told_and_good_sound_ends_what_was() -> None:
    short = [*_windows(_babble(10), 0.5, SPEECH), *_windows(SOUNDS, 0.95, SPEECH, start_ms=2000)]
    assert set(_qualities(short)) == {GOOD}
    long = [*_windows(_babble(60), 0.5, SPEECH), *_windows(SOUNDS, 0.95, SPEECH, start_ms=12_000)]
    levels = [quality.level for quality in _qualities(long)]
    changes = [level for at, level in enumerate(levels) if at == 0 or level != levels[at - 1]]
    assert changes == ["good", "poor", "good"]


def _wrong_word() -> list[str]:
    """The recitation with other sounds instead of its sixth word, which is wrong in good sound."""
    words = [list(word.phones) for word in FATIHA.words]
    words[6] = ["t", "u", "k", "u", "s"]
    return [sound for word in words for sound in word]


def test_what_is_not_correct_in_poor_sound_stays_open() -> None:
    good, poor = Follower(FATIHA), Follower(FATIHA)
    for hearing in _windows(_wrong_word(), 0.95, SPEECH):
        good.hear(hearing)
    for hearing in _windows(_wrong_word(), 0.55, NOISE):
        poor.hear(hearing)
    mistakes = {"wrong", "minor_mistake", "missing"}
    assert [word.status in mistakes for word in good.finish().words].count(True) == 1
    finished = poor.finish()
    assert finished.quality == AudioQuality("poor", "noise")
    assert {word.status for word in finished.words} <= {"correct", "not_judged", "pending"}


def test_in_poor_sound_no_allowance_is_made_for_a_noisy_voice() -> None:
    """Noise, and 48 kHz heard as 16 kHz, hold words that resemble those of the passage."""
    verdicts = Verdicts(
        tuple(
            WordVerdict(index, Verdict(CORRECT, error, 50, "x", 1000 * index, 1000 * index + 900), index)
            for index, error in enumerate((35, 35, 29, 35))
        ),
        (),
    )
    kept = clear_of_poor_sound(verdicts, [Gap(1500, 9000)], 30)
    assert [entry.index for entry in kept.entries] == [0, 2]
    assert clear_of_poor_sound(verdicts, [], 30) is verdicts


def test_little_that_was_judged_in_poor_sound_is_no_score() -> None:
    heard = Follower(FATIHA).feedback()
    words = [
        msgspec.structs.replace(word, status="correct") if word.index < 10 else word for word in heard.words
    ]
    feedback = msgspec.structs.replace(heard, words=tuple(words))
    assert score(feedback).accuracy == 100.0
    poor = msgspec.structs.replace(feedback, quality=AudioQuality("poor", "unclear"))
    assert score(poor).accuracy is None
    everything = tuple(msgspec.structs.replace(word, status="correct") for word in heard.words)
    assert score(msgspec.structs.replace(poor, words=everything)).accuracy == 100.0


def test_the_quality_moves_with_the_session() -> None:
    hearings = list(_windows([*_babble(60), *_wrong_word()], 0.55, NOISE))
    stayed = Follower(FATIHA)
    for at, hearing in enumerate(hearings):
        stayed.hear(hearing)
        moved = Follower.restore(FATIHA, DEFAULT, stayed.snapshot())
        assert moved.feedback() == stayed.feedback()
        for later in hearings[at + 1 : at + 3]:
            moved.hear(later)
        again = Follower.restore(FATIHA, DEFAULT, stayed.snapshot())
        for later in hearings[at + 1 : at + 3]:
            again.hear(later)
        assert moved.finish() == again.finish()


def test_an_engine_without_sounds_says_nothing_of_the_quality() -> None:
    state = next_quality(QualityState(), Hearing(0, 9000, "text", phones=None, sound=NOISE), 0, 0)
    assert state == QualityState()


def test_windows_that_overlap_count_once() -> None:
    state = QualityState()
    for at_ms in range(0, 20_000, 500):
        phones = tuple(Phone("a", at_ms + 200 * place, at_ms + 200 * place + 80, 0.9) for place in range(5))
        state = next_quality(state, Hearing(at_ms, at_ms + 1000, phones=phones, sound=SPEECH), 0, 0)
    assert state.audible_ms == 20_500
    assert 1000 * state.sounds / state.loud_ms == pytest.approx(5, abs=0.1)
    assert msgspec.convert(msgspec.to_builtins(state), QualityState) == state


def _without(*words: int) -> list[str]:
    """The recitation with these words left out."""
    return [sound for word in FATIHA.words if word.index not in words for sound in word.phones]


def _statuses(hearings: Sequence[Hearing] | Iterator[Hearing]) -> list[str]:
    follower = Follower(FATIHA)
    for hearing in hearings:
        follower.hear(hearing)
    return [word.status for word in follower.finish().words]


@pytest.mark.parametrize("left_out", [(1,), (5, 6), (12,), (20, 21, 22)])
def test_what_is_not_heard_of_a_voice_that_is_too_quiet_is_not_judged(left_out: tuple[int, ...]) -> None:
    loud = _statuses(_windows(_without(*left_out), 0.95, SPEECH))
    quiet = _statuses(_windows(_without(*left_out), 0.95, TOO_QUIET))
    assert {loud[index] for index in left_out} == {"missing"}
    assert {quiet[index] for index in left_out} == {"not_judged"}
    assert quiet.count("correct") == loud.count("correct") == len(FATIHA.words) - len(left_out)


def test_words_before_the_first_that_is_heard_of_a_voice_that_is_too_quiet_are_not_judged() -> None:
    said = _without(0, 1)
    hearings = [*_empty(2, TOO_QUIET), *_windows(said, 0.95, TOO_QUIET, start_ms=4000)]
    assert _statuses(hearings)[:3] == ["not_judged", "not_judged", "correct"]
    moved = Follower(FATIHA)
    for hearing in hearings:
        moved = Follower.restore(FATIHA, DEFAULT, moved.snapshot())
        moved.hear(hearing)
    assert [word.status for word in moved.finish().words] == _statuses(hearings)


@pytest.mark.parametrize("breaths", [1, 5, 40])
def test_who_only_breathes_is_not_too_quiet(breaths: int) -> None:
    """Before the recitation and in a pause of it: what is left out there is missing."""
    waits = [
        *_empty(breaths, BREATH),
        *_windows(_without(0, 1), 0.95, SPEECH, start_ms=2000 * breaths),
    ]
    assert _statuses(waits)[:3] == ["missing", "missing", "correct"]
    first = [sound for word in FATIHA.words[:12] for sound in word.phones]
    rest = [sound for word in FATIHA.words[13:] for sound in word.phones]
    before = list(_windows(first, 0.95, SPEECH))
    pause_ms = before[-1].end_ms
    pauses = [
        *before,
        *_empty(breaths, BREATH, pause_ms),
        *_windows(rest, 0.95, SPEECH, start_ms=pause_ms + 2000 * breaths),
    ]
    assert _statuses(pauses)[11:14] == ["correct", "missing", "correct"]


def test_a_voice_that_is_too_quiet_is_never_taken_for_another_passage() -> None:
    """What little is heard of it resembles any passage as much as the one recited."""
    follower = Follower(FATIHA)
    for hearing in _windows(_babble(60), 0.95, TOO_QUIET):
        assert follower.hear(hearing).notice is None
    assert follower.finish().notice is None
    other = Follower(FATIHA)
    assert [other.hear(hearing).notice for hearing in _windows(_babble(60), 0.95, QUIET)][-1] is not None


def test_a_voice_that_is_too_quiet_is_told_so_and_one_that_becomes_louder_is_good() -> None:
    quiet = list(_windows(SOUNDS, 0.95, TOO_QUIET))
    louder = _windows(SOUNDS, 0.95, SPEECH, start_ms=quiet[-1].end_ms)
    qualities = _qualities([*quiet, *louder])
    assert qualities[len(quiet) - 1] == AudioQuality("poor", "quiet")
    assert qualities[-1] == GOOD
