"""How an optional part of Rattil is installed: one wording for all messages that ask for one."""

from __future__ import annotations


def how_to_install(extra: str) -> str:
    """What to do where the packages of this extra (pyproject.toml) are missing; ends a sentence.

    Rattil is on no package index, so the command names the clone it was installed from.
    """
    return f"run .venv/bin/pip install -e '.[{extra}]' in the clone of Rattil"
