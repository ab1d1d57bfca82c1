"""docs/clients/deepgram.md: every message, field, parameter and code is named, and the examples compile."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from gateway.dialects.deepgram import messages, recordings
from gateway.dialects.deepgram.parameters import SERVED, SERVED_FOR_RECORDINGS, WITHOUT_EFFECT
from gateway.dialects.deepgram.refusals import CLOSES

PAGE = (Path(__file__).parents[3] / "docs" / "clients" / "deepgram.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"[A-Za-z][A-Za-z0-9_]*", PAGE))
STRUCTS = [
    *messages.ServerMessage.__args__,
    messages.Word,
    messages.Alternative,
    messages.Channel,
    messages.ResultsMetadata,
    messages.ModelInfo,
    recordings.Answer,
    recordings.Metadata,
    recordings.Results,
    recordings.Channel,
    recordings.Alternative,
    recordings.Utterance,
]


@pytest.mark.parametrize("message", STRUCTS, ids=lambda one: one.__name__)
def test_every_message_and_field_is_named(message: type[msgspec.Struct]) -> None:
    assert message.__struct_config__.tag is None or str(message.__struct_config__.tag) in NAMED
    assert set(message.__struct_fields__) <= NAMED


def test_every_parameter_is_named() -> None:
    assert (SERVED | SERVED_FOR_RECORDINGS | WITHOUT_EFFECT) - {"token"} <= NAMED


def test_every_close_code_is_named() -> None:
    assert {str(close.code) for close in CLOSES.values()} <= set(re.findall(r"\d{4}", PAGE))


def test_the_examples_compile() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        compile(block, "docs/clients/deepgram.md", "exec")
