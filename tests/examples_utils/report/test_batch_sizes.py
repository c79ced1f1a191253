"""Throughput over latency across batch sizes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from examples_utils.report.batch_sizes import BatchSize, front, trade_offs
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey


def run_of(*points: tuple[dict[str, str], dict[str, str], float | None, float | None]) -> Run:
    variants, figures = {}, {}
    for number, (params, settings, throughput, latency) in enumerate(points):
        key = VariantKey("s", "b", f"v{number}")
        variants[key] = VariantFacts("passed", params=params, settings=settings)
        for metric, value, unit in (("throughput", throughput, "samples/sec"), ("latency", latency, "ms")):
            if value is not None:
                figures[MetricKey(*key, metric)] = Metric((value, value * 3, value * 2), unit)
    return Run("r", "2026-01-01T00:00:00+00:00", variants=variants, metrics=figures)


def test_variants_that_differ_in_their_batch_size_alone_make_one_trade_off() -> None:
    run = run_of(
        ({"micro_batch_size": "16", "precision": "16.16"}, {}, 400.0, 40.0),
        ({"micro_batch_size": "1", "precision": "16.16"}, {}, 100.0, 10.0),
        ({"micro_batch_size": "1", "precision": "32.32"}, {}, 50.0, 20.0),
        ({"micro_batch_size": "4", "precision": "32.32"}, {}, 60.0, 70.0),
    )
    first, second = trade_offs(run)
    assert first.others == (("precision", "16.16"),)
    assert [(point.batch_size, point.throughput, point.latency) for point in first.points] == [
        (1, 200.0, 20.0),
        (16, 800.0, 80.0),
    ]
    assert (first.throughput_unit, first.latency_unit) == ("samples/sec", "ms")
    assert [point.batch_size for point in second.points] == [1, 4]


def test_the_size_that_the_tool_reports_counts_where_no_parameter_says_it() -> None:
    run = run_of(({}, {"micro_batch_size": "8"}, 1.0, 1.0), ({}, {"micro_batch_size": "2"}, 1.0, 1.0))
    assert [point.batch_size for point in trade_offs(run)[0].points] == [2, 8]


def test_one_size_a_size_that_is_no_number_and_a_missing_figure_make_none() -> None:
    assert trade_offs(run_of(({"batch_size": "1"}, {}, 1.0, 1.0))) == ()
    assert (
        trade_offs(run_of(({"batch_size": "1"}, {}, 1.0, 1.0), ({"batch_size": "many"}, {}, 1.0, 1.0))) == ()
    )
    assert trade_offs(run_of(({"batch_size": "1"}, {}, 1.0, 1.0), ({"batch_size": "2"}, {}, 1.0, None))) == ()


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=20))
def test_every_size_is_on_the_front_or_beaten_by_one_that_is(figures: list[tuple[int, int]]) -> None:
    points = [BatchSize(VariantKey("s", "b", str(i)), i, *map(float, pair)) for i, pair in enumerate(figures)]
    best = front(points)
    for point in points:
        better = [
            other
            for other in points
            if other.throughput >= point.throughput
            and other.latency <= point.latency
            and (other.throughput, other.latency) != (point.throughput, point.latency)
        ]
        assert (point.variant in best) == (not better)
        assert not better or any(other.variant in best for other in better)
