"""What was called stays on the open list until it is gone or accepted, night after night."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

import pytest

from examples_utils.comparison.changes import changes
from examples_utils.comparison.compare_night import compare_night
from examples_utils.comparison.onset import regressions
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.text import accepted_line, called_again_line
from examples_utils.history.regressions import Acceptance, ReportedRegression, known_of
from examples_utils.nightly.open_regressions import Evidence, OpenList, accepted_starts, of_series, open_list
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts
from tests.examples_utils.nightly.nights import SUITE

pytestmark = pytest.mark.slow

OPTIONS = CompareOptions()
NAMES = "abcde"
KEY = MetricKey(SUITE, "a", "a", "latency")
ACCEPTED = Acceptance("ada@vm", "2026-03-01T09:00:00+00:00", "sharper images")


def night(number: int, slowness: float = 1.0, noise: float = 0.005, seed: int = 0, **changed: object) -> Run:
    """One night of five benchmarks, of which `a` takes `slowness` times its usual 10 ms."""
    chance = random.Random(f"{seed} {number}")
    metrics = {}
    for name in NAMES:
        level = 10 * (slowness if name == "a" else 1) * chance.gauss(1, noise / 2)
        count = 20 if name == "a" and slowness > 1 else 5
        values = tuple(level * chance.gauss(1, noise) for _ in range(count))
        metrics[KEY._replace(benchmark=name, variant=name)] = Metric(values, "ms", "lower")
    run = Run(
        run_id=f"night{number}",
        started_utc=(datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(days=number)).isoformat(),
        commit=f"{number:040x}",
        branch="main",
        variants={key.of_variant: VariantFacts("passed") for key in metrics},
        metrics=metrics,
    )
    return replace(run, **changed)  # type: ignore[arg-type]


@dataclass
class Week:
    """Nights one after another, as `nightly` judges and stores them."""

    nights: list[Run] = field(default_factory=list)
    stored: Sequence[ReportedRegression] = ()

    def night(self, slowness: float = 1.0, **changed: object) -> OpenList:
        run = night(len(self.nights), slowness, **changed)
        base = self.nights[-OPTIONS.nights_needed :]
        self.nights.append(run)
        comparison = compare_night(base, run, OPTIONS, accepted_starts(self.stored, base))
        found = changes(self.nights, OPTIONS)
        called = regressions(comparison, (*base, run), found, self.nights)
        tonight = open_list(self.stored, base, Evidence(self.nights, comparison, called, found), OPTIONS)
        self.stored = tonight.reported
        return tonight

    def several(self, slownesses: Iterable[float]) -> list[OpenList]:
        return [self.night(slowness) for slowness in slownesses]

    def accept(self) -> None:
        self.stored = [
            replace(one, acceptance=ACCEPTED) if one.state == "open" else one for one in self.stored
        ]


def shown(tonight: OpenList) -> list[str]:
    """Where `a` is on this night."""
    kinds: dict[str, Callable[[], list[MetricKey]]] = {
        "called": lambda: [one.judged.key for one in tonight.called],
        "again": lambda: [one.key for one in tonight.called_again],
        "open": lambda: [one.key for one in tonight.persisting],
    }
    return [kind for kind, keys in kinds.items() if KEY in keys()]


@pytest.mark.slow
@pytest.mark.parametrize("quiet", [2, 3, 4, 5, 10])
def test_a_step_is_called_on_three_nights_and_then_open_until_the_end(quiet: int):
    week = Week()
    week.several([1.0] * quiet)
    after = [shown(tonight) for tonight in week.several([1.12] * 25)]
    assert all(kinds in (["called"], ["again"]) for kinds in after[:3]), after
    assert after[3:] == [["open"]] * 22
    (one,) = [one for one in week.stored if one.key == KEY]
    assert one.first_after.run_id == f"night{quiet}"


@pytest.mark.slow
def test_a_step_that_is_undone_is_gone_and_stays_gone():
    week = Week()
    week.several([1.0] * 10 + [1.10] * 6)
    after = [shown(tonight) for tonight in week.several([1.0] * 8)]
    assert after == [[]] * 8
    (one,) = [one for one in week.stored if one.key == KEY]
    assert (one.state, one.gone_utc) == ("gone", week.nights[16].started_utc)


def test_a_step_that_is_undone_the_next_night_is_gone():
    week = Week()
    week.several([1.0] * 10)
    assert shown(week.night(1.10)) == ["called"]
    assert shown(week.night()) == []


@pytest.mark.slow
def test_a_step_of_which_a_part_is_undone_stays_open():
    week = Week()
    week.several([1.0] * 10 + [1.20] * 5)
    assert [shown(tonight) for tonight in week.several([1.08] * 5)] == [["open"]] * 5


@pytest.mark.slow
def test_an_accepted_step_is_not_called_any_more_and_named_with_its_reason():
    week = Week()
    week.several([1.0] * 8 + [1.10])
    week.accept()
    after = week.several([1.10] * 6)
    assert [shown(tonight) for tonight in after] == [[]] * 6
    (one,) = after[-1].accepted
    assert accepted_line(one).endswith("by ada@vm on 2026-03-01 09:00 UTC: sharper images")


@pytest.mark.slow
@pytest.mark.parametrize("later", [1, 2, 3, 8])
def test_what_is_accepted_and_gets_worse_again_is_called_again(later: int):
    week = Week()
    week.several([1.0] * 8 + [1.10])
    week.accept()
    week.several([1.10] * (later - 1))
    after = [shown(tonight) for tonight in week.several([1.25] * 5)]
    assert after[0] == ["called"], after
    assert all(after), after
    new = [one for one in week.stored if one.key == KEY and one.state == "open"]
    assert [one.first_after.run_id for one in new] == [f"night{8 + later}"]


@pytest.mark.slow
def test_two_steps_are_both_open():
    week = Week()
    week.several([1.0] * 10 + [1.10] * 6 + [1.25] * 6)
    begun = [one.first_after.run_id for one in week.stored if one.key == KEY and one.state == "open"]
    assert begun == ["night10", "night16"]


@pytest.mark.slow
def test_a_night_without_the_metric_does_not_end_it():
    week = Week()
    week.several([1.0] * 8 + [1.10] * 5)
    without = {key: metric for key, metric in night(13).metrics.items() if key != KEY}
    assert shown(week.night(metrics=without)) == []
    assert shown(week.night(1.10)) == ["open"]


def test_regressions_of_other_branches_are_not_listed():
    other = ReportedRegression(KEY, replace(night(3), run_id="elsewhere", branch="try"))
    before = ReportedRegression(KEY, replace(night(-9), run_id="long ago"))
    nights = [night(number) for number in range(5)]
    assert of_series([other, before], nights) == [before]


def test_the_base_begins_at_the_first_night_after_an_accepted_change():
    nights = [night(number) for number in range(6)]
    one = ReportedRegression(KEY, replace(night(3), run_id="a look at one benchmark"), acceptance=ACCEPTED)
    assert accepted_starts([one], nights) == {KEY: "night3"}
    assert accepted_starts([replace(one, acceptance=None)], nights) == {}


@pytest.mark.parametrize(("level", "kind"), [(10.35, "again"), (10.23, "open")])
def test_what_an_uncertain_night_shows_is_called_again_only_if_it_is_half_as_bad(level: float, kind: str):
    week = Week()
    week.several([1.0] * 10)
    before, last = week.nights[-2:]
    week.stored = [ReportedRegression(KEY, last, before, 1.05, 1.04, 1.06, called_utc=last.started_utc)]
    spread = tuple(level * factor for factor in (0.92, 0.96, 1.0, 1.04, 1.08))
    uncertain = {**night(10).metrics, KEY: Metric(spread, "ms", "lower")}
    tonight = week.night(metrics=uncertain)
    assert shown(tonight) == [kind]
    assert [called_again_line(one) for one in tonight.called_again] == [
        f"REGRESSED a latency: +5.0%, +4.0% to +6.0%, since 2026-01-10 00:00 UTC, commits {commits(before, last)}; "
        "called on 2026-01-10, tonight alone is uncertain"
    ] * (kind == "again")


def commits(before: Run, after: Run) -> str:
    return f"{(before.commit or '')[:10]}..{(after.commit or '')[:10]}"


def test_regressions_of_other_suites_of_the_branch_can_be_accepted_after_a_night_of_this_one():
    key = KEY._replace(suite="other.yml")
    other, foreign = (
        ReportedRegression(key, known_of(night(2, branch=branch, run_id=branch)))
        for branch in ("main", "try")
    )
    nights = [night(number) for number in range(1, 5)]
    assert of_series([other, foreign], nights) == [other]
    tonight = open_list([replace(other, acceptance=ACCEPTED)], nights[:-1], evidence(nights), OPTIONS)
    assert (tonight.accepted, tonight.reported) == ((), (replace(other, acceptance=ACCEPTED),))


def evidence(nights: Sequence[Run]) -> Evidence:
    return Evidence(nights, compare_night(nights[:-1], nights[-1], OPTIONS), (), ())
