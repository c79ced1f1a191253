"""The state of a git checkout, and the environment of git commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

# They name another repository, as those of a hook do (`git rev-parse --local-env-vars`). Those with settings, such as
# GIT_CONFIG_COUNT, stay: they may hold a safe.directory that makes the checkout readable.
_OF_ANOTHER_REPOSITORY = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NAMESPACE",
        "GIT_NO_REPLACE_OBJECTS", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_QUARANTINE_PATH", "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
    }
)  # fmt: skip
_LONGEST = 500


def git_environment() -> dict[str, str]:
    """Returns this process's environment without the variables that would redirect git to another repository."""
    return {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY}


def git_state(folder: Path) -> tuple[dict[str, Any], str | None]:
    r"""Returns commit and branch of the checkout `folder`, and whether tracked files were changed; and a warning.

    All are None outside git; the branch also for a detached HEAD. The warning gives git's reason why the state of a
    checkout is unknown; bytes of a branch that are not UTF-8 are shown as `\xNN`.
    """
    unknown = {"commit": None, "dirty": None, "branch": None}
    folders = (folder.absolute(), *folder.absolute().parents)
    if not any(os.path.lexists(parent / ".git") for parent in folders):  # Path.exists may raise
        return unknown, None
    # Without optional locks, git writes nothing, so that it works in a checkout of somebody else.
    command = ["git", "--no-optional-locks", "-C", str(folder), "status", "--porcelain=v2", "--branch"]
    try:
        done = subprocess.run(
            [*command, "--untracked-files=no"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
            env=git_environment(),
        )
    except (OSError, subprocess.SubprocessError) as error:
        return unknown, f"{folder}: its commit is unknown: git cannot be run: {error}"
    if done.returncode:
        return unknown, f"{folder}: its commit is unknown: {git_words(done.stderr)}"
    lines = done.stdout.decode("utf-8", "backslashreplace").split("\n")
    facts = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# "))
    commit, branch = facts.get("branch.oid"), facts.get("branch.head")
    state = {
        "commit": None if commit == "(initial)" else commit,
        "branch": None if branch == "(detached)" else branch,
        "dirty": any(line and not line.startswith("#") for line in lines),
    }
    return state, None if _is_utf8(
        done.stdout
    ) else f"{folder}: git prints names that are not UTF-8: {branch}"


def git_words(stderr: bytes) -> str:
    """Returns what git printed, on one line."""
    return " ".join(stderr.decode("utf-8", "backslashreplace").split())[:_LONGEST] or "git printed no reason"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
