"""`nightly --accept` and `history accept`: who may be accepted, who accepted what, and what later nights make of it."""

from __future__ import annotations

import getpass
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from examples_utils.history.store import open_history
from examples_utils.machine.fingerprint import machine_fingerprint
from examples_utils.run_model import Run
from tests.examples_utils.conftest import Done, Workplace
from tests.examples_utils.history.conftest import postgresql, postgresql_programs, schema_of_its_own, url  # noqa: F401
from tests.examples_utils.nightly.nights import NightPlace, earlier_night

pytestmark = pytest.mark.processes

LEVELS = {"quick": 100.0, "slow": 200.0, "slow:er": 300.0}
WORSE = {**LEVELS, "slow": 180.0, "slow:er": 270.0}


@pytest.fixture
def nights(workplace: Workplace, url: str, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: F811
    """A history of eight quiet nights, and a last one in which two of three benchmarks are 10% slower."""
    monkeypatch.setenv("EXAMPLES_UTILS_HISTORY", url)
    monkeypatch.setenv(
        "GIT_CONFIG_GLOBAL", str(workplace.script("gitconfig", "[user]\nname = Ada  Lovelace\n"))
    )
    keep(url, *(night(days) for days in range(10, 1, -1)), night(1, WORSE))
    return url


def night(days_ago: int, levels: dict[str, float] = LEVELS, **changed: object) -> Run:
    run = earlier_night(days_ago, levels)
    return replace(run, commit=f"{days_ago:040x}", branch="main", **changed)  # type: ignore[arg-type]


def keep(url: str, *runs: Run) -> None:  # noqa: F811
    with open_history(url, create=True) as history:
        for run in runs:
            history.add(run)


def listed(workplace: Workplace, *more: str) -> dict[str, dict]:
    found = json.loads(workplace.command("history", "regressions", "--format", "json", *more).out)
    return {one["benchmark"]: one for one in found}


@pytest.mark.slow
@pytest.mark.parametrize("command", [("nightly", "--accept"), ("history", "accept")])
def test_what_is_accepted_is_kept_with_who_and_when_and_why(workplace: Workplace, nights: str, command):
    done = workplace.command(*command, "slow:throughput", "--reason", "sharper\n images")
    assert (done.exitcode, done.err) == (0, "")
    assert re.fullmatch(
        r"ACCEPTED slow throughput: -1\d\.\d%, -\d+\.\d% to -\d\.\d%, since \S+ \S+ UTC, commits 0+2?\.\.0+1?: "
        rf"by Ada Lovelace \({re.escape(getpass.getuser())}@\S+\) on \d{{4}}-\d\d-\d\d \d\d:\d\d UTC: sharper images\n",
        done.out,
    ), done.out
    (one,) = listed(workplace).values()
    assert (one["benchmark"], one["state"], one["acceptance"]["reason"]) == (
        "slow",
        "accepted",
        "sharper images",
    )
    assert one["first_after"]["run_id"] == night(1).run_id


@pytest.mark.slow
def test_a_benchmark_alone_and_patterns_select_all_that_match(workplace: Workplace, nights: str):
    assert (
        len(workplace.command("history", "accept", "slow*:through*", "--reason", "r").out.splitlines()) == 2
    )
    assert sorted(listed(workplace)) == ["slow", "slow:er"]


@pytest.mark.slow
def test_brackets_of_a_name_mean_themselves(workplace: Workplace, nights: str):
    levels = {**LEVELS, "fast[2]": 400.0}
    keep(nights, *(night(days, levels, run_id=f"b{days:015x}") for days in range(10, 1, -1)))
    keep(nights, night(0, {**levels, "fast[2]": 300.0}))
    done = workplace.command("history", "accept", "fast[2]:throughput", "--reason", "r")
    assert done.exitcode == 0, done.err
    assert listed(workplace)["fast[2]"]["state"] == "accepted"


@pytest.mark.slow
def test_a_name_may_contain_colons(workplace: Workplace, nights: str):
    assert workplace.command("history", "accept", "slow:er", "--reason", "r").exitcode == 0
    assert sorted(listed(workplace)) == ["slow:er"]
    assert workplace.command("history", "accept", "slow:er:throughput", "--reason", "r").out.startswith(
        "already"
    )


@pytest.mark.slow
def test_accepting_again_changes_nothing_and_names_the_first_acceptance(workplace: Workplace, nights: str):
    first = workplace.command("history", "accept", "slow", "--reason", "first")
    again = workplace.command("history", "accept", "slow", "--reason", "second")
    assert (again.exitcode, again.out) == (0, f"already accepted: {first.out}")
    assert listed(workplace)["slow"]["acceptance"]["reason"] == "first"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("quick", "--reason", "r"),
            "has called a regression of it, so there is nothing to accept",
        ),
        (("slwo", "--reason", "r"), "slwo: no such benchmark or variant in run 000000000000 of 2"),
        (("slwo", "--reason", "r"), " on main (--run names another run); did you mean slow or slow:er?"),
        (("quick:latency", "--reason", "r"), "quick:latency: quick has no metric latency; known: throughput"),
        (("slow", "--reason", " "), "--reason: is empty"),
        (("slow",), "needs the reason, which the report shows: --reason TEXT"),
    ],
)
@pytest.mark.parametrize("command", [("nightly", "--accept"), ("history", "accept")])
def test_what_cannot_be_accepted_is_refused(workplace: Workplace, nights: str, command, arguments, message):
    done = workplace.command(*command, *arguments)
    assert (done.exitcode, done.out) == (2, "")
    assert message in done.err
    assert listed(workplace, "--all") == {}


@pytest.mark.slow
def test_one_refused_name_accepts_nothing(workplace: Workplace, nights: str):
    assert workplace.command("history", "accept", "slow", "quick", "--reason", "r").exitcode == 2
    assert listed(workplace) == {}


@pytest.mark.slow
def test_undo_opens_it_again(workplace: Workplace, nights: str):
    workplace.command("history", "accept", "slow", "--reason", "r")
    done = workplace.command("history", "accept", "slow", "--undo")
    assert done.out.startswith("not accepted any more: STILL WORSE slow throughput: -1")
    assert listed(workplace)["slow"]["state"] == "open"
    refused = workplace.command("history", "accept", "slow", "--undo")
    assert refused.exitcode == 2
    assert "slow: nothing of it is accepted in the nights up to run 000000000000 of 2" in refused.err
    assert workplace.command("history", "accept", "slow", "--undo", "--reason", "r").exitcode == 2


@pytest.mark.slow
def test_another_branch_keeps_its_own(workplace: Workplace, nights: str):
    tries = [replace(night(days), branch="try", run_id=f"try{days:013x}") for days in range(9, 0, -1)]
    keep(nights, *tries)
    assert workplace.command("history", "accept", "slow", "--reason", "r").exitcode == 2
    main = ("--run", "branch:main")
    assert workplace.command("history", "accept", "slow", "--reason", "r", *main).exitcode == 0
    assert (list(listed(workplace)), list(listed(workplace, *main))) == ([], ["slow"])


def test_this_machine_goes_before_later_runs_of_others(workplace: Workplace, nights: str):
    elsewhere = {**machine_fingerprint(), "cpu": "another"}
    keep(nights, *(night(days, run_id=f"other{days:011x}", machine=elsewhere) for days in range(9, -1, -1)))
    assert workplace.command("nightly", "--accept", "slow", "--reason", "r").exitcode == 0
    other = ("--run", "latest")
    assert (list(listed(workplace)), list(listed(workplace, *other))) == (["slow"], [])
    assert workplace.command("history", "accept", "slow", "--reason", "r", *other).exitcode == 2


def test_options_of_a_night_are_refused_with_accept(workplace: Workplace, nights: str):
    done = workplace.command("nightly", "--accept", "slow", "--reason", "r", "--tag", "quick")
    assert done.exitcode == 2
    assert "--tag: has no effect with --accept, which runs nothing; leave it out" in done.err
    assert "--reason: is that of --accept" in workplace.command("nightly", "--reason", "r").err


@pytest.mark.slow
@pytest.mark.parametrize("form", ["html", "markdown"])
def test_the_report_shows_who_accepted_what_when_and_what_is_open(
    workplace: Workplace, nights: str, form: str
):
    workplace.command("history", "accept", "slow", "slow:er", "--reason", "<b>intended</b>")
    workplace.command("history", "accept", "slow:er", "--undo")
    keep(nights, night(0, WORSE))
    done = workplace.command("report", "--format", form, "--output", "out")
    assert done.exitcode == 0, done.err
    text = re.sub(r"<br>|</?\w+[^>]*>|\\", " ", Path("out").read_text())
    assert "&lt;b&gt;intended&lt;/b&gt;" in text
    assert re.search(r"Ada Lovelace \(.*\) on \d{4}-\d\d-\d\d \d\d:\d\d UTC: ", text)
    assert re.search(r"10 nights of history: changes below about \d", text)


def test_after_acceptance_nights_compare_with_the_new_level(place: NightPlace):
    place.benchmarks(a=93, b=200)
    place.went_before(16, {"a": 100, "b": 200})
    assert place.night().exitcode == 1
    accepted = place.workplace.command("nightly", "--accept", "a:throughput", "--reason", "on purpose")
    assert accepted.exitcode == 0, accepted.err
    done = place.night()
    assert done.exitcode == 0, done.out
    assert re.search(r"^ACCEPTED a throughput: -[67]\.\d%.*: on purpose$", done.out, re.MULTILINE)
    (one,) = place.verdict["accepted"]
    assert (one["benchmark"], one["reason"], place.verdict["standing"]) == ("a", "on purpose", [])
    assert "on purpose" in (place.log / "report.html").read_text()
    place.benchmarks(a=84, b=200)
    worse: Done = place.night()
    assert worse.exitcode == 1, worse.out
    assert re.search(r"^REGRESSED a throughput: -\d", worse.out, re.MULTILINE)


def test_a_night_prints_and_records_its_power(place: NightPlace):
    place.benchmarks(a=100, b=200)
    place.went_before(3, {"a": 100, "b": 200})
    done = place.night()
    found = re.search(
        r"^3 nights of history: changes below about (\S+)% cannot be called yet; about (\S+)% from night 7 on$",
        done.out,
        re.MULTILINE,
    )
    assert found, done.out
    power = place.verdict["power"]
    assert (power["nights"], power["later"]) == (3, 6)
    assert power["smallest"] > power["smallest_later"] > 0.02
    assert float(found[1]) == pytest.approx(100 * power["smallest"], abs=0.5)
