"""`rattil bench` finds the benchmarks of a checkout, and says so where there are none."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from benchmarks.__main__ import app
from cli import bench

NAMES = ("asr", "serve", "overload", "gateway", "bus", "codecs", "capacity", "scaling", "soak", "words")


def test_every_benchmark_is_listed_and_explains_itself() -> None:
    listed = CliRunner().invoke(app, ["--help"])
    assert listed.exit_code == 0
    assert all(name in listed.stdout for name in NAMES)
    for name in NAMES:
        shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "120"})
        assert shown.exit_code == 0
        assert "--quick" in shown.stdout
        assert "--json" in shown.stdout


def test_every_benchmark_ends_its_help_with_an_example_that_can_be_run() -> None:
    commands = typer.main.get_command(app)
    assert isinstance(commands, TyperGroup)
    assert set(NAMES) < set(commands.commands)
    for name, command in commands.commands.items():
        assert command.epilog is not None
        example = shlex.split(command.epilog.removeprefix("Example: "))
        assert example[:3] == ["rattil", "bench", name]
        command.make_context(name, example[3:])  # fails if an option is none


def test_the_last_line_is_the_headline(tmp_path: Path) -> None:
    saved = tmp_path / "capacity.json"
    done = CliRunner().invoke(app, ["capacity", "--quick", "--json", str(saved)])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].startswith("headline: sessions_per_core=")
    assert "no GPU was measured" in saved.read_text(encoding="utf-8")


def test_outside_of_a_checkout_it_says_where_the_benchmarks_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "CHECKOUT", tmp_path)
    with pytest.raises(bench.NoBenchmarks, match="checkout"):
        bench.become_benchmark(["asr"])
