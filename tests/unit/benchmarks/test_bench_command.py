"""`rattil bench` finds the benchmarks of a checkout, and says so where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest
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
