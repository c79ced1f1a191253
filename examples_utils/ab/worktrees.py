"""Checkouts of revisions beside the user's own, which never outlive their use for long."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from examples_utils.ab.git import GitError, git
from examples_utils.execution.process_tree import end_leftovers
from examples_utils.problems import RequestError

_NOTE = "session.json"


@dataclass(frozen=True)
class Worktrees:
    """A folder for checkouts of one repository. ``shared`` are paths of the user's checkout that they link to."""

    repository: Path
    folder: Path
    shared: Sequence[str] = ()

    def add(self, name: str, sha: str) -> Path:
        """Checks a commit out into a new folder of this name.

        Raises:
            GitError: the commit cannot be checked out.
            RequestError: a shared path is part of the commit.
        """
        worktree = self.folder / name
        # Hooks are meant for the user's own work.
        git(
            self.repository,
            "-c",
            "core.hooksPath=/dev/null",
            "worktree",
            "add",
            "--detach",
            str(worktree),
            sha,
        )
        self._complete(worktree)
        return worktree

    def move(self, worktree: Path, sha: str) -> None:
        """Checks another commit out there; nothing of the one before stays. Raises as ``add`` does."""
        git(worktree, "-c", "core.hooksPath=/dev/null", "checkout", "--quiet", "--force", "--detach", sha)
        git(worktree, "clean", "--quiet", "-ffdx")
        self._complete(worktree)

    def _complete(self, worktree: Path) -> None:
        if (worktree / ".gitmodules").exists():
            git(worktree, "submodule", "update", "--init", "--recursive", "--force")
        for path in self.shared:
            link = worktree / path
            if link.exists() or link.is_symlink():
                raise RequestError(
                    f"--share {path}: is part of the commit that is checked out, which has its own; leave it out"
                )
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(self.repository / path)


@contextlib.contextmanager
def worktrees(repository: Path, log_folder: Path, shared: Sequence[str] = ()) -> Iterator[Worktrees]:
    """A folder for checkouts, which is removed with all of them in the end, whatever ends the with block.

    What a killed process has left, also of commands that still run, is removed first.

    Raises:
        RequestError: the folder cannot be made.
    """
    parent = _cache_folder()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        name = secrets.token_hex(4)
        lock = (parent / f"{name}.lock").open("w")
    except OSError as error:
        raise RequestError(
            f"the checkouts go to {parent}, which cannot be written: {error.strerror}; set XDG_CACHE_HOME to a "
            f"folder that can be"
        ) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_leftovers(parent)
        folder = parent / name
        folder.mkdir()
        note = {"repository": str(repository), "log_folder": str(log_folder)}
        (folder / _NOTE).write_text(json.dumps(note), encoding="utf-8")
        try:
            yield Worktrees(repository, folder, shared)
        finally:
            _remove(folder, repository)


def shared_paths(repository: Path, given: Sequence[str]) -> list[str]:
    """What ``--share`` names, relative to the repository. Raises RequestError for what is not in it."""
    paths = []
    for name in given:
        path = Path(name).absolute()
        path = path.parent.resolve() / path.name
        if not path.exists():
            raise RequestError(f"--share {name}: there is no such file or folder")
        if path == repository or not path.is_relative_to(repository):
            raise RequestError(f"--share {name}: is not in the checkout {repository}; name what is in it")
        paths.append(str(path.relative_to(repository)))
    return paths


def _cache_folder() -> Path:
    # A disk rather than /tmp, which may be memory: an environment of its own can take gigabytes.
    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "examples_utils" / "ab"


def _remove_leftovers(parent: Path) -> None:
    for folder in [entry for entry in parent.iterdir() if entry.is_dir()]:
        with contextlib.suppress(OSError), folder.with_suffix(".lock").open("w") as lock:
            # Whoever uses the folder holds its lock until its process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            repository = None
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                note = json.loads((folder / _NOTE).read_text("utf-8"))
                end_leftovers(Path(note["log_folder"]))
                repository = Path(note["repository"])
            _remove(folder, repository)


def _remove(folder: Path, repository: Path | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if repository is not None:
        with contextlib.suppress(GitError):
            _forget(folder, repository)
    folder.with_suffix(".lock").unlink(missing_ok=True)


def _forget(folder: Path, repository: Path) -> None:
    """Lets git forget the checkouts that were in the folder."""
    listed = git(repository, "worktree", "list", "--porcelain").splitlines()
    for path in (line.removeprefix("worktree ") for line in listed if line.startswith(f"worktree {folder}/")):
        # git locks a checkout while it makes it, and keeps the lock if it is killed then.
        with contextlib.suppress(GitError):
            git(repository, "worktree", "unlock", path)
    git(repository, "worktree", "prune")
