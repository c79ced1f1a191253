"""Each metric's history: medians, intervals, and the text in which a page holds them."""

from __future__ import annotations

import base64
import itertools
import json
import random
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples_utils.report import page_data
from examples_utils.report.packing import columns, packed
from examples_utils.report.page_data import drawn_nights
from examples_utils.report.series import Series, collect_series, median_interval
from examples_utils.run_model import Metric, MetricKey, Run

KEY = MetricKey("s", "b", "v", "throughput")
finite = st.floats(-1e12, 1e12).filter(lambda value: value == 0 or abs(value) > 1e-290)


def series(median: list[float], low: list[float], high: list[float]) -> Series:
    arrays = [np.array(values, np.float64) for values in (median, low, high)]
    return Series(np.arange(len(median)), *arrays, last=())


def run(number: int, *values: float, unit: str = "ms") -> Run:
    return Run(
        f"run{number}", "2026-01-01T00:00:00+00:00", metrics={KEY: Metric(values, unit)} if values else {}
    )


def test_nights_are_collected_in_order_whatever_the_number_of_their_repetitions() -> None:
    runs = [run(0, 3.0), run(1, 1.0, 2.0, 9.0), run(2), run(3, 5.0, 7.0), run(4, 4.0, 2.0, 3.0)]
    found = collect_series(runs, [KEY])[KEY]
    assert found.nights.tolist() == [0, 1, 3, 4]
    assert found.median.tolist() == [3.0, 2.0, 6.0, 3.0]
    assert found.low.tolist() == [3.0, 1.0, 5.0, 2.0]
    assert found.high.tolist() == [3.0, 9.0, 7.0, 4.0]
    assert found.last == (4.0, 2.0, 3.0)


def test_a_figure_that_the_last_run_lacks_keeps_its_history() -> None:
    found = collect_series([run(0, 3.0), run(1)], [KEY, KEY._replace(metric="of no run")])
    assert list(found) == [KEY]
    assert found[KEY].last == ()


def test_nights_in_another_unit_than_the_newest_are_counted_and_left_out() -> None:
    found = collect_series([run(0, 3.0, unit="s"), run(1, 5.0), run(2, 6.0)], [KEY])[KEY]
    assert found.nights.tolist() == [1, 2]
    assert found.other_unit == 1


@pytest.mark.parametrize(
    ("count", "rank"), [(1, 0), (2, 0), (5, 0), (6, 0), (8, 0), (9, 1), (12, 2), (20, 5), (100, 39)]
)
def test_the_interval_of_a_median_has_the_ranks_of_the_textbooks_tables(count: int, rank: int) -> None:
    values = np.array([random.Random(1).sample(range(count), count)], np.float64)
    _, low, high = median_interval(values)
    assert (low[0], high[0]) == (rank, count - 1 - rank)


def test_the_interval_holds_the_median_as_often_as_it_says_whatever_the_distribution() -> None:
    source = np.random.default_rng(1)
    for values, median in (
        (source.standard_t(2, (20_000, 10)), 0.0),
        (source.exponential(1, (20_000, 10)), np.log(2)),
    ):
        _, low, high = median_interval(values)
        assert np.mean((low <= median) & (median <= high)) >= 0.95


def unpacked(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text)))


def unpacked_columns(document: dict) -> tuple[list[float], list[float], list[float]]:
    """What data.js does with them."""
    scale = 10.0 ** abs(document["decimals"])
    whole = itertools.accumulate(document["medians"])
    median = [number * scale if document["decimals"] < 0 else number / scale for number in whole]
    low = [value - steps * document["band"] for value, steps in zip(median, document["below"], strict=True)]
    high = [value + steps * document["band"] for value, steps in zip(median, document["above"], strict=True)]
    return median, low, high


@given(st.lists(st.tuples(finite, finite, finite).map(sorted), min_size=1, max_size=50))
def test_what_is_packed_comes_back_with_five_significant_digits(nights: list[list[float]]) -> None:
    low, median, high = (list(column) for column in zip(*nights, strict=True))
    document = unpacked(packed(columns(series(median, low, high))))
    largest = max(map(abs, median))
    found = unpacked_columns(document)
    for reported, value in zip(found[0], median, strict=True):
        # A value has fewer digits in a series with one that is 10^9 times as large.
        assert reported == pytest.approx(value, rel=5e-5, abs=largest * 1e-13)
    width = document["band"] / 2 + 5e-5 * largest
    for reported, value in zip(found[1] + found[2], low + high, strict=True):
        assert reported == pytest.approx(value, rel=1e-4, abs=width)


def test_an_interval_of_the_usual_width_is_told_to_a_thirtieth() -> None:
    source = random.Random(1)
    median = [source.gauss(118, 2) for _ in range(365)]
    document = columns(series(median, [value - 1.5 for value in median], [value + 1.5 for value in median]))
    assert document["band"] == pytest.approx(0.05)
    assert set(document["below"]) == {30}


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_and_figure_comes_back_and_none_can_end_a_script(text: str, value: float) -> None:
    document = packed({"text": text, "value": value})
    assert unpacked(document) == {"text": text, "value": value}
    assert set(document) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")


@given(st.integers(1, 40), st.integers(0, 300), st.integers(1, 500))
def test_leading_figures_are_drawn_whole_and_the_others_share_what_is_left(
    lead: int, others: int, nights: int
) -> None:
    keys = [KEY._replace(variant=str(number)) for number in range(lead + others)]
    same = series([1.0] * nights, [1.0] * nights, [1.0] * nights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_data, "MAX_POINTS", 20_000)
        limits = drawn_nights(dict.fromkeys(keys, same), keys[:lead])
    assert all(limits[key] == nights for key in keys[:lead])
    assert len({limits[key] for key in keys[lead:]}) <= 1
    # Two nights of a figure are always there.
    assert sum(limits.values()) <= 20_000 + 2 * others
