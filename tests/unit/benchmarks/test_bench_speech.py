"""The windows that are decoded, and how their texts are compared with what is said."""

from __future__ import annotations

import pytest

from benchmarks.speech import Heard, judged_errors, looped, recordings, text_errors, windows
from shared.audio.formats import SAMPLE_RATE
from shared.hearing import Phone
from shared.recitation.reference.passage import VerseRange, load_passage


def test_only_recordings_without_mistakes_are_used() -> None:
    assert "fatiha_clean" in recordings()
    assert "fatiha_mistakes" not in recordings()
    assert len(recordings()["fatiha_clean"].words) == 29


def test_windows_cover_the_recording_and_overlap() -> None:
    recording = recordings()["ikhlas_clean"]
    cut = windows(recording)
    assert [window.start for window in cut] == [seq * 2 * SAMPLE_RATE for seq in range(len(cut))]
    assert all(window.pcm.size == 2.5 * SAMPLE_RATE for window in cut[:-1])
    assert cut[-1].start + cut[-1].pcm.size == len(recording.pcm) // 2


def test_what_is_said_has_no_errors_and_silence_has_all() -> None:
    recording = recordings()["ikhlas_clean"]
    cut = windows(recording)
    nothing = {(window.session, window.seq): Heard("") for window in cut}
    assert text_errors(nothing, cut) == 1.0
    assert judged_errors(nothing, cut) == 1.0
    said = nothing | {(cut[0].session, 0): Heard(" ".join(recording.words))}
    assert text_errors(said, cut) == pytest.approx(0.0)


def test_phones_are_judged_as_the_product_judges_them() -> None:
    recording = recordings()["ikhlas_clean"]
    cut = windows(recording)
    words = load_passage(VerseRange.parse(recording.sample.verses)).words
    sounds = [sound for word in words for sound in word.phones]
    step_ms = 2400 // len(sounds)
    phones = tuple(Phone(sound, at * step_ms, (at + 1) * step_ms) for at, sound in enumerate(sounds))
    heard = {(window.session, window.seq): Heard("", ()) for window in cut}
    heard[cut[0].session, 0] = Heard("", phones)
    assert judged_errors(heard, cut) == pytest.approx(0.0)


def test_a_looped_recitation_starts_over() -> None:
    recording = recordings()["ikhlas_clean"]
    size = len(recording.pcm) // 2
    pcm = looped(recording, size - 10, 30)
    assert pcm == recording.pcm[-20:] + recording.pcm[:40]
    assert len(looped(recording, 5 * size + 3, 2 * size)) == 4 * size
