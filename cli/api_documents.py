"""Writes docs/openapi.json and docs/asyncapi.json from the code: `python -m cli.api_documents`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.description.asyncapi import asyncapi
from gateway.description.openapi import openapi

_DOCS = Path(__file__).parent.parent / "docs"
PAGES: dict[Path, Callable[[], dict[str, Any]]] = {
    _DOCS / "openapi.json": openapi,
    _DOCS / "asyncapi.json": asyncapi,
}


def text_of(document: dict[str, Any]) -> str:
    """As it is committed: one value a line, so that a change can be read."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    for page, made in PAGES.items():
        page.write_text(text_of(made()), encoding="utf-8")
        print(f"wrote {page.name}")


if __name__ == "__main__":
    main()
