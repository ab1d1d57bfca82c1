"""Settings for people: `--help` of a service, the table in the documentation, and clear refusals.

All of them read the pydantic-settings class itself, so that they cannot disagree with the code.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, NamedTuple, NoReturn, TypeVar, get_args, get_origin

import pydantic
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

_SettingsT = TypeVar("_SettingsT", bound=BaseSettings)

_NEAR = 0.92
"""Likeness of names (`difflib`) from which one is taken for a mistake in the other: one letter in twelve."""

_LEAST_NAME = 6
_BOUND_SIGNS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))


class SettingRow(NamedTuple):
    """One environment variable: its name, its default as one would write it, what it does, its bounds."""

    env: str
    default: str
    description: str
    bounds: str


def load_settings(settings_class: type[_SettingsT], argv: Sequence[str], prog: str, about: str) -> _SettingsT:
    """The settings from the environment. The only argument services take is `--help`.

    Leaves the process: code 0 after printing the help, 2 with a sentence for anything wrong.
    """
    if any(argument in ("-h", "--help") for argument in argv):
        sys.stdout.write(help_text(settings_class, prog, about))
        raise SystemExit(0)
    if argv:
        _refuse(f"{prog}: unknown argument {argv[0]!r}; see {prog} --help")
    known = {row.env for row in setting_rows(settings_class)}
    for name, meant in near_misses(known, os.environ):
        sys.stderr.write(f"{prog}: warning: {name} is no setting: did you mean {meant}?\n")
    try:
        return settings_class()
    except pydantic.ValidationError as error:
        _refuse("\n".join(explain(settings_class, error, prog)))


def explain(settings_class: type[BaseSettings], error: pydantic.ValidationError, prog: str) -> list[str]:
    """One sentence per invalid setting, each naming its environment variable.

    The value is shown as well, but not of a field with `repr=False`: those hold secrets.
    """
    names = {name: env_name(settings_class, name) for name in settings_class.model_fields}
    secrets = {names[name] for name, field in settings_class.model_fields.items() if not field.repr}
    sentences = []
    for problem in error.errors():
        where = str(problem["loc"][0]) if problem["loc"] else ""
        name = names.get(where, where) or "settings"
        given = f" (got {problem['input']!r})" if problem["loc"] and name not in secrets else ""
        sentences.append(
            f"{prog}: {name}: {problem['msg'].removeprefix('Value error, ')}{given}; see {prog} --help"
        )
    return sentences


def near_misses(known: Collection[str], given: Iterable[str]) -> list[tuple[str, str]]:
    """Variables that are no setting but nearly the name of one, each with that name."""
    found = []
    for name in sorted(given):
        if name in known or len(name) < _LEAST_NAME or name.upper() in known:
            continue
        close = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
        if close:
            found.append((name, close[0]))
    return found


def setting_rows(settings_class: type[BaseSettings]) -> list[SettingRow]:
    """One row per setting, in the order of the class."""
    return [
        SettingRow(
            env_name(settings_class, name),
            _default(field),
            " ".join((field.description or "").split()),
            _bounds(field),
        )
        for name, field in settings_class.model_fields.items()
    ]


def env_name(settings_class: type[BaseSettings], field_name: str) -> str:
    """The (first) environment variable that sets a field."""
    alias = settings_class.model_fields[field_name].validation_alias
    if isinstance(alias, pydantic.AliasChoices):
        alias = next((choice for choice in alias.choices if isinstance(choice, str)), None)
    if isinstance(alias, str):
        return alias.upper()
    return (str(settings_class.model_config.get("env_prefix") or "") + field_name).upper()


def help_text(settings_class: type[BaseSettings], prog: str, about: str) -> str:
    """What `--help` prints: what the service is, and every environment variable it reads."""
    lines = [f"usage: {prog} [--help]", "", about, "", "Settings are environment variables:", ""]
    for row in setting_rows(settings_class):
        notes = ", ".join(note for note in (row.bounds, f"default {row.default or 'empty'}") if note)
        lines += [f"  {row.env}", f"      {row.description} [{notes}]"]
    return "\n".join(lines) + "\n"


def markdown_table(settings_class: type[BaseSettings]) -> str:
    """The same as a Markdown table, for the documentation."""
    lines = ["| variable | default | bounds | what it does |", "|---|---|---|---|"]
    for row in setting_rows(settings_class):
        default = f"`{row.default}`" if row.default else ""
        cells = (f"`{row.env}`", default, row.bounds, row.description)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(message + "\n")
    raise SystemExit(2)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(required)"
    return _plain(field.get_default(call_default_factory=True, validated_data={}))


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(_plain(item) for item in value)
    return str(value)


def _bounds(field: FieldInfo) -> str:
    choices = _choices(field.annotation)
    if choices:
        return ", ".join(choices)
    signs = [
        f"{sign} {getattr(constraint, attribute)}"
        for constraint in field.metadata
        for attribute, sign in _BOUND_SIGNS
        if getattr(constraint, attribute, None) is not None
    ]
    return ", ".join(signs)


def _choices(annotation: Any) -> list[str]:
    if annotation is bool:
        return ["true", "false"]
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    return []
