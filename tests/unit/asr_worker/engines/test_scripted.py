"""The scripted engine hears exactly what was written, wherever the window is cut."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from asr_worker.engines.engine import EngineItem, EngineOutput
from asr_worker.engines.scripted import (
    BLOCK_SAMPLES,
    FAIL_BATCH,
    FAIL_ITEM,
    HAFS_SOUNDS,
    Script,
    ScriptedEngine,
    speak,
    speak_marker,
)
from shared.audio.pcm import to_float
from shared.errors import BadAudio, DecodeFailed
from shared.recitation.reference.passage import VerseRange, load_passage


def _item(pcm: NDArray[np.int16]) -> EngineItem:
    return EngineItem(to_float(pcm.tobytes()))


def _hear(pcm: NDArray[np.int16], engine: ScriptedEngine | None = None) -> EngineOutput:
    outcome = (engine or ScriptedEngine()).decode([_item(pcm)])[0]
    assert isinstance(outcome, EngineOutput)
    return outcome


def test_phones_come_back_with_their_places() -> None:
    heard = _hear(speak(["b", "i", None, "i", "s"])).phones
    assert heard is not None
    assert [(phone.symbol, phone.start_ms, phone.end_ms) for phone in heard] == [
        ("b", 0, 100),
        ("i", 100, 200),
        ("i", 300, 400),
        ("s", 400, 500),
    ]


def test_equal_neighbours_stay_two() -> None:
    heard = _hear(speak(["a", "a", "a"])).phones
    assert heard is not None
    assert [phone.symbol for phone in heard] == ["a", "a", "a"]


@pytest.mark.parametrize(("keep", "heard_edge"), [(0.4, False), (0.6, True)])
def test_a_block_at_the_edge_is_heard_if_most_of_it_is_inside(keep: float, heard_edge: bool) -> None:
    pcm = speak(["b", "s", "m"])[int((1 - keep) * BLOCK_SAMPLES) :]
    phones = _hear(pcm).phones
    assert phones is not None
    assert ("b" in [phone.symbol for phone in phones]) is heard_edge


def test_words_give_text_and_times() -> None:
    vocabulary = ("قل", "هو", "الله", "احد")
    engine = ScriptedEngine(Script(vocabulary, kind="words"))
    output = _hear(speak(["هو", "الله", "الله"], vocabulary), engine)
    assert output.text == "هو الله الله"
    assert [(word.start_ms, word.end_ms) for word in output.words] == [(0, 100), (100, 200), (200, 300)]
    assert output.phones is None


def test_failures_on_demand() -> None:
    good, bad = _item(speak(["b"])), _item(speak_marker(FAIL_ITEM))
    outcomes = ScriptedEngine().decode([good, bad, EngineItem(np.zeros(0, np.float32))])
    assert isinstance(outcomes[0], EngineOutput)
    assert isinstance(outcomes[1], DecodeFailed)
    assert isinstance(outcomes[2], BadAudio)
    with pytest.raises(RuntimeError):
        ScriptedEngine().decode([good, _item(speak_marker(FAIL_BATCH))])


def test_unknown_symbols_and_too_many_are_refused() -> None:
    with pytest.raises(ValueError, match="vocabulary"):
        speak(["nonsense"])
    with pytest.raises(ValueError, match="at most"):
        ScriptedEngine(Script(tuple(map(str, range(2000)))))


def test_every_sound_of_a_passage_can_be_spoken() -> None:
    words = (
        load_passage(VerseRange.parse("1:1-7")).words + load_passage(VerseRange.parse("112:1-114:6")).words
    )
    sounds = {phone for word in words for phone in word.phones}
    assert sounds <= set(HAFS_SOUNDS)
    assert len(set(HAFS_SOUNDS)) == len(HAFS_SOUNDS) == 68
    heard = _hear(speak(HAFS_SOUNDS)).phones
    assert heard is not None
    assert tuple(phone.symbol for phone in heard) == HAFS_SOUNDS
