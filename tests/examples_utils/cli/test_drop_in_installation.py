"""The commands of docs/drop_in.md, with the checkout and the application's environment in place of their paths."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.examples_utils.environments import ORIGINAL, install, make_environment
from tests.examples_utils.execution.test_application_specs import with_all_packages
from tests.pages import ROOT, blocks

SPEC = "a: {cmd: python3 -c \"from examples_utils import load_lib; print(load_lib('x'))\"}\n"
PAGE = (ROOT / "docs/drop_in.md").read_text()
COMMANDS = [line.removeprefix("$ ") for block in blocks(PAGE, "console") for line in block.splitlines()]


@pytest.mark.processes
@pytest.mark.parametrize("command", [command for command in COMMANDS if " benchmark " in command])
def test_a_command_of_the_page_runs_in_a_runner_beside_the_application(tmp_path: Path, command: str) -> None:
    runner = with_all_packages(tmp_path / "runner")
    application = make_environment(tmp_path / "application")
    install(application, "examples-utils", ORIGINAL)
    (tmp_path / "benchmarks.yml").write_text(
        "a: {cmd: python3 -m pip --version}\n" if "prepare" in command else SPEC
    )
    words = shlex.split(command.replace("/path/to/application/venv", str(application)))
    own = words[words.index("benchmark") :]
    done = subprocess.run(
        [
            runner / "bin/python3",
            "-m",
            "examples_utils",
            *own,
            *([] if "--dry-run" in own else ["--log-dir", "log"]),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if "--python" in own:
        record = json.loads((tmp_path / "log/benchmark_results.json").read_text())["a"][0]
        assert Path(record["log_paths"]["out"]).read_text() == "the original\n"
