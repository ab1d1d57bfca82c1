"""The store of speech: what is kept, what is left out, and when a part is made again."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from asr_worker.engines.model_files import ModelNotUsable, bundled
from cli.sample_files import load_samples
from training import audio
from training.cache import Source
from training.passages import verse
from training.taught.speech import Job, Speech, prepare


def fatiha(first: int, last: int) -> list[Job]:
    """The bundled recitation of sura 1, labelled with some of its verses."""
    (sample,) = (sample for name, sample in load_samples().items() if name == "fatiha_clean")
    source = Source(f"1:{first}", "sample", partial(audio.read, sample.path))
    return [Job(source, [word for aya in range(first, last + 1) for word in verse(1, aya)], None)]


@pytest.fixture
def teacher() -> Path:
    try:
        return bundled()
    except ModelNotUsable as absent:
        pytest.skip(absent.message)


def test_a_clip_is_stored_with_its_teachers_states_and_the_moments_of_its_sounds(
    tmp_path: Path, teacher: Path
) -> None:
    prepare(tmp_path, fatiha(1, 7), teacher, processes=1)

    speech = Speech.open(tmp_path)

    (clip,), (part,) = speech.clips, speech.parts
    samples = speech.samples(0)
    assert samples.size == clip.samples
    assert len(part.states) == -(-clip.samples // 640)  # frames of 40 ms
    assert len(clip.sounds) == len(clip.moments_s)
    assert clip.moments_s == sorted(clip.moments_s)
    assert 0 < clip.moments_s[0] < clip.moments_s[-1] < clip.samples / 16_000
    assert np.array_equal(speech.samples(0, 1600, 800), samples[1600:2400])


def test_a_clip_that_says_something_else_is_left_out(tmp_path: Path, teacher: Path) -> None:
    other = [Job(job.source, verse(114, 1), None) for job in fatiha(1, 1)]
    prepare(tmp_path, other + fatiha(1, 7), teacher, processes=1)

    assert [clip.key for clip in Speech.open(tmp_path).clips] == ["1:1"]
    listing = json.loads((tmp_path / "part000" / "clips.json").read_text(encoding="utf-8"))
    assert len(listing["clips"]) == 2


def test_a_part_is_made_again_only_for_other_clips(tmp_path: Path, teacher: Path) -> None:
    prepare(tmp_path, fatiha(1, 7), teacher, processes=1)
    listing = tmp_path / "part000" / "clips.json"
    before = listing.stat().st_mtime_ns

    prepare(tmp_path, fatiha(1, 7), teacher, processes=1)
    assert listing.stat().st_mtime_ns == before

    prepare(tmp_path, fatiha(1, 7) * 2, teacher, processes=1)
    assert listing.stat().st_mtime_ns != before


def test_a_part_that_another_teacher_heard_is_made_again(tmp_path: Path, teacher: Path) -> None:
    """Its states belong to the other one's head."""
    prepare(tmp_path, fatiha(1, 7), teacher, processes=1)
    before = Speech.open(tmp_path).width

    prepare(tmp_path, fatiha(1, 7), teacher.with_name("rattil-base"), processes=1)
    assert Speech.open(tmp_path).width != before


def test_an_empty_store_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no complete part"):
        Speech.open(tmp_path)
