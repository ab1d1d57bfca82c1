"""The bundled recitations: small synthesised files with a description of what is wrong in them."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import msgspec


class ExpectedWord(msgspec.Struct, frozen=True):
    """A word that is not recited correctly on purpose; `word` counts from 1 within the verse."""

    verse: str
    word: int
    status: str


class Sample(msgspec.Struct, frozen=True):
    """One bundled recitation, as `cli/samples/samples.json` describes it."""

    name: str
    file: str
    verses: str
    about: str = ""
    seconds: float = 0.0
    expected: tuple[ExpectedWord, ...] = ()

    @property
    def path(self) -> Path:
        return samples_folder() / self.file


def samples_folder() -> Path:
    return Path(str(resources.files("cli") / "samples"))


def load_samples() -> dict[str, Sample]:
    """The bundled samples by name."""
    described = (samples_folder() / "samples.json").read_bytes()
    return {sample.name: sample for sample in msgspec.json.decode(described, type=list[Sample])}
