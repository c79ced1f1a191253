"""Units are converted without loss, and long series are represented by a faithful sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_parsers import units
from benchmark_parsers.result_check import result_schema
from benchmark_parsers.samples import MAX_SAMPLES, EvenSample, few, summarise
from benchmark_parsers.unit_of_regex import unit_of_regex
from benchmark_parsers.units import better, canonical, convert

TIMES = ["ns", "us", "usec", "µs", "ms", "msec", "s", "sec"]


@given(
    value=st.floats(0, 1e12).filter(lambda v: v == 0 or v > 1e-12),
    pair=st.tuples(*[st.sampled_from(TIMES)] * 2),
)
def test_a_time_comes_back_from_any_other_unit(value, pair):
    there, back = pair
    assert convert(convert(value, there, back), back, there) == pytest.approx(value, rel=1e-15)


@given(whole=st.integers(0, 10**12))
def test_whole_figures_are_rounded_once(whole):
    assert convert(whole, "usec", "ms") == whole / 1000
    assert convert(whole, "ns", "ms") == whole / 1_000_000


@pytest.mark.parametrize("unit", ["FPS", "infer/sec", "imgs/sec", "samples/sec", "images/s", "img/s"])
def test_every_spelling_of_a_rate_is_samples_per_second(unit):
    assert canonical(unit) == "samples/sec"
    assert convert(12.5, unit, "samples/sec") == 12.5
    assert better(unit) == "higher"


def test_units_of_different_kinds_do_not_convert():
    for there, back in (("ms", "FPS"), ("FPS", "s"), ("MiB", "ms"), ("parsec", "s")):
        with pytest.raises(ValueError, match="cannot be converted"):
            convert(1, there, back)
    assert canonical("parsec") is None


@given(length=st.integers(0, 3000), chunk=st.integers(1, 700), limit=st.integers(1, 500))
def test_an_even_sample_is_every_so_many_th_of_the_series(length, chunk, limit):
    series = list(range(length))
    sample: EvenSample[str] = EvenSample(limit)
    for start in range(0, length, chunk):
        sample.add(series[start : start + chunk], str)
    assert sample.seen == length
    assert sample.kept == [str(item) for item in series[:: sample.step]]
    assert len(sample.kept) <= limit
    assert sample.step == 1 or length > limit


@given(figures=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=500))
def test_a_summary_says_what_numpy_says(figures):
    reported = summarise(figures)
    assert reported["mean"] == pytest.approx(np.mean(figures), abs=1e-6)
    assert (reported["min"], reported["max"], reported["count"]) == (min(figures), max(figures), len(figures))
    assert reported["std"] == pytest.approx(np.std(figures, ddof=1) if len(figures) > 1 else 0, abs=1e-6)
    for name, value in reported.items():
        if name.startswith("p"):
            assert value == pytest.approx(np.percentile(figures, int(name[1:])), abs=1e-6)
    assert ("p99" in reported) == (len(figures) >= 100)


@given(length=st.integers(0, 5000))
def test_few_are_at_most_so_many_from_first_on(length):
    kept = few(list(range(length)))
    assert len(kept) <= MAX_SAMPLES
    assert list(kept) == list(range(length)) or len(kept) > MAX_SAMPLES // 2
    assert not length or kept[0] == 0


@pytest.mark.parametrize(
    ("regexp", "unit"),
    [
        (r"throughput: *(.*?) samples\/sec", "samples/sec"),
        (r"latency avg: *(.*?) ms", "ms"),
        (r"took (?P<time>[\d.]+)\s*msec", "ms"),
        (r"(?:a|b) ([)\]\d.]+) FPS", "samples/sec"),
        (r"took ((\d+)[.]\d+) seconds", "s"),
        (r"loss:\s*([^ ]+)", None),
        (r"(\d+) samples", None),
        (r"(\d+) m\w+", None),
        (r"\((\d+)\) of ms", None),
    ],
)
def test_a_regular_expression_says_the_unit_of_its_figure(regexp, unit):
    assert unit_of_regex(regexp) == unit


def test_what_is_never_negative_is_the_same_in_the_schema_and_in_the_code():
    definitions = result_schema()["$defs"]
    (from_0,) = (
        rule["if"]["properties"]["unit"]["enum"]
        for rule in definitions["metric"]["allOf"]
        if "unit" in rule["if"]["properties"]
    )
    assert frozenset(from_0) == units.NEVER_NEGATIVE
    (pattern,) = definitions["metrics"]["patternProperties"]
    assert pattern == f"^{units.NEVER_NEGATIVE_NAME.pattern}$"
