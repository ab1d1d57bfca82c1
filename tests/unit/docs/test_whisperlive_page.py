"""docs/clients/whisperlive.md: every message, option and code is named, and the examples compile."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from gateway.dialects.whisperlive import messages
from gateway.dialects.whisperlive.dialect import CLOSES

PAGE = (Path(__file__).parents[3] / "docs" / "clients" / "whisperlive.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"[a-z][a-z0-9_]*", PAGE))
STRUCTS = [messages.Options, messages.Told, messages.Segments, messages.Segment, messages.Word]


@pytest.mark.parametrize("message", STRUCTS, ids=lambda one: one.__name__)
def test_every_field_is_named(message: type[msgspec.Struct]) -> None:
    assert set(message.__struct_fields__) <= NAMED


def test_every_close_code_is_named() -> None:
    assert {str(close.code) for close in CLOSES.values()} <= set(re.findall(r"\d{4}", PAGE))


def test_the_examples_compile() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        compile(block, "docs/clients/whisperlive.md", "exec")
