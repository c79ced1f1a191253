"""The onset of a regression: from the verdict, or from a change point if it has lasted longer."""

from __future__ import annotations

from dataclasses import replace

from examples_utils.comparison.changes import Change
from examples_utils.comparison.onset import Regression, open_regressions, regressions
from examples_utils.comparison.statistics.change_points import ChangePoint
from examples_utils.comparison.text import commit_range, open_regression_line, regression_line, since_text
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.history.regressions import ReportedRegression
from examples_utils.run_model import MetricKey, Run
from tests.examples_utils.nightly.nights import SUITE, earlier_night

KEY = MetricKey(SUITE, "a", "a", "throughput")
NIGHTS = [replace(earlier_night(20 - n, {"a": 100}), commit=f"{n:02d}" * 20) for n in range(20)]
WORSE = MetricVerdict(KEY, Verdict.REGRESSED, "samples/sec", "higher", 100.0, 93.0, 0.93, 0.92, 0.94)


def since(
    judged: MetricVerdict, *changes: Change, nights: list[Run] = NIGHTS, compared: list[Run] | None = None
) -> Regression:
    (found,) = regressions(Comparison("", "", (judged,)), compared or nights, changes, nights)
    return found


def change(index: int, better: bool = False) -> Change:
    point = ChangePoint(index, index - 1, index, 0.93, 0.92, 0.94, 0.001)
    return Change(KEY, point, NIGHTS[index - 1], NIGHTS[index], better)


def test_a_step_of_this_night_is_dated_by_the_verdict():
    found = since(WORSE)
    assert (found.last_before, found.first_after, found.nights) == (NIGHTS[18], NIGHTS[19], 1)


def test_a_step_that_has_lasted_is_dated_by_how_long():
    found = since(replace(WORSE, lasted_runs=2))
    assert (found.last_before, found.first_after, found.nights) == (NIGHTS[17], NIGHTS[18], 2)


def test_what_has_lasted_as_long_as_the_verdict_looks_back_is_dated_by_its_change_point():
    found = since(replace(WORSE, lasted_runs=3), change(14))
    assert (found.last_before, found.first_after, found.nights) == (NIGHTS[13], NIGHTS[14], 6)


def test_an_older_step_does_not_date_a_new_one():
    assert since(WORSE, change(14)).first_after == NIGHTS[19]
    assert since(replace(WORSE, lasted_runs=3), change(2)).first_after == NIGHTS[17]


def test_a_step_for_the_better_dates_nothing():
    assert since(replace(WORSE, lasted_runs=3), change(14, better=True)).first_after == NIGHTS[17]


def test_nights_without_the_figure_are_passed_over():
    without = [replace(run, metrics={}) if n in (16, 17) else run for n, run in enumerate(NIGHTS)]
    found = since(replace(WORSE, lasted_runs=3), nights=without)
    assert (found.last_before, found.first_after) == (NIGHTS[15], NIGHTS[18])


def test_runs_that_the_verdict_does_not_rest_on_do_not_date_it():
    looks = {n: replace(NIGHTS[n], run_id=f"look {n}", commit="f" * 40) for n in range(20)}
    crowded = [run for n, night in enumerate(NIGHTS) for run in (looks[n], night)]
    found = since(WORSE, nights=crowded, compared=NIGHTS)
    assert (found.last_before, found.first_after, found.nights) == (NIGHTS[18], NIGHTS[19], 1)
    lasted = since(replace(WORSE, lasted_runs=2), nights=crowded, compared=NIGHTS)
    assert (lasted.last_before, lasted.first_after, lasted.nights) == (NIGHTS[17], NIGHTS[18], 2)


def test_a_change_point_among_more_runs_than_were_compared_counts_the_nights_that_were():
    looks = [replace(run, run_id=f"look {n}") for n, run in enumerate(NIGHTS)]
    crowded = [run for pair in zip(looks, NIGHTS, strict=True) for run in pair]
    point = ChangePoint(28, 27, 28, 0.93, 0.92, 0.94, 0.001)
    found = since(
        replace(WORSE, lasted_runs=3),
        Change(KEY, point, crowded[27], crowded[28], better=False),
        nights=crowded,
        compared=NIGHTS,
    )
    assert (found.last_before, found.first_after, found.nights) == (NIGHTS[13], looks[14], 6)


def test_a_figure_without_a_ratio_is_told_by_its_values():
    stopped = replace(WORSE, new=0.0, ratio=None, low=None, high=None)
    assert regression_line(since(stopped)).startswith(
        "REGRESSED a throughput: 100.0 to 0.0000 samples/sec since "
    )


def test_the_line_names_size_time_and_commits():
    assert regression_line(since(WORSE)) == (
        f"REGRESSED a throughput: -7.0%, -8.0% to -6.0% (100.0 to 93.00 samples/sec) since "
        f"{NIGHTS[19].started_utc[:16].replace('T', ' ')} UTC, commits 1818181818..1919191919"
    )


def test_at_the_same_commit_the_line_says_that_the_code_is_not_the_cause():
    same = [replace(run, commit="a" * 40) for run in NIGHTS]
    assert regression_line(since(WORSE, nights=same)).endswith(
        "at the same commit aaaaaaaaaa as before: the code of this repository is not the cause"
    )


def test_the_page_names_the_same_commits_as_the_line_of_the_night():
    for commit in ("a", "b"):
        nights = [
            replace(run, commit=("a" if n < 19 else commit) * 40, dirty=n == 18)
            for n, run in enumerate(NIGHTS)
        ]
        found = since(WORSE, nights=nights)
        commits = commit_range(nights[18], nights[19])
        assert commits in regression_line(found)
        assert since_text(found).endswith(f", {commits}")


def test_a_step_that_is_no_longer_called_stands_until_a_better_one_or_the_fortnight_is_over():
    quiet, called = Comparison("", "", ()), Comparison("", "", (WORSE,))
    assert open_regressions(quiet, [change(14)], NIGHTS) == [change(14)]
    assert open_regressions(called, [change(14)], NIGHTS) == []
    assert open_regressions(quiet, [change(16, better=True), change(14)], NIGHTS) == []
    assert open_regressions(quiet, [change(3)], NIGHTS) == []
    one = ReportedRegression(KEY, NIGHTS[14], NIGHTS[13], 0.93, 0.92, 0.94)
    assert open_regression_line(one).startswith("STILL WORSE a throughput: -7.0%, -8.0% to -6.0%, since ")
    assert open_regression_line(one).endswith(" UTC, commits 1313131313..1414141414")


def test_the_change_point_of_an_older_step_does_not_date_one_whose_base_begins_after_it():
    lasting = replace(WORSE, lasted_runs=3, base_runs=3)
    assert since(lasting, change(13)).first_after == NIGHTS[17]
    assert since(lasting, change(15)).first_after == NIGHTS[15]
