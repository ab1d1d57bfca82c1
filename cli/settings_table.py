"""Writes docs/configuration.md from the settings classes: `python -m cli.settings_table`."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings

from asr_worker.settings import WorkerSettings
from gateway.settings import GatewaySettings
from session_router.settings import RouterSettings
from shared.service.settings_help import markdown_table

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"

SERVICES: tuple[tuple[str, str, type[BaseSettings]], ...] = (
    ("Gateway", "`rattil gateway`, `python -m gateway`", GatewaySettings),
    ("Worker", "`rattil worker`, `python -m asr_worker`", WorkerSettings),
    ("Session router", "`rattil router`, `python -m session_router`", RouterSettings),
)

INTRODUCTION = """\
# Configuration

Written by `make settings` from the settings classes; a test compares. Each service reads environment
variables only and refuses values out of bounds at its start, with a sentence that names the variable;
`python -m <service> --help` prints the same list. Variables of the same name mean the same in every
service. `rattil up` passes its own environment on to all services it starts.

The client commands read `RATTIL_URL` (gateways, comma-separated) and `RATTIL_TOKEN` (API key).
"""


def configuration_page() -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION]
    for title, command, settings in SERVICES:
        parts.append(f"## {title}\n\n{command}\n\n{markdown_table(settings)}")
    return "\n".join(parts)


def main() -> None:
    PAGE.write_text(configuration_page(), encoding="utf-8")
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
