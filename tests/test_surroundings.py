"""The tests do not depend on the program that starts them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.surroundings import leave_surroundings

ROOT = Path(__file__).parents[1]


def test_what_a_starter_sets_is_removed_and_the_rest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "MAKEFLAGS",
        "MAKELEVEL",
        "GIT_DIR",
        "PYTEST_ADDOPTS",
        "COLUMNS",
        "WORLD_SIZE",
        "SLURM_PROCID",
    ):
        monkeypatch.setenv(name, "1")
    kept = {"MASTERPIECE": "1", "GIT_SSL_CAINFO": "certificates"}
    for name, value in kept.items():
        monkeypatch.setenv(name, value)
    path = os.environ["PATH"]
    leave_surroundings()
    left = set(os.environ)
    assert not [
        name for name in left if name.startswith(("MAKE", "GIT_D", "PYTEST_A", "COLUMNS", "WORLD", "SLURM"))
    ]
    assert {name: os.environ[name] for name in kept} == kept
    assert os.environ["PATH"] == path


@pytest.mark.slow
def test_tests_of_make_succeed_when_make_starts_them(tmp_path: Path) -> None:
    test = "tests/test_front_pages.py::test_make_alone_prints_every_target_that_it_describes"
    command = (
        f"{sys.executable} -m pytest -q -p no:cacheprovider -p no:xdist --basetemp {tmp_path}/base {test}"
    )
    (tmp_path / "Makefile").write_text(f"all:\n\t@cd {ROOT} && {command}\n")
    started = ["make", "--print-directory", "-f", tmp_path / "Makefile"]
    done = subprocess.run(started, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
