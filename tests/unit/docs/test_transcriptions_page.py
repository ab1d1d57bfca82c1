"""docs/clients/transcriptions.md: every event, field and parameter is named, and the example compiles."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from gateway.dialects.transcriptions import messages

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "clients" / "transcriptions.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"[a-z][a-z_.]*", PAGE))


@pytest.mark.parametrize("message", messages.ServerMessage.__args__, ids=lambda one: one.__name__)
def test_every_event_and_field_is_named(message: type[msgspec.Struct]) -> None:
    assert str(message.__struct_config__.tag) in NAMED
    assert set(message.__struct_fields__) <= NAMED


def test_every_query_parameter_is_named() -> None:
    source = (ROOT / "gateway" / "dialects" / "transcriptions" / "request.py").read_text(encoding="utf-8")
    read = set(re.findall(r'\(query, "(\w+)"|query\.get\("(\w+)"', source))
    names = {name for pair in read for name in pair if name}
    assert {"language", "interim_results", "vocabulary", "multichannel"} <= names
    assert names <= NAMED


def test_the_example_compiles() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 1
    compile(blocks[0], "docs/clients/transcriptions.md", "exec")
