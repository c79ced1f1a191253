"""Nights from the command line to the verdict, with real commands and a real history."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from examples_utils.cli.report import read_nights
from examples_utils.comparison.options import CompareOptions
from examples_utils.history.store import open_history
from examples_utils.machine.fingerprint import machine_fingerprint
from examples_utils.run_model import MetricKey, VariantFacts, VariantKey
from tests.comparison_runs import COMPARISON_SCHEMA
from tests.examples_utils.nightly.nights import ENTRY, SUITE, NightPlace

pytestmark = pytest.mark.processes

A_THROUGHPUT = MetricKey(SUITE, "a", "a", "throughput")


def test_the_first_night_begins_the_baseline_and_passes(place: NightPlace):
    place.benchmarks(a=100, b=200)
    done = place.night()
    assert done.exitcode == 0
    assert "baseline begun: the history contains no earlier night to compare with" in done.out
    assert (place.verdict["verdict"], place.verdict["regressions"]) == ("baseline begun", [])
    (run,) = place.stored()
    assert len(run.metrics[A_THROUGHPUT].values) == 5
    assert len(run.canary["compute"]) == 10
    assert (place.log / "report.html").read_text().startswith("<!doctype html>")


def test_a_quiet_night_passes_and_repeats_nothing(place: NightPlace):
    place.benchmarks(a=100, b=200)
    place.went_before(16, {"a": 100, "b": 200})
    done = place.night()
    assert done.exitcode == 0, done.out
    assert "verdict: no regression" in done.out
    assert [place.executions(name) for name in "ab"] == [5, 5]
    assert len(place.verdict["baseline"]["run_ids"]) == 16
    assert len(place.stored()) == 17


def test_a_regression_is_repeated_and_then_named_with_its_size_and_since_when(place: NightPlace):
    place.benchmarks(a=93, b=200)
    place.went_before(16, {"a": 100, "b": 200}, commit="a" * 40)
    done = place.night()
    assert done.exitcode == 1
    assert [place.executions(name) for name in "ab"] == [8, 5]
    assert done.out.index("running up to 15 confirmation repetitions") < done.out.index(
        "REGRESSED a throughput"
    )
    (line,) = re.findall(r"^REGRESSED a throughput: .*$", done.out, re.MULTILINE)
    change, low, high = map(float, re.findall(r"(-\d+\.\d)%", line))
    assert low <= change <= high
    assert -8 < change < -6
    tonight = place.stored()[-1]
    assert f"since {tonight.started_utc[:16].replace('T', ' ')} UTC" in line
    (regression,) = place.verdict["regressions"]
    assert (regression["benchmark"], regression["since_run_id"]) == ("a", tonight.run_id)
    assert regression["last_good_commit"] == "a" * 40
    (repeated,) = place.verdict["repeated"]
    assert (repeated["benchmark"], repeated["repetitions_more"]) == ("a", 3)
    assert "looked slower, so reran before the verdict: a (3 times)" in done.out


def test_suspects_are_rerun_alternately_and_each_until_its_verdict_is_settled(place: NightPlace):
    place.benchmarks(a=93, b="192 192 192 192 192 200", c=300)
    place.went_before(16, {"a": 100, "b": 200, "c": 300})
    done = place.night()
    executed = re.findall(r"::([abc]) \(repetition (\d+) of 20\)", done.out)
    assert sorted(executed[:6]) == [(name, number) for name in "ab" for number in "678"]
    assert all({one[0] for one in executed[start : start + 2]} == {"a", "b"} for start in (0, 2, 4))
    assert {name for name, _ in executed[6:]} <= {"b"}
    more = {one["benchmark"]: one["repetitions_more"] for one in place.verdict["repeated"]}
    assert more == {"a": 3, "b": len(executed) - 3}
    assert [one["benchmark"] for one in place.verdict["regressions"]] == ["a"]


def test_an_improvement_stands_in_the_verdict(place: NightPlace):
    place.benchmarks(a=115, b=200)
    place.went_before(16, {"a": 100, "b": 200})
    done = place.night()
    assert done.exitcode == 0
    (line,) = re.findall(r"^IMPROVED a throughput: .*$", done.out, re.MULTILINE)
    change, low, high = map(float, re.findall(r"(\+\d+\.\d)%", line))
    assert 13 < low <= change <= high < 17
    assert "verdict: no regression; 1 metric improved" in done.out
    (better,) = place.verdict["improvements"]
    assert (better["benchmark"], better["verdict"]) == ("a", "improved")
    assert place.verdict["verdict"] == "no regression"


def test_the_repetitions_on_the_spot_belong_to_the_same_run(place: NightPlace):
    place.benchmarks(a=93, b=200)
    place.went_before(16, {"a": 100, "b": 200})
    place.night()
    tonight = place.stored()[-1]
    assert [len(figure.values) for figure in tonight.metrics.values()] == [8, 5]
    results = json.loads((place.log / "benchmark_results.json").read_text())
    assert [len(records[0]["repetitions"]) for records in results.values()] == [8, 5]
    assert (
        place.workplace.command("validate-results", str(place.log / "benchmark_results.json")).exitcode == 0
    )


def test_what_was_slower_by_chance_is_repeated_and_not_called(place: NightPlace):
    place.benchmarks(a="96 96 96 96 96 100", b=200)
    place.went_before(16, {"a": 100, "b": 200})
    done = place.night()
    more = place.executions("a") - 5
    assert 0 < more < 15
    assert f"looked slower, so reran before the verdict: a ({more} times)" in done.out
    assert done.exitcode == 0, done.out
    assert place.verdict["verdict"] == "no regression"


def test_a_slower_machine_is_said_once_and_alarms_nothing(place: NightPlace):
    levels = {name: 100.0 + number for number, name in enumerate("abcdef")}
    place.benchmarks(**{name: level / 1.07 for name, level in levels.items()})
    place.went_before(16, levels)
    place.slowness = 1.07
    done = place.night("--repeat", "3")
    assert done.exitcode == 0, done.out
    reported = re.findall(r"^machine slower by (\d+\.\d)%", done.out, re.MULTILINE)
    assert len(reported) == 1
    assert 6 < float(reported[0]) < 8
    assert 1.06 < place.verdict["comparison"]["machine"]["slowdown"] < 1.08


def test_on_a_slower_machine_what_is_slower_than_the_machine_is_still_called(place: NightPlace):
    levels = {name: 100.0 + number for number, name in enumerate("abcdef")}
    tonight = {name: level / 1.07 for name, level in levels.items()}
    place.benchmarks(**tonight | {"a": tonight["a"] * 0.8})
    place.went_before(16, levels)
    place.slowness = 1.07
    done = place.night("--repeat", "3")
    assert done.exitcode == 1
    assert [regression["benchmark"] for regression in place.verdict["regressions"]] == ["a"]


def test_a_benchmark_that_fails_fails_the_night(place: NightPlace):
    place.benchmarks(a=100, b="no-number")
    place.went_before(16, {"a": 100, "b": 200})
    done = place.night()
    assert done.exitcode == 1
    assert place.verdict["verdict"] == "failed"
    assert [failed["benchmark"] for failed in place.verdict["failed"]] == ["b"]


def test_nights_of_another_machine_do_not_count_and_that_is_said(place: NightPlace):
    place.benchmarks(a=93)
    place.went_before(16, {"a": 100}, machine={**machine_fingerprint(), "cpu": "another"})
    done = place.night()
    assert done.exitcode == 0
    assert "baseline begun" in done.out
    assert "omitted: 16 of another machine (cpu another there, " in done.out


def test_a_kernel_update_keeps_the_baseline_and_is_named_with_a_regression(place: NightPlace):
    place.benchmarks(a=93)
    place.went_before(16, {"a": 100}, machine={**machine_fingerprint(), "kernel": "an older one"})
    done = place.night()
    assert done.exitcode == 1
    (regressed,) = [line for line in done.out.splitlines() if line.startswith("REGRESSED")]
    assert "the software of the machine changed: kernel an older one before, " in regressed


def test_a_short_baseline_is_said(place: NightPlace):
    place.benchmarks(a=100)
    place.went_before(3, {"a": 100})
    assert "baseline: 3 nights" in (done := place.night()).out
    assert "fewer than the usual 16" in done.out


def test_the_window_says_how_many_nights_are_the_base(place: NightPlace):
    place.benchmarks(a=100)
    place.went_before(16, {"a": 100})
    place.night("--window", "6")
    assert len(place.verdict["baseline"]["run_ids"]) == 8


def test_a_change_below_the_threshold_is_not_called(place: NightPlace):
    place.benchmarks(a=93, b=200)
    place.went_before(16, {"a": 100, "b": 200})
    assert place.night("--threshold", "10%").exitcode == 0


def test_the_verdict_file_holds_the_comparison_as_compare_gives_it(place: NightPlace):
    from jsonschema import Draft202012Validator

    place.benchmarks(a=93, b=200)
    place.went_before(16, {"a": 100, "b": 200})
    done = place.night("--all")
    Draft202012Validator(COMPARISON_SCHEMA).validate(place.verdict["comparison"])
    assert place.verdict["exitcode"] == done.exitcode == 1
    assert re.search(r"^\| unchanged \| b ", done.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("requested", "written"),
    [("pages", "pages/report.html"), ("here.html", "here.html"), ("a/b", "a/b/report.html")],
)
def test_the_report_goes_where_it_is_wanted(place: NightPlace, requested: str, written: str):
    place.benchmarks(a=100)
    done = place.night("--report", requested)
    assert (place.folder / written).read_text().startswith("<!doctype html>")
    assert f"report: {place.folder / written}" in done.out


def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(place: NightPlace):
    place.benchmarks(a=100)
    place.workplace.script("taken", "")
    done = place.night("--report", "taken")
    assert done.exitcode == 2
    assert "--report taken: is neither a folder nor a .html file" in done.err
    assert not place.log.exists()


def test_a_second_night_in_the_same_log_folder_moves_the_first_aside(place: NightPlace):
    place.benchmarks(a=100)
    place.night()
    first = place.verdict["run_id"]
    place.nights -= 1
    place.night()
    moved = list(place.log.glob("earlier_runs/*/nightly_verdict.json"))
    assert [json.loads(file.read_text())["run_id"] for file in moved] == [first]
    assert list(place.log.glob("earlier_runs/*/report.html"))


def test_a_missing_package_is_refused_before_anything_runs(place: NightPlace, monkeypatch):
    monkeypatch.setattr("examples_utils.cli.nightly.find_spec", lambda name: None if name == "scipy" else 1)
    place.benchmarks(a=100)
    done = place.night()
    assert done.exitcode == 2
    assert "nightly needs scipy, not installed: pip install -e '.[history]'" in done.err
    assert not place.log.exists()


def test_a_night_of_which_nothing_could_run_is_no_error(place: NightPlace):
    place.workplace.spec("a: {cmd: echo 1, requires: [no_such_program]}\n")
    place.went_before(3, {"b": 100})
    assert place.night().exitcode == 0


def test_changed_files_keep_a_night_out_of_the_baseline_of_clean_ones(place: NightPlace):
    place.benchmarks(a=100)
    clean = place.went_before(6, {"a": 100}, dirty=False)
    dirty = replace(clean[-1], run_id="f" * 16, dirty=True)
    with open_history("history.db") as history:
        history.add(dirty)
    place.night()
    assert place.verdict["baseline"]["left_out"] == ["1 with changed files"]
    assert len(place.verdict["baseline"]["run_ids"]) == 6


def test_other_effective_settings_are_named_and_do_not_pass_for_one_night(place: NightPlace):
    place.benchmarks(a=50)
    with_settings = {VariantKey(SUITE, "a", "a"): VariantFacts("passed", settings={"threads": "2"})}
    place.went_before(6, {"a": 100}, variants=with_settings)
    done = place.night()
    assert done.exitcode == 1
    assert re.search(
        r"^NOT COMPARABLE a: settings: threads 2 in the base, unknown now \(throughput -5\d\.\d%\)$",
        done.out,
        re.MULTILINE,
    )
    assert place.verdict["verdict"] == "not comparable"
    assert [one["metric"] for one in place.verdict["not_comparable"]] == ["throughput"]
    assert place.executions("a") == 5
    assert place.night().exitcode == 0


def test_a_step_that_is_not_called_any_more_still_stands_in_the_verdict_and_the_report(place: NightPlace):
    place.benchmarks(a=93)
    place.went_before(16, {"a": 100}, until_days_ago=5)
    slow = place.went_before(4, {"a": 93})
    done = place.night()
    assert done.exitcode == 0
    assert re.search(r"^STILL WORSE a throughput: -7\.\d%, .* since ", done.out, re.MULTILINE)
    (step,) = place.verdict["standing"]
    assert step["since_run_id"] == slow[0].run_id
    assert (place.log / "report.html").exists()


def test_a_look_at_one_benchmark_between_two_nights_does_not_date_what_it_has_seen_first(place: NightPlace):
    levels = {"a": 100, "b": 200, "c": 300}
    place.benchmarks(**levels | {"a": 93})
    place.went_before(16, levels, until_days_ago=2, commit="a" * 40)
    (look,) = place.went_before(1, {"a": 93}, commit="b" * 40)
    assert place.night().exitcode == 1
    (regression,) = place.verdict["regressions"]
    assert regression["last_good_commit"] == "a" * 40
    assert look.run_id not in place.verdict["baseline"]["run_ids"]
    page = (place.log / "report.html").read_text()
    assert "(this run is the first)" in page
    reported = place.workplace.command("report", "--format", "markdown")
    assert "(this run is the first)" in reported.out
    assert "1 metric regressed" in reported.out


def test_the_report_compares_with_the_nights_that_the_night_compared_with(place: NightPlace):
    """Between the nights somebody tried out what slows down one benchmark."""
    levels = {"a": 100, "b": 200, "c": 300}
    place.benchmarks(**levels | {"a": 93})
    for days_ago in range(36, 1, -2):
        place.went_before(1, levels, until_days_ago=days_ago)
        place.went_before(1, {"a": 93}, until_days_ago=days_ago - 1)
    assert place.night().exitcode == 1
    assert [regression["variant"] for regression in place.verdict["regressions"]] == ["a"]
    with open_history(str(place.folder / "history.db")) as history:
        for nights in (1, 365):
            read = read_nights(history, "latest", None, None, nights, CompareOptions())
            assert [run.run_id for run in read.base] == place.verdict["baseline"]["run_ids"]
    reported = place.workplace.command("report", "--format", "markdown")
    assert reported.out.startswith("### 1 metric regressed\n")


def test_a_benchmark_that_does_nothing_any_more_regresses_although_there_is_no_ratio(place: NightPlace):
    place.benchmarks(a=0, b=200)
    place.went_before(16, {"a": 100, "b": 200}, commit="a" * 40)
    done = place.night()
    assert done.exitcode == 1, done.out
    (repeated,) = place.verdict["repeated"]
    assert place.executions("a") == 5 + repeated["repetitions_more"] > 5
    assert re.search(
        r"^REGRESSED a throughput: \d+\.\d+ to 0\.0000 samples/sec since ", done.out, re.MULTILINE
    )
    (regression,) = place.verdict["regressions"]
    assert (regression["ratio"], regression["low"]) == (None, None)
    assert "throughput</strong>: <data" in (place.log / "report.html").read_text()


def test_a_renamed_benchmark_is_named_by_its_old_and_its_new_name(place: NightPlace):
    place.benchmarks(a=100, b=200)
    place.went_before(6, {"gone": 50})
    place.night()
    spec = (place.folder / "benchmarks.yml").read_text()
    place.workplace.spec(spec.replace("\na:\n", "\nrenamed:\n") + ENTRY.format(name="c"))
    place.workplace.script("levels_c", "300")
    done = place.night()
    assert done.exitcode == 0, done.out
    assert "\nRENAMED a to renamed, which has its command: its history begins anew\n" in done.out
    assert "\nMISSING gone: in earlier nights, not in this one\n" in done.out
    assert "\nNEW c: in none of the earlier nights\n" in done.out
    figures = {figure["variant"]: figure["verdict"] for figure in place.verdict["comparison"]["figures"]}
    assert (figures["a"], figures["gone"], figures["renamed"]) == ("missing", "missing", "new")


def test_what_only_a_whole_run_now_and_then_holds_is_not_missing(place: NightPlace):
    place.benchmarks(a=100)
    place.went_before(7, {"a": 100}, until_days_ago=10)
    place.went_before(1, {"a": 100, "slow": 1}, until_days_ago=9)
    place.went_before(8, {"a": 100})
    done = place.night()
    assert "slow" not in done.out
    assert [figure["variant"] for figure in place.verdict["comparison"]["figures"]] == ["a"]
