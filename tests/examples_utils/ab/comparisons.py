"""Comparing revisions of a project, and what that leaves behind."""

from __future__ import annotations

import os
from pathlib import Path


def ab(workplace, *arguments: str):
    return workplace.command("ab", "--log-dir", str(workplace.log), *arguments)


def left_behind(project) -> list[Path]:
    """What is left of the checkouts."""
    assert len(project.worktrees) == 1
    return list(Path(os.environ["XDG_CACHE_HOME"]).glob("examples_utils/ab/*"))
