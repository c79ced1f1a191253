"""The documentation of nights is correct: its week is run, its schedules are parsed."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml

from examples_utils.cli.arguments.parser import make_parser
from examples_utils.history.store import open_history
from tests.examples_utils.conftest import Done
from tests.examples_utils.nightly.nights import NightPlace
from tests.pages import blocks

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/nightly.md").read_text()
WEEK = PAGE[PAGE.index("## A week of nights") : PAGE.index("## The verdict as JSON")]
SCHEDULES = PAGE[PAGE.index("## Scheduling") : PAGE.index("## The canary")]
OURS = ["python3", "-m", "examples_utils"]


@pytest.fixture
def author(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who may commit, whoever runs the tests."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


@pytest.mark.processes
def test_the_week_of_the_page_ends_as_the_page_says(place: NightPlace, author: None):
    place.workplace.script("resize.py", blocks(WEEK, "python")[0])
    place.workplace.spec(blocks(WEEK, "yaml")[0], "week.yml")
    nights, looks, later, intended = blocks(WEEK, "console")
    outputs = [run(place, command) for command in (nights + looks).splitlines()]

    begun, *quiet = (done for done in outputs[1:6] if done)
    assert begun.exitcode == 0
    assert "verdict: baseline begun" in begun.out
    assert [(done.exitcode, "verdict: no regression" in done.out) for done in quiet] == [(0, True)] * 4
    last_good, first_bad = (revision(place, name) for name in ("HEAD~1", "HEAD"))
    verdict = json.loads((place.folder / "logs/saturday/nightly_verdict.json").read_text())
    for done in outputs[7:9]:
        assert done is not None
        assert done.exitcode == 1
        reported = re.findall(
            r"^REGRESSED (\S+) throughput: (\S+)%.* since (\S+ \S+) UTC, commits (\S+)$",
            done.out,
            re.MULTILINE,
        )
        assert [name for name, *_ in reported] == ["resize_size_224", "resize_size_384"]
        for _, change, night, commits in reported:
            assert -7.5 < float(change) < -4
            assert night == verdict["started_utc"][:16].replace("T", " ")
            assert commits == f"{last_good[:10]}..{first_bad[:10]}"
    assert [done.exitcode for done in outputs[9:] if done] == [0, 0, 0]
    assert (place.folder / "pages/report.html").stat().st_size > 10_000

    add_more_weeks(place)
    found = run(place, later.strip())
    assert found is not None
    assert found.exitcode == 0
    steps = [line for line in found.out.splitlines() if last_good[:10] in line and first_bad[:10] in line]
    assert len(steps) == 2, found.out

    listed, *accepted, undone = (run(place, command) for command in intended.splitlines())
    assert listed is not None
    assert len(re.findall(r"^\| open +\|.* \| throughput +\| -\d", listed.out, re.MULTILINE)) == 2, listed.out
    for done in accepted:
        assert done is not None
        (line,) = re.findall(r"^ACCEPTED .*$", done.out, re.MULTILINE)
        assert f", commits {last_good[:10]}..{first_bad[:10]}: by " in line
        assert line.endswith(" UTC: sharper images")
    assert undone is not None
    assert undone.out.startswith("not accepted any more: STILL WORSE resize_size_384 throughput: -")


def run(place: NightPlace, line: str) -> Done | None:
    """A command of ours in this process, any other by the shell (None)."""
    command = line.removeprefix("$ ")
    words = shlex.split(command)
    if words[:3] != OURS:
        subprocess.run(["bash", "-ec", command], cwd=place.folder, check=True)
        return None
    lock = ["--lock", str(place.folder / "lock")] if words[3] == "nightly" and "--accept" not in words else []
    return place.workplace.command(*words[3:], *lock)


def revision(place: NightPlace, name: str) -> str:
    return subprocess.check_output(["git", "rev-parse", name], cwd=place.folder, text=True).strip()


def add_more_weeks(place: NightPlace) -> None:
    """Two weeks before the first night that were like it, and seven nights like the last one right after it."""
    first, *_, last = place.stored()
    more = [(first, timedelta(days=-days)) for days in range(1, 15)]
    more += [(last, timedelta(milliseconds=number)) for number in range(1, 8)]
    with open_history("history.db") as history:
        for number, (like, distance) in enumerate(more):
            started = datetime.fromisoformat(like.started_utc) + distance
            history.add(replace(like, run_id=f"{number:016x}", started_utc=started.isoformat()))


def test_every_option_is_described_and_every_described_option_exists():
    nightly = make_parser()._subparsers._group_actions[0].choices["nightly"]  # type: ignore[union-attr,index]
    options = {word for action in nightly._actions for word in action.option_strings if word.startswith("--")}
    table = PAGE[PAGE.index("| option |") : PAGE.index("Exit codes:")]
    assert set(re.findall(r"`(--[a-z-]+)", table)) == options - {"--help"}


@pytest.mark.processes
def test_every_key_of_the_verdict_is_described(place: NightPlace):
    place.benchmarks(a=93, b="none")
    place.went_before(16, {"a": 100, "b": 200})
    place.night()
    for key in [*place.verdict, *place.verdict["regressions"][0], *place.verdict["repeated"][0],
                *place.verdict["baseline"], *place.verdict["failed"][0], *place.verdict["power"]]:  # fmt: skip
        assert f"`{key}`" in PAGE, key


def test_the_commands_of_the_schedules_are_nights_that_can_be_asked_for(workplace):
    commands = re.findall(
        r"\.venv/bin/python -m examples_utils (.*?)(?= > nightly\.out|$)", unfolded(SCHEDULES), re.MULTILINE
    )
    parsed = [make_parser().parse_args(shlex.split(command.partition(" >> ")[0])) for command in commands]
    assert [arguments.command for arguments in parsed] == [
        "nightly",
        "nightly",
        "nightly",
        "report",
        "nightly",
    ]
    for arguments in parsed:
        if arguments.command == "nightly":
            assert (arguments.spec, arguments.tag, arguments.quiet) == (["benchmarks.yml"], ["quick"], True)
    assert "quick" in (ROOT / "benchmarks.yml").read_text()


def test_the_units_of_the_page_are_a_service_and_its_timer():
    service, timer = (read_unit(text) for text in blocks(SCHEDULES, "ini"))
    assert service["Service"]["Type"] == "oneshot"
    assert service["Service"]["ExecStart"].startswith(
        "/srv/benchmarks/.venv/bin/python -m examples_utils nightly "
    )
    assert timer["Timer"]["OnCalendar"] == "*-*-* 02:00:00"
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_the_workflow_of_the_page_runs_on_one_machine_and_keeps_the_report():
    workflow = yaml.safe_load(blocks(SCHEDULES, "yaml")[0])
    job = workflow["jobs"]["nightly"]
    assert "self-hosted" in job["runs-on"]
    assert workflow[True]["schedule"] == [{"cron": "0 2 * * *"}]  # YAML takes the key `on` for a boolean
    steps = {step.get("name") or step["uses"].partition("@")[0]: step for step in job["steps"]}
    assert "examples_utils nightly" in steps["night"]["run"]
    assert list(steps).index("tests") > list(steps).index("night")  # which nothing may disturb
    assert steps["tests"]["run"] == "make test-full"
    assert steps["actions/upload-artifact"]["if"] == "always()"


def test_the_job_of_the_page_is_a_shell_script_for_one_whole_node():
    (script,) = blocks(SCHEDULES, "bash")
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    options = set(re.findall(r"^#SBATCH (\S+)", script, re.MULTILINE))
    assert {"--exclusive", "--nodelist=node7", "--signal=B:TERM@120"} <= options
    assert script.rstrip().splitlines()[-1].startswith("exec .venv/bin/python -m examples_utils nightly ")


def test_the_crontab_of_the_page_has_one_line_of_five_times_and_a_command():
    line = next(line for line in SCHEDULES.splitlines() if line.startswith("0 2 * * *"))
    subprocess.run(["bash", "-n", "-c", line.split(maxsplit=5)[5]], check=True)
    assert "%" not in line, "cron would take it for the end of the line"


def unfolded(text: str) -> str:
    """YAML's folded commands as one line."""
    return re.sub(r"\n {10}(?=--|>>)", " ", text)


def read_unit(text: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(delimiters="=", interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    return unit
