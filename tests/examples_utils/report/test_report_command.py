"""`report` on a real history."""

from __future__ import annotations

import base64
import json
import re
import shlex
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from examples_utils.history.store import open_history
from examples_utils.run_model import Run
from tests.examples_utils.conftest import Workplace
from tests.examples_utils.report.simulated_nights import simulated_runs, variant
from tests.pages import blocks

PAGE = (Path(__file__).parents[3] / "docs/report.md").read_text()
SLOWER = {variant("resnet50_infer", 8): (29, 1.15)}
NIGHTS = simulated_runs(30, slower=SLOWER, noise=0.003)


def keep(runs: Sequence[Run], folder: Path = Path()) -> None:
    with open_history(str(folder / "history.db"), create=True) as history:
        for run in runs:
            history.add(run)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of `NIGHTS`, to be copied."""
    folder = tmp_path_factory.mktemp("history")
    keep(NIGHTS, folder)
    return folder / "history.db"


def moments_on(page: str) -> list[str]:
    """The nights that the page holds."""
    data = re.search(r'id="-data">(.*?)<', page)[1]
    return json.loads(zlib.decompress(base64.b64decode(data)))["nights"]["moments"]


@pytest.mark.slow
def test_a_page_of_the_latest_run_says_what_regressed(workplace: Workplace, kept: Path) -> None:
    shutil.copy(kept, "history.db")
    done = workplace.command("report")
    assert (done.exitcode, done.out, done.err) == (0, "written to report.html\n", "")
    page = Path("report.html").read_text()
    assert "<h1>3 metrics regressed</h1>" in page
    assert len(moments_on(page)) == 30


@pytest.mark.slow
def test_a_comment_goes_to_the_terminal(workplace: Workplace, kept: Path) -> None:
    shutil.copy(kept, "history.db")
    done = workplace.command("report", "--format", "markdown")
    assert done.exitcode == 0
    assert done.out.startswith("### 3 metrics regressed\n")
    assert not Path("report.html").exists()


def test_an_earlier_run_is_reported_as_if_nothing_had_come_after_it(workplace: Workplace, kept: Path) -> None:
    shutil.copy(kept, "history.db")
    assert (
        workplace.command("report", "--run", "latest~1", "--nights", "20", "--output", "page.html").exitcode
        == 0
    )
    page = Path("page.html").read_text()
    assert "<h1>Nothing regressed</h1>" in page
    assert moments_on(page) == [f"{run.started_utc[:10]} 02:30" for run in NIGHTS[9:29]]


@pytest.mark.slow
def test_nights_of_other_machines_branches_and_suites_do_not_count(workplace: Workplace) -> None:
    other_machine = replace(NIGHTS[3], machine={"cpu": "another"})
    other_branch = replace(NIGHTS[5], branch="try")
    other_suite = replace(NIGHTS[7], variants={}, metrics={})
    others = {3: other_machine, 5: other_branch, 7: other_suite}
    keep([others.get(number, run) for number, run in enumerate(NIGHTS)])
    workplace.command("report")
    assert len(moments_on(Path("report.html").read_text())) == 27
    workplace.command("report", "--branch", "try")
    assert len(moments_on(Path("report.html").read_text())) == 2


@pytest.mark.slow
@pytest.mark.parametrize("nights", [1, 6])
def test_how_many_nights_are_shown_does_not_change_the_verdicts(
    workplace: Workplace, kept: Path, nights: int
) -> None:
    shutil.copy(kept, "history.db")
    assert workplace.command("report", "--nights", str(nights)).exitcode == 0
    page = Path("report.html").read_text()
    assert "<h1>3 metrics regressed</h1>" in page
    assert len(moments_on(page)) == nights


def test_a_base_of_fewer_runs_than_requested_is_reported(workplace: Workplace, kept: Path) -> None:
    shutil.copy(kept, "history.db")
    done = workplace.command("report", "--base", "branch:main:31", "--format", "markdown")
    assert done.exitcode == 0
    assert done.err == "warning: branch:main:31: history.db has 30 runs of this branch; using all\n"
    assert workplace.command("report", "--base", "branch:main:30", "--format", "markdown").err == ""


def test_a_named_base_is_what_the_run_is_compared_with(workplace: Workplace, kept: Path) -> None:
    shutil.copy(kept, "history.db")
    assert workplace.command("report", "--base", "run0027").exitcode == 0
    page = Path("report.html").read_text()
    assert re.search(r"<p class=\"quiet\">.*run0029.* compared with .*run0027", page)


@pytest.mark.slow
def test_a_first_run_is_new(workplace: Workplace) -> None:
    keep(NIGHTS[:1])
    assert workplace.command("report").exitcode == 0
    assert "<b>6</b> new" in Path("report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["--history", "none.db"], "none.db"),
        (["--run", "nothing"], "nothing"),
        (["--base", "run0029"], "--base run0029: is the reported run itself; name an earlier one"),
        (["--base", "nothing"], "nothing"),
        (["--output", "nowhere/page.html"], "--output nowhere/page.html: there is no folder nowhere"),
        (["--output", "."], "--output .: is a folder"),
        (["--nights", "0"], "--nights"),
        (["--threshold", "2"], "write 2% if that is meant"),
        (["--format", "pdf"], "invalid choice: 'pdf'"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(
    workplace: Workplace, kept: Path, arguments: list[str], reported: str
) -> None:
    shutil.copy(kept, "history.db")
    done = workplace.command("report", *arguments)
    assert done.exitcode == 2
    assert done.err.startswith("error: ")
    assert reported in done.err
    assert not list(Path().glob("*.html"))


@pytest.mark.slow
def test_the_commands_of_the_page_work(workplace: Workplace, kept: Path) -> None:
    shutil.copy(kept, "history.db")
    commands = [line.removeprefix("$ ") for block in blocks(PAGE, "console") for line in block.splitlines()]
    assert len(commands) == 3
    for command in commands:
        assert workplace.command(*shlex.split(command)[3:]).exitcode == 0, command


def test_every_option_is_described_and_every_described_option_exists() -> None:
    from examples_utils.cli.arguments.parser import make_parser

    parser = make_parser()._subparsers._group_actions[0].choices["report"]
    options = {word for action in parser._actions for word in action.option_strings if word.startswith("--")}
    assert set(re.findall(r"^\| `(--[\w-]+)", PAGE, re.MULTILINE)) == options - {"--help"}


@pytest.mark.slow
def test_a_step_of_three_nights_ago_is_dated_so_however_few_nights_are_shown(workplace: Workplace) -> None:
    keep(simulated_runs(30, slower={variant("resnet50_infer", 8): (27, 1.15)}, noise=0.003))
    reported = set()
    for nights in ("1", "2", "30"):
        workplace.command("report", "--nights", nights)
        reported |= set(re.findall(r"<p>Since .*?</p>", Path("report.html").read_text()))
    assert len(reported) == 1, reported
    assert reported.pop().startswith("<p>Since 2026-01-28 (3 nights), commits ")
