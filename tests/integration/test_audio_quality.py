"""The bundled model on sounds that cannot be judged: it is said, and hardly a word is called wrong."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.model_files import BUNDLED, locate
from asr_worker.engines.model_parts import ComputeOptions
from cli.modelling.listening import Listener, LiveWindows
from cli.sample_files import samples_folder
from shared.audio.decode import decode_file
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import Floats, to_float, to_pcm16
from shared.recitation.live.audio_quality import AudioQuality
from shared.recitation.live.feedback import Feedback
from shared.recitation.live.follower import Follower
from shared.recitation.reference.passage import VerseRange, load_passage
from shared.recitation.report.scoring import score

MISTAKES = ("minor_mistake", "wrong", "missing")


@pytest.fixture(scope="module")
def engine() -> Iterator[CTranslate2Engine]:
    engine = CTranslate2Engine(locate(BUNDLED), ComputeOptions("cpu", "auto", 1))
    yield engine
    engine.close()


def _sample(name: str) -> Floats:
    return to_float(decode_file(samples_folder() / f"{name}.opus"))


def _followed(
    engine: CTranslate2Engine, pcm: Floats, verses: str = "1:1-7", window_s: float = 2.5
) -> tuple[Feedback, list[AudioQuality]]:
    """How the words stand at the end, and how good the sound was after each window."""
    follower = Follower(load_passage(VerseRange.parse(verses)))
    listener = Listener(engine, LiveWindows(window_s))
    qualities = [follower.hear(hearing).quality for hearing in listener.live(to_pcm16(pcm))]
    return follower.finish(), qualities


def _mistakes(feedback: Feedback) -> int:
    return sum(word.status in MISTAKES for word in feedback.words)


def _chords(seconds: float) -> Floats:
    """Music-like: three voices with overtones, struck twice a second."""
    rng = np.random.default_rng(6)
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    beats = []
    for _ in range(int(2 * seconds)):
        root = 220 * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11]) / 12)
        tones = [root * third * overtone for third in (1, 1.26, 1.5) for overtone in (1, 2, 3, 4)]
        beats.append(np.sin(2 * np.pi * np.outer(tones, time)).sum(axis=0) * np.exp(-2 * time))
    sound = np.concatenate(beats)
    chords: Floats = (0.5 * sound / np.abs(sound).max()).astype(np.float32)
    return chords


def _at_48_khz(name: str) -> Floats:
    """A sample with all that its file holds, also above the 8 kHz that 16,000 samples a second can have."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000)
    with av.open(str(samples_folder() / f"{name}.opus")) as container:
        pieces = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    return to_float(b"".join(piece.to_ndarray().tobytes() for piece in pieces))


@pytest.mark.parametrize("window_s", [1.0, 1.5, 2.5])
@pytest.mark.parametrize("sharp", [False, True], ids=["nothing above 8 kHz", "as recorded"])
def test_sound_at_three_times_the_rate_is_said_to_be_unclear_and_judged_hardly(
    engine: CTranslate2Engine, window_s: float, sharp: bool
) -> None:
    """48 kHz heard as 16 kHz."""
    pcm = _sample("fatiha_clean")
    slow = np.interp(np.arange(3 * pcm.size) / 3, np.arange(pcm.size), pcm).astype(np.float32)
    if sharp:
        slow = _at_48_khz("fatiha_clean")
    feedback, qualities = _followed(engine, slow, window_s=window_s)
    assert feedback.quality == AudioQuality("poor", "unclear")
    assert "poor" in [quality.level for quality in qualities[: int(10 / (window_s - 0.5))]]
    assert sum(word.status not in ("pending", "not_judged") for word in feedback.words) <= 2
    assert score(feedback).accuracy is None


@pytest.mark.parametrize("kind", ["white noise", "chords", "a tone"])
def test_sound_without_a_voice_is_noise_and_no_word_is_judged(engine: CTranslate2Engine, kind: str) -> None:
    time = np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE
    sounds: dict[str, NDArray[np.floating]] = {
        "white noise": np.random.default_rng(3).normal(scale=0.1, size=time.size),
        "chords": _chords(20),
        "a tone": 0.2 * np.sin(2 * np.pi * 440 * time),
    }
    feedback, _ = _followed(engine, sounds[kind].astype(np.float32))
    assert feedback.quality == AudioQuality("poor", "noise")
    assert {word.status for word in feedback.words} == {"pending"}


def test_a_voice_drowned_in_noise_is_not_called_wrong(engine: CTranslate2Engine) -> None:
    pcm = _sample("fatiha_clean")
    noise = np.random.default_rng(3).normal(scale=0.15, size=pcm.size)
    feedback, _ = _followed(engine, np.clip(pcm + noise, -1, 1).astype(np.float32))
    assert feedback.quality == AudioQuality("poor", "noise")
    assert _mistakes(feedback) <= 2


@pytest.mark.parametrize(
    ("name", "verses"), [("fatiha_clean", "1:1-7"), ("ikhlas_clean", "112:1-4"), ("fatiha_mistakes", "1:1-7")]
)
@pytest.mark.parametrize("window_s", [1.0, 2.5])
def test_clear_recitation_is_never_poor(
    engine: CTranslate2Engine, name: str, verses: str, window_s: float
) -> None:
    feedback, qualities = _followed(engine, _sample(name), verses, window_s)
    assert {quality.level for quality in (*qualities, feedback.quality)} == {"good"}


@pytest.mark.parametrize(
    ("name", "verses"), [("fatiha_clean", "1:1-7"), ("ikhlas_clean", "112:1-4"), ("fatiha_mistakes", "1:1-7")]
)
@pytest.mark.parametrize("window_s", [1.0, 2.5])
@pytest.mark.parametrize("quieter_db", [20, 40, 50, 58, 60, 62, 66, 68, 69, 70])
def test_quiet_recitation_is_judged_or_not_judged_but_never_called_wrong(
    engine: CTranslate2Engine, name: str, verses: str, window_s: float, quieter_db: float
) -> None:
    """Whatever the gate and the rounding of 16-bit samples leave of it; real mistakes stay as long as they
    can be told from that."""
    loud, _ = _followed(engine, _sample(name), verses, window_s)
    sound = np.float32(10 ** (-quieter_db / 20)) * _sample(name)
    quiet, _ = _followed(engine, sound, verses, window_s)
    as_loud = [(word.status, other.status) for word, other in zip(quiet.words, loud.words, strict=True)]
    if quieter_db <= 50:
        assert {word for word, other in as_loud if word != other} == set()
    open_still = {word for word, other in as_loud if word != other}
    assert open_still <= {"not_judged", "pending"}
    assert quieter_db > 60 or "pending" not in open_still
    assert quiet.notice == loud.notice


@pytest.mark.parametrize("window_s", [1.0, 2.5])
@pytest.mark.parametrize("above_hiss_db", [16, 11, 8])
@pytest.mark.parametrize(("name", "verses"), [("fatiha_clean", "1:1-7"), ("ikhlas_clean", "112:1-4")])
def test_a_quiet_recitation_in_hiss_is_heard_as_a_loud_one_in_as_much_hiss(
    engine: CTranslate2Engine, name: str, verses: str, above_hiss_db: float, window_s: float
) -> None:
    """A microphone that is turned down brings its own noise: no window with words is taken for a pause."""
    pcm = _sample(name)
    hiss = np.random.default_rng(1).normal(scale=10 ** ((-17 - above_hiss_db) / 20), size=pcm.size)
    quiet = (10 ** (-48 / 20) * (pcm + hiss)).astype(np.float32)
    feedback, _ = _followed(engine, quiet, verses, window_s)
    statuses = [word.status for word in feedback.words]
    assert statuses.count("correct") >= len(statuses) - 2
    assert _mistakes(feedback) <= 2


@pytest.mark.parametrize("gain", [10, 30])
def test_clipped_speech_that_is_still_heard_is_judged(engine: CTranslate2Engine, gain: int) -> None:
    clipped = np.clip(gain * _sample("fatiha_clean"), -1, 1).astype(np.float32)
    feedback, _ = _followed(engine, clipped)
    assert feedback.quality.level == "good"
    assert _mistakes(feedback) == 0
