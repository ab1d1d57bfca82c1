"""The bundled model on a dialogue of two voices; what it is given; models that are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from asr_worker.engines.model_files import ModelNotUsable
from asr_worker.offline.chunking import Chunk
from asr_worker.offline.speech_windows import find_speech
from asr_worker.speakers.diarizer import Diarizer
from asr_worker.speakers.encoder import OnnxVoiceEncoder, bundled, open_encoder
from asr_worker.speakers.windows import BANDS, WINDOW_FRAMES, cut, powers
from shared.audio.decode import decode_file
from shared.audio.pcm import Samples, samples_of

SAMPLES = Path(__file__).parents[3] / "samples"
BY_HIM, BY_HER = ((0.3, 4.3), (10.9, 15.1)), ((5.1, 10.1), (15.9, 19.4))
"""Who speaks in tests/samples/dialogue.opus, seconds, a little inside of each turn."""


@pytest.fixture(scope="module")
def diarizer() -> Diarizer:
    encoder = open_encoder("bundled")
    assert encoder is not None
    return Diarizer(encoder)


def recording(name: str) -> Samples:
    return samples_of(decode_file(SAMPLES / f"{name}.opus"))


def test_two_voices_are_told_apart(diarizer: Diarizer) -> None:
    pcm = recording("dialogue")
    turns = diarizer.turns(pcm, find_speech(pcm, 30.0))
    for speaker, spoken in enumerate((BY_HIM, BY_HER)):
        for start_s, end_s in spoken:
            for at_ms in range(int(start_s * 1000), int(end_s * 1000), 100):
                assert {turn.speaker for turn in turns if turn.start_ms <= at_ms < turn.end_ms} <= {speaker}
    heard_ms = sum(turn.end_ms - turn.start_ms for turn in turns)
    assert heard_ms > 15_000


def test_one_voice_is_one_speaker(diarizer: Diarizer) -> None:
    pcm = recording("morning")
    assert {turn.speaker for turn in diarizer.turns(pcm, find_speech(pcm, 30.0))} == {0}


def test_how_loud_somebody_speaks_does_not_matter(diarizer: Diarizer) -> None:
    pcm = recording("dialogue").copy()
    pcm[: len(pcm) // 2] //= 8
    assert len({turn.speaker for turn in diarizer.turns(pcm, find_speech(pcm, 30.0))}) == 2


def test_without_speech_there_are_no_turns(diarizer: Diarizer) -> None:
    assert diarizer.turns(np.zeros(16_000, np.int16), []) == []


def test_speech_that_is_too_short_says_nothing(diarizer: Diarizer) -> None:
    assert diarizer.turns(recording("morning"), [Chunk(0, 3000)]) == []


def test_many_windows_are_looked_at_in_parts() -> None:
    class Counting:
        def __init__(self) -> None:
            self.asked: list[int] = []

        def voices(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
            self.asked.append(len(windows))
            return np.full((len(windows), 4), 0.5, np.float32)

    encoder = Counting()
    pcm = np.ones(16_000 * 150, np.int16)
    assert {turn.speaker for turn in Diarizer(encoder).turns(pcm, [Chunk(0, pcm.size)])} == {0}
    assert len(encoder.asked) > 1
    assert max(encoder.asked) <= 256


def test_windows_cover_the_speech_and_a_short_one_begins_with_silence() -> None:
    pcm = recording("morning")
    found = list(cut(pcm, [Chunk(0, 16_000), Chunk(16_000, 16_000 + 32_000)]))
    assert [(window.start_ms, window.end_ms, window.span) for window, _ in found] == [
        (0, 1010, 0),
        (1000, 2600, 1),
        (1400, 3000, 1),
    ]
    assert {given.shape for _, given in found} == {(WINDOW_FRAMES, BANDS)}
    assert not found[0][1][: WINDOW_FRAMES - 101].any()


def test_quiet_speech_is_made_louder_and_silence_stays() -> None:
    tone = np.sin(np.arange(16_000) / 5).astype(np.float32)
    quiet, quieter = powers(0.01 * tone), powers(0.001 * tone)
    assert np.allclose(quiet, quieter, rtol=1e-3, atol=1e-6)
    assert powers(np.zeros(1600, np.float32)).max() < 1e-6


def test_no_model_is_none() -> None:
    assert open_encoder("") is None


def test_a_model_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotUsable, match=r"SPEAKER_MODEL=.*missing\.onnx cannot be loaded"):
        open_encoder(str(tmp_path / "missing.onnx"))


def test_a_model_for_something_else_is_refused() -> None:
    import faster_whisper.utils

    silero = next(Path(faster_whisper.utils.__file__).parent.glob("assets/silero_vad*.onnx"))
    with pytest.raises(ModelNotUsable, match="no voice encoder"):
        OnnxVoiceEncoder(silero)


def test_the_bundled_model_is_there() -> None:
    assert bundled().stat().st_size > 1_000_000
