"""The simulation behind docs/comparison-statistics.md draws the nights that the page describes."""

import sys
from pathlib import Path

import numpy as np
import pytest

from bench.statistics.__main__ import main
from bench.statistics.first_weeks import Suite, after_a_step, false_first_nights, slower_from
from bench.statistics.nights import BASELINE, BENCHMARKS, KEYS, Nights
from bench.statistics.noise import KINDS
from bench.statistics.plans import best_within_three_nights, confirmed, three_nights
from bench.statistics.trials import dated, slower_night, unchanged_night


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_noise_has_the_size_that_it_is_given(kind) -> None:
    noise = kind.repetitions(np.random.default_rng(40), (BENCHMARKS, 20_000))
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert np.median(noise.std(axis=1)) == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_levels_move_from_night_to_night_as_the_kind_says(kind) -> None:
    nights = Nights(kind, np.random.default_rng(41), 4000)
    moves = np.diff(nights.slowness[:, :BASELINE] if kind.slow_nights else nights.slowness, axis=1).std()
    if kind.slow_nights:
        assert (nights.machine[BASELINE:] >= np.log(1.03)).all()
        assert (nights.machine <= np.log(1.08)).all()
    else:
        assert moves == pytest.approx(kind.own_drift + kind.machine_drift, abs=0.001)


def test_a_slower_benchmark_is_slower_whatever_its_direction() -> None:
    nights = Nights(KINDS[0], np.random.default_rng(42), 2)
    for benchmark in (0, 1):
        nights.slower(benchmark, 0.5, 1)
    before, after = nights.measure(0, 200).mean(axis=1), nights.measure(1, 200).mean(axis=1)
    assert KEYS[0].metric == "throughput"
    assert after[0] / before[0] == pytest.approx(1 / 1.5, rel=0.02)
    assert after[1] / before[1] == pytest.approx(1.5, rel=0.03)


@pytest.mark.slow
def test_a_large_step_is_called_and_dated_and_a_good_night_is_not() -> None:
    assert not unchanged_night(KINDS[0], 0).ours
    assert slower_night(KINDS[0], 0.2, 1, 0).ours
    assert dated(KINDS[0], 0.2, 0).within_one


@pytest.mark.slow
def test_short_histories_call_a_large_step_and_nothing_else() -> None:
    assert slower_from(Suite(3, 0.01), 2, 0.3, 3, 0) == (True, True, True)
    assert slower_from(Suite(3, 0.01), 2, 0.0, 2, 0) == (False, False)
    assert after_a_step(Suite(3, 0.01), 0.2, 3, 0.2, 0)
    assert not any(false_first_nights(KINDS[0], 3, 0))


def test_rounds_report_the_same_large_step_with_fewer_repetitions() -> None:
    fixed, in_rounds = (confirmed(KINDS[0], 0.2, rounds, 0) for rounds in (False, True))
    assert (fixed.called, fixed.false) == (in_rounds.called, in_rounds.false) == (True, False)
    assert 0 < in_rounds.repetitions < fixed.repetitions
    assert fixed.repetitions % 15 == 0


def test_no_method_finds_small_steps_among_drift_and_large_ones_are_found() -> None:
    assert best_within_three_nights(KINDS[4], 50, 0.05) < best_within_three_nights(KINDS[4], 1, 0.05) < 1
    assert best_within_three_nights(KINDS[4], 50, 0.3) == pytest.approx(1)
    assert three_nights(KINDS[4], 3, 0.3, 0) == (True, 0)


def test_one_table_is_computed_alone_and_the_others_of_the_page_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Old\n\n## `ab`: two interleaved sides\n\nas it was\n\n## The kinds of noise\n\nold\n")
    monkeypatch.setattr(sys, "argv", ["bench.statistics", "--table", "kinds", "--output", str(page)])
    assert main() == 0
    text = page.read_text(encoding="utf-8")
    assert "as it was" in text
    assert "Log-normal: with a skewness" in text
    assert "old\n" not in text
