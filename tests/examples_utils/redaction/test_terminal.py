"""Names, labels, metrics and logs cannot command the terminal on which they are shown."""

import csv
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from examples_utils.control_characters import escaped, escaped_output
from examples_utils.results.csv_cells import cell
from tests.examples_utils.conftest import Workplace

EVIL = r"evil\e[2J\e]0;owned\a"
SPEC = f"""
"{EVIL}":
  description: x
  cmd: python3 -c "print('rate 8 items \\\\x1b[31mred\\\\x1b[0m \\\\x1b]52;c;aGk=\\\\x07')"
  tags: ["{EVIL}"]
  data: {{"{EVIL}": {{regexp: 'rate (.*?) items'}}}}
  output: [["=1+1{EVIL}", "{EVIL}"]]
"""


def on_terminal(*arguments: str, folder: Path) -> bytes:
    """What the runner shows on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "examples_utils", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "400"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 65_536):
            shown += block
    except OSError:  # the end of a terminal on Linux
        pass
    os.close(ours)
    assert process.wait() in (0, 1, 2)
    return shown


@pytest.mark.parametrize(
    "command", ["list", "list --format yaml", "validate", "benchmark --log-dir log", "benchmark --dry-run",
                "benchmark --benchmark nothing", "list --tag nothing"]
)  # fmt: skip
@pytest.mark.processes
def test_no_command_sends_control_characters_of_others_to_a_terminal(
    command: str, workplace: Workplace
) -> None:
    workplace.spec(SPEC)
    shown = on_terminal(*command.split(), folder=workplace.folder)
    assert b"evil" in shown or command == "validate"
    assert b"\x1b[2J" not in shown
    assert b"\x1b]" not in shown
    assert b"\a" not in shown


@pytest.mark.processes
def test_a_comparison_keeps_its_colours_and_escapes_names(workplace: Workplace) -> None:
    workplace.spec(SPEC)
    for name in ("base", "new"):
        workplace.command("benchmark", "--log-dir", name, "--quiet")
    shown = on_terminal("compare", "base", "new", "--all", folder=workplace.folder)
    assert b"evil\\x1b[2J" in shown
    assert b"\x1b[2J" not in shown
    assert b"\x1b]" not in shown


def test_the_logs_of_a_run_hold_no_control_characters_of_names(workplace: Workplace) -> None:
    workplace.spec(SPEC)
    done = workplace.benchmark("--quiet")
    for text in (done.out, (done.log / "console.log").read_text(), (done.log / "output.log").read_text()):
        assert "evil\\x1b[2J" in text
        assert "\x1b" not in text


def test_live_output_keeps_colours_and_progress_and_nothing_else() -> None:
    assert escaped_output(b"\x1b[31m 50%\r\x1b[K 99%\x08\n") == b"\x1b[31m 50%\r\x1b[K 99%\x08\n"
    assert escaped_output(b"\x1b]0;t\x07\x1b[2J\xc2\x9b") == b"\\x1b]0;t\\x07\\x1b[2J\\xc2\\x9b"


def test_text_is_escaped_and_other_languages_stay() -> None:
    assert escaped("caf\xe9 日本\tx\n") == "caf\xe9 日本\tx\n"
    assert escaped("a\rb\x9b\x7f‮") == "a\\rb\\x9b\\x7f\\u202e"


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", " =1", "\t=1", "\r=1"])
def test_a_cell_that_a_spreadsheet_would_run_starts_with_an_apostrophe(text: str) -> None:
    assert cell(text, raw=False) == f"'{text}"
    assert cell(text, raw=True) == text


@pytest.mark.parametrize("value", ["-1.5", "+3", "-1e-9", "-inf", "a=b", "", "a-b", -2, 0.5, None])
def test_numbers_and_other_cells_stay(value: object) -> None:
    assert cell(value, raw=False) == value


@pytest.mark.parametrize(("options", "start"), [((), "'="), (("--csv-raw",), "=")])
def test_the_csv_files_of_a_run_and_of_a_comparison_are_defused_unless_raw(
    options: tuple[str, ...], start: str, workplace: Workplace
) -> None:
    workplace.spec("'=x':\n  cmd: echo 'rate 8 items'\n  data: {'=m': {regexp: 'rate (.*?) items'}}\n")
    for name in ("base", "new"):
        workplace.command("benchmark", "--log-dir", name, "--quiet", *options)
    header, row = csv.reader(io.StringIO((workplace.folder / "base" / "benchmark_results.csv").read_text()))
    assert f"{start}m" in header
    assert row[0] == f"{start}x"
    compared = workplace.command("compare", "base", "new", "--format", "csv", *options).out
    assert f"{start}m" in list(csv.reader(io.StringIO(compared)))[1]


def test_csv_raw_is_refused_where_there_is_no_csv(workplace: Workplace) -> None:
    done = workplace.command("compare", "base", "base", "--csv-raw")
    assert done.exitcode == 2
    assert "--csv-raw" in done.err


def test_what_follows_a_line_break_in_a_name_looks_like_no_line_of_the_runner(workplace: Workplace) -> None:
    workplace.spec(
        '"a\\nPASSED x::y":\n  cmd: echo t=1\n  parameters: {p: ["1\\nPASSED x::z"]}\n'
        '  data: {"t\\nPASSED x::t": {regexp: "t=(.)"}, "u\\nPASSED x::u": {regexp: "u=(.)"}}\n'
    )
    for arguments in (
        ["benchmark", "--log-dir", "log"],
        ["list"],
        ["collect", "log"],
        ["benchmark", "--dry-run"],
    ):
        lines = workplace.command(*arguments).out.splitlines()
        assert not [line for line in lines if line.startswith("PASSED x")], arguments
