"""The picture of a training run."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from training.curve import Line, drawn, read_log

SVG = "{http://www.w3.org/2000/svg}"


def test_the_log_gives_one_line_for_each_loss_over_hours_heard(tmp_path: Path) -> None:
    log = tmp_path / "learn.csv"
    log.write_text("25,1.5,0.3,2.0,8.5\n50,3.0,0.6,1.0,3.5\n", encoding="utf-8")

    lines = read_log(log, ("posterior", "sounds"))

    assert lines == [
        Line("posterior", [(0.3, 2.0), (0.6, 1.0)]),
        Line("sounds", [(0.3, 8.5), (0.6, 3.5)]),
    ]


def test_a_run_too_short_for_a_log_has_lines_without_points(tmp_path: Path) -> None:
    assert read_log(tmp_path / "learn.csv", ("posterior",)) == [Line("posterior", [])]


def test_the_picture_is_well_formed_and_higher_values_are_drawn_higher() -> None:
    picture = ElementTree.fromstring(drawn([Line("sounds", [(0.0, 4.0), (1.0, 1.0)])], "run"))

    (curve,) = picture.iter(f"{SVG}polyline")
    first, last = [tuple(map(float, point.split(","))) for point in curve.get("points", "").split()]
    assert first[0] < last[0]
    assert first[1] < last[1]


def test_a_run_without_a_line_yet_is_drawn_as_an_empty_picture() -> None:
    picture = ElementTree.fromstring(drawn([Line("sounds", [])], "run"))

    (curve,) = picture.iter(f"{SVG}polyline")
    assert curve.get("points") == ""
