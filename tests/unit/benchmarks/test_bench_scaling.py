"""The autoscaler of `rattil bench scaling` decides as KEDA and Kubernetes do, and asks the chart's query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.load.crowd import CrowdOrder
from benchmarks.page import FOLDER, PICTURES, pictures
from benchmarks.scaling.controller import Controller
from benchmarks.scaling.metric import Aggregation
from benchmarks.scaling.picture import draw
from benchmarks.scaling.scaled_object import Policy, ScaledObject, read_scaled_object, rendered
from benchmarks.scaling.timeline import Moment, steps

RULES = ScaledObject(
    query="",
    threshold=1,
    activation=0,
    least=0,
    most=10,
    polling_s=15,
    cooldown_s=600,
    failure_threshold=3,
    fallback=2,
    calm_s=300,
    scale_out=(Policy("Percent", 100, 30), Policy("Pods", 4, 30)),
    scale_in=(Policy("Pods", 1, 60), Policy("Percent", 25, 60)),
)
"""What the chart says, with few workers at most."""
PAGE = """
# TYPE rattil_router_pool_desired_replicas gauge
rattil_router_pool_desired_replicas{pool="default"} 3.0
rattil_router_pool_desired_replicas{pool="fast"} 7.0
"""


def follow(
    rules: ScaledObject, metric: Callable[[float], float | None], until_s: float, there: int
) -> list[int]:
    """How many workers there are after each look, one every `polling_s`."""
    controller, counts = Controller(rules), []
    for look in range(int(until_s / rules.polling_s)):
        now_s = look * rules.polling_s
        there = controller.decide(now_s, there, metric(now_s))
        counts.append(there)
    return counts


def changes(counts: list[int]) -> list[int]:
    return [n for at, n in enumerate(counts) if at == 0 or counts[at - 1] != n]


def test_a_pool_that_sleeps_wakes_at_once_and_grows_as_the_policies_allow() -> None:
    counts = follow(RULES, lambda _: 10, 120, there=0)
    assert counts[:3] == [1, 5, 5]
    assert changes(counts) == [1, 5, 10]


def test_a_pool_that_nobody_asks_for_goes_to_sleep_after_the_cooldown() -> None:
    counts = follow(RULES, lambda _: 0, 900, there=1)
    assert changes(counts) == [1, 0]
    assert counts.index(0) == 600 / 15


def test_scale_in_waits_and_then_takes_one_worker_a_minute() -> None:
    counts = follow(RULES, lambda now_s: 4 if now_s < 60 else 1, 700, there=4)
    assert changes(counts) == [4, 3, 2, 1]
    first = counts.index(3) * 15
    assert 45 + 300 <= first <= 45 + 330, "the last who wanted four was heard five minutes long"
    assert (counts.index(2) - counts.index(3)) * 15 == 60


def test_of_many_workers_a_quarter_goes_at_a_time() -> None:
    counts = follow(replace(RULES, most=100, calm_s=0), lambda _: 1, 200, there=40)
    assert changes(counts)[:3] == [30, 22, 16]


def test_a_short_lull_takes_nobody_away() -> None:
    counts = follow(RULES, lambda now_s: 1 if 100 < now_s < 300 else 4, 900, there=4)
    assert set(counts) == {4}


def test_a_tenth_more_or_less_changes_nothing() -> None:
    many = replace(RULES, most=100)
    assert set(follow(many, lambda _: 21, 60, there=20)) == {20}
    assert follow(many, lambda _: 23, 60, there=20)[-1] == 23


def test_bounds_are_kept() -> None:
    assert max(follow(RULES, lambda _: 50, 300, there=1)) == 10
    assert min(follow(replace(RULES, least=2), lambda _: 0, 3000, there=4)) == 2


def test_a_metric_that_is_away_changes_nothing_and_then_takes_the_fallback_if_that_is_more() -> None:
    assert follow(RULES, lambda _: None, 60, there=1) == [1, 1, 2, 2]
    assert set(follow(RULES, lambda _: None, 60, there=5)) == {5}


def test_the_rules_are_those_of_the_chart_with_its_waits_shortened() -> None:
    values = {"poolDefaults": {"autoscaling": {"type": "keda", "minReplicas": 0, "maxReplicas": 10}}}
    manifest = rendered(values, "rattil")
    query = 'max(rattil_router_pool_desired_replicas{namespace="rattil",pool="default"})'
    assert read_scaled_object(manifest) == replace(RULES, query=query)
    hurried = read_scaled_object(manifest, 10)
    assert (hurried.calm_s, hurried.cooldown_s, hurried.polling_s) == (30, 60, 1.5)
    assert [policy.period_s for policy in hurried.scale_in] == [6, 6]


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("triggers", 0, "type"), "redis-streams", "type prometheus"),
        (("fallback", "behavior"), "static", "currentReplicasIfHigher"),
        (
            ("advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown", "selectPolicy"),
            "Min",
            "selectPolicy",
        ),
    ],
)
def test_rules_that_the_controller_does_not_follow_are_refused(
    place: tuple[Any, ...], value: str, said: str
) -> None:
    manifest: Any = rendered({"poolDefaults": {"autoscaling": {"type": "keda"}}}, "rattil")
    inner = manifest["spec"]
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises(ValueError, match=said):
        read_scaled_object(manifest)


def test_the_query_is_answered_from_pages_of_metrics() -> None:
    query = Aggregation.parse('max(rattil_router_pool_desired_replicas{namespace="n",pool="default"})')
    assert query.over([PAGE, PAGE.replace("3.0", "4.0")], {"namespace": "n"}) == 4
    assert query.over([PAGE], {"namespace": "another"}) is None
    assert query.over([""], {"namespace": "n"}) is None
    everything = Aggregation.parse('sum(rattil_router_pool_desired_replicas{namespace="n"})')
    assert everything.over([PAGE], {"namespace": "n"}) == 10


@pytest.mark.parametrize("query", ['rate(a{b="c"}[5m])', 'max(a{b=~"c"})', "max(a)", 'max(a{b="c"}) / 2'])
def test_other_queries_are_refused(query: str) -> None:
    with pytest.raises(ValueError, match="ask a Prometheus"):
        Aggregation.parse(query)


def test_a_tide_comes_and_goes_one_after_the_other() -> None:
    order = CrowdOrder(("ws://x",), callers=3, seconds=90, arrive_s=30, leave_s=20)
    assert [order.stay(number) for number in range(3)] == [(0, 70), (10, 80), (20, 90)]
    crowd = CrowdOrder(("ws://x",), callers=2, seconds=60, every_s=5)
    assert [crowd.stay(number) for number in range(2)] == [(0, 60), (2.5, 60)]


MOMENTS = [Moment(0, 0, 0, 1, 1), Moment(1, 0, 0, 0, 0), Moment(2, 5, 2, 2, 0), Moment(3, 40, 2, 2, 2)]


def test_a_picture_shows_each_line_to_the_end() -> None:
    picture = draw(MOMENTS, "A < B")
    assert "A &lt; B" in picture
    assert picture.count("<polyline") == 4
    assert "40</text>" in picture
    assert [now.there for now in steps(MOMENTS)] == [1, 0, 2]


def test_the_picture_of_the_documentation_is_that_of_the_saved_run(tmp_path: Path) -> None:
    (tmp_path / "scaling.json").write_bytes(
        msgspec.json.encode({"figures": {"moments": msgspec.to_builtins(MOMENTS)}})
    )
    assert list(pictures(tmp_path)) == ["scaling.svg"]
    for name, text in pictures(FOLDER).items():
        assert (PICTURES / name).read_text(encoding="utf-8") == text, "run `python -m benchmarks.page`"
