"""docs/clients/committed-lines.md: every message and field is named, and the example compiles."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from gateway.dialects.committed_lines import websocket

PAGE = (Path(__file__).parents[3] / "docs" / "clients" / "committed-lines.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"[a-z][a-z_]*", PAGE))


@pytest.mark.parametrize("message", websocket.ServerMessage.__args__, ids=lambda one: one.__name__)
def test_every_message_and_field_is_named(message: type[msgspec.Struct]) -> None:
    assert str(message.__struct_config__.tag) in NAMED
    assert set(message.__struct_fields__) <= NAMED


def test_the_example_compiles() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    compile(example, "docs/clients/committed-lines.md", "exec")
