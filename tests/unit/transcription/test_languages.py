"""Languages by code, by code with a region, and by name."""

from __future__ import annotations

import pytest
from faster_whisper.tokenizer import _LANGUAGE_CODES

from shared.transcription.languages import NAMES, language_code


def test_every_language_of_the_models_has_a_name() -> None:
    assert set(NAMES) == set(_LANGUAGE_CODES)
    assert len(set(NAMES.values())) == len(NAMES)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("en-US", "en"),
        ("zh_Hant_TW", "zh"),
        ("Arabic", "ar"),
        ("haitian creole", "ht"),
        ("jv", "jw"),
        ("xx", None),
        ("", None),
        ("english please", None),
    ],
)
def test_what_a_client_may_write(given: str, code: str | None) -> None:
    assert language_code(given) == code
