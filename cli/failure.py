"""How a command ends that cannot do what was asked: one sentence in red, and an exit code."""

from __future__ import annotations

from typing import NoReturn

import typer
from rich.console import Console


def fail(message: str, code: int) -> NoReturn:
    """Say why on standard error, then end with this exit code.

    Raises:
        typer.Exit: always.
    """
    Console(stderr=True).print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(code)
