"""docs/performance.md is what the JSON files beside it say."""

from __future__ import annotations

from pathlib import Path

from benchmarks.page import FOLDER, PAGE, page
from benchmarks.report import Report, Table

MACHINE = {
    "cpu": "test",
    "cores": 2,
    "memory_gb": 8.0,
    "date": "2026-01-01",
    "load_1min": 0.1,
    "commit": "abc",
    "python": "3.11",
    "versions": {"numpy": "2"},
}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(FOLDER), "run `python -m benchmarks.page`"


def test_a_section_has_its_tables_headline_and_machine(tmp_path: Path) -> None:
    table = Table("rates", ("way", "segments/s"), [["rattil-b8", "250.0"]])
    report = Report("asr", {"speedup": 20.123456}, [table], {}, "tiny 1", ("quick",), MACHINE)
    (tmp_path / "asr.json").write_bytes(report.as_json())
    written = page(tmp_path)
    assert "| way | segments/s |\n| :-- | --: |\n| rattil-b8 | 250.0 |" in written
    assert "`speedup=20.12`" in written
    assert "Note: quick." in written
    assert "commit abc" in written
    assert "## Redis" not in written


def test_a_benchmark_that_was_saved_in_several_runs_is_one_section(tmp_path: Path) -> None:
    for run in ("first", "second"):
        table = Table(run, ("wire", "sessions"), [[run, "1"]])
        report = Report("dialects", {run: 1}, [table], {}, "whisper-base", (), MACHINE)
        (tmp_path / f"dialects-{run}.json").write_bytes(report.as_json())
    written = page(tmp_path)
    assert written.count("## Every dialect") == 1
    assert written.index("**first**") < written.index("**second**")
