"""README: its commands exist, its links lead somewhere, its honest sentence is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app as benchmarks
from cli.commands import app

ROOT = Path(__file__).parent.parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(command.callback.__name__ for command in app.registered_commands if command.callback)


def test_every_command_is_in_the_table() -> None:
    rows = [line for line in README.splitlines() if line.startswith("|")]
    table = {name for row in rows for name in re.findall(r"`rattil (\w+)", row)}
    assert table == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output


def test_the_help_of_bench_names_every_benchmark() -> None:
    said = CliRunner().invoke(app, ["bench", "--help"]).output
    names = {command.callback.__name__ for command in benchmarks.registered_commands if command.callback}
    assert {name for name in names if not re.search(rf"\b{name}: ", said)} == set()


def test_every_make_target_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`?make (\w+)`?", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", ["README.md", "docs/protocol.md", "docs/configuration.md"])
def test_relative_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert ((ROOT / page).parent / link).exists(), link


def test_the_honest_sentence_is_there() -> None:
    assert "Automatic feedback can be wrong and does not replace a teacher" in README


def test_the_tests_that_gate_a_change_are_the_ones_readme_names() -> None:
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test" in gate
    assert "make test" in README
