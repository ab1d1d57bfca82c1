"""Whisper base out of its packages: joined once, with a card that says how much audio it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr_worker.engines.model_files import locate, read_card
from asr_worker.engines.packaged_whisper import NAME, assembled


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "rattil" / "models" / NAME


def test_it_is_a_stock_model_that_needs_ten_seconds_at_most_for_a_short_window(cache: Path) -> None:
    assert locate(NAME) == cache
    card = read_card(cache)
    assert (card.name, card.stock, card.ctc) == (NAME, True, None)
    assert card.context.padded_samples(16_000) == 10 * 16_000
    assert card.context.max_samples == 30 * 16_000
    assert sorted(path.name for path in cache.iterdir()) == [
        "config.json",
        "model.bin",
        "model.json",
        "tokenizer.json",
        "vocabulary.json",
    ]


def test_a_folder_that_an_earlier_version_made_gets_its_card(cache: Path) -> None:
    assembled()
    (cache / "model.json").unlink()
    before = (cache / "model.bin").stat().st_mtime_ns
    assert assembled() == cache
    assert read_card(cache).context.policy == "auto"
    assert (cache / "model.bin").stat().st_mtime_ns == before
