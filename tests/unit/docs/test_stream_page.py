"""docs/clients/stream.md: every message, field and parameter is named, and the example compiles."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from gateway.dialects.stream import client_messages, messages
from gateway.dialects.stream.description import DESCRIPTION
from shared.recitation.report.report import VerifyReport

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "clients" / "stream.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"[a-z][a-z_]*", PAGE))
KINDS = (*messages.ServerMessage.__args__, *client_messages.ClientMessage.__args__)


def fields(kind: type[msgspec.Struct]) -> set[str]:
    """Of a type and of all that it holds, but for the report, which is described elsewhere."""
    found: set[str] = set()
    for field in msgspec.structs.fields(kind):
        found.add(field.name)
        for part in re.findall(r"\w+", str(field.type).replace("gateway.", " ").replace("shared.", " ")):
            inner = getattr(messages, part, None) or getattr(client_messages, part, None)
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct) and inner is not VerifyReport:
                found |= fields(inner)
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda one: f"{one.__module__.rsplit('.', 1)[-1]}-{one.__name__}")
def test_every_message_and_field_is_named(kind: type[msgspec.Struct]) -> None:
    assert str(kind.__struct_config__.tag) in NAMED
    assert fields(kind) <= NAMED


def test_fields_of_what_a_message_holds_are_found() -> None:
    assert {"phoneme", "verse_key", "queued_ms"} <= fields(messages.Result)


def test_every_parameter_is_named() -> None:
    assert {parameter.name for parameter in DESCRIPTION.parameters} <= NAMED


def test_the_example_compiles() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    compile(example, "docs/clients/stream.md", "exec")
