"""The wrapper's exit code for a run that pytest ended early."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from serving.served_model import ROOT


@pytest.mark.parametrize(
    ("test", "words", "code"),
    [
        ("def test(): pass", [], 0),
        ("def test(): assert False", [], 1),
        ("def test(): assert False", ["--stepwise"], 1),
        ("import pytest\ndef test(): pytest.exit('enough')", [], 1),
        ("import pytest\ndef test(): pytest.exit('enough', returncode=7)", [], 1),
        ("import nothing_of_this_name", [], 2),
        ("def test(): pass", ["--no-such-option"], 2),
        ("", [], 2),
        ("def test(): raise KeyboardInterrupt", [], 130),
    ],
    ids=["passed", "failed", "stepwise", "exit", "exit-7", "not-collected", "usage", "no-tests", "ctrl-c"],
)
def test_the_exit_code_reports_how_the_run_ended(
    test: str, words: list[str], code: int, tmp_path: Path
) -> None:
    (tmp_path / "test_own.py").write_text(f"{test}\n")
    command = [sys.executable, "run_benchmark_with_triton_server.py", *words]
    command += ["-o", f"cache_dir={tmp_path / 'cache'}", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
