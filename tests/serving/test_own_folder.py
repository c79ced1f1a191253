"""What a run leaves in shared memory: nothing once it has ended, and once another one begins where it was killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.own_folder import PREFIX, SHARED_MEMORY, own_folder, region_prefix

ROOT = Path(__file__).parents[2]
RUN = """
from serving.own_folder import SHARED_MEMORY, own_folder, region_prefix
with own_folder() as folder:
    (folder / "a file").touch()
    (SHARED_MEMORY / f"{region_prefix(folder)}a-region").touch()
    print(folder, flush=True)
    input()
"""


@contextmanager
def run() -> Iterator[tuple[subprocess.Popen[str], Path, Path]]:
    """Another run's process, and its folder and region."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        try:
            yield process, folder, folder.with_name(f"{region_prefix(folder)}a-region")
        finally:
            process.kill()


def test_a_run_removes_its_folder_and_its_regions_at_its_end() -> None:
    with run() as (process, folder, region):
        assert folder.is_dir()
        assert region.exists()
        process.communicate("\n")
        assert process.returncode == 0
        assert not folder.exists()
        assert not region.exists()


def test_the_next_run_removes_what_a_killed_one_left() -> None:
    with run() as (process, folder, region):
        assert region.exists()
        process.kill()
        process.wait()
        with own_folder():
            assert not folder.exists()
            assert not region.exists()


def test_a_run_that_lives_keeps_its_own() -> None:
    with run() as (_, folder, region), own_folder() as other:
        assert other != folder
        assert (folder / "a file").exists()
        assert region.exists()


def test_a_region_that_was_made_after_its_folder_was_removed_is_removed_too() -> None:
    """By a server that was still starting."""
    region = SHARED_MEMORY / f"{PREFIX}nobody-a-region"
    region.touch()
    with own_folder():
        assert not region.exists()
