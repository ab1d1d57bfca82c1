"""JSON Schemas of the messages that the code has as msgspec types."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import msgspec

Json = dict[str, Any]
"""A part of a document, as JSON has it."""

SCHEMAS = "#/components/schemas/"


def reference(kind: type, prefix: str = "") -> Json:
    """Where `schemas_of` with the same prefix has put the schema of this type."""
    return {"$ref": f"{SCHEMAS}{prefix}{kind.__name__}"}


def schemas_of(kinds: Iterable[type], prefix: str = "") -> dict[str, Json]:
    """The schemas of these types and of all that they are made of, by name with `prefix` before it."""
    template = f"{SCHEMAS}{prefix}{{name}}"
    _, components = msgspec.json.schema_components(kinds, ref_template=template)
    return {f"{prefix}{name}": _plain(schema) for name, schema in components.items()}


def _plain(schema: Any) -> Any:
    """The schema with its texts on single lines, and without alternatives that allow anything: such a one
    is a part that a writer may give as JSON already (`msgspec.Raw`), and it looks like the others then."""
    if isinstance(schema, list | tuple):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(part) for name, part in schema.items()}
    if isinstance(plain.get("description"), str):
        plain["description"] = one_line(plain["description"])
    if {} in plain.get("anyOf", ()):
        kept = [part for part in plain.pop("anyOf") if part != {}]
        return plain | (kept[0] if len(kept) == 1 else {"anyOf": kept})
    return plain


def one_line(text: str | None) -> str:
    """A docstring without its line ends."""
    return " ".join(inspect.cleandoc(text or "").split())
