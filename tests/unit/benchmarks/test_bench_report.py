"""What a benchmark prints last and saves."""

from __future__ import annotations

import json
import math

from benchmarks.report import Report, Table, headline

MACHINE = {"cpu": "test", "cores": 2, "load_1min": 0.0, "commit": "none"}


def test_the_headline_is_keys_and_numbers() -> None:
    figures = {"sessions": 128, "p95_ms": 138.21987, "ratio": math.nan, "big": 123456.7, "slope": -0.5}
    assert headline(figures) == "headline: sessions=128 p95_ms=138.2 ratio=nan big=123457 slope=-0.5"


def test_json_holds_everything_and_no_nan() -> None:
    table = Table("a table", ("", "x"), [["row", "1"]])
    report = Report("demo", {"x": math.nan}, [table], {"runs": [{"p95": math.inf}]}, "model 1", (), MACHINE)
    saved = json.loads(report.as_json())
    assert saved["benchmark"] == "demo"
    assert saved["headline"] == {"x": None}
    assert saved["figures"] == {"runs": [{"p95": None}]}
    assert saved["tables"] == [{"title": "a table", "columns": ["", "x"], "rows": [["row", "1"]]}]
    assert saved["machine"]["cpu"] == "test"
    assert saved["command"].startswith("rattil bench")
