"""A project under git whose benchmark prints values with a noise that is the same in every test run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# The noise depends on side, variant and repetition alone, which the last parts of the log folder's path contain.
WORK = """import os, random
side, variant, repetition = os.environ["EXAMPLES_UTILS_VARIANT_FOLDER"].split("/")[-3:]
noise = random.Random(f"{side}/{variant}/{variant}/{repetition}")
print(f"throughput: {speed() * noise.gauss(1, 0.01)} samples/sec")
"""
SPEC = """quick:
  cmd: python3 work.py
  data: {throughput: {regexp: 'throughput: *(.*?) samples\\/sec'}}
"""


class GitProject:
    """A git repository in `folder`; its branch is `main`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.com")

    def git(self, *arguments: str) -> str:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ALLOW_PROTOCOL": "file"}
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        return done.stdout.strip()

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def speed(self, expression: str) -> None:
        """How fast the benchmark is from now on: an expression, or what raises."""
        self.write("work.py", f"def speed():\n    return {expression}\n\n\n{WORK}")

    def commit(self, message: str) -> str:
        """Commits all that is there and gives the hash."""
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    @property
    def worktrees(self) -> list[str]:
        """The folders that git knows as checkouts of this repository."""
        listed = self.git("worktree", "list", "--porcelain").splitlines()
        return [line.removeprefix("worktree ") for line in listed if line.startswith("worktree ")]
