"""Temporary checkouts of revisions, removed even after a crash."""

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
_WITHOUT_HOOKS = ("-c", "core.hooksPath=/dev/null")  # they are meant for the user's own work


@dataclass(frozen=True)
class Worktrees:
    """A folder for checkouts of one repository. `shared` are paths of the user's checkout that they link to."""

    repository: Path
    folder: Path
    shared: Sequence[str] = ()

    def add(self, name: str, sha: str) -> Path:
        """Checks a commit out into a new folder of this name.

        Raises:
            GitError: The commit cannot be checked out.
            RequestError: A shared path is part of the commit.
        """
        worktree = self.folder / name
        git(self.repository, *_WITHOUT_HOOKS, "worktree", "add", "--detach", str(worktree), sha)
        self._complete(worktree)
        return worktree

    def move(self, worktree: Path, sha: str) -> None:
        """Checks another commit out in place; nothing of the previous one stays. Raises as `add` does."""
        git(worktree, *_WITHOUT_HOOKS, "checkout", "--quiet", "--force", "--detach", sha)
        git(worktree, "clean", "--quiet", "-ffdx")
        self._complete(worktree)

    def _complete(self, worktree: Path) -> None:
        if (worktree / ".gitmodules").exists():
            git(worktree, "submodule", "update", "--init", "--recursive", "--force")
        for path in self.shared:
            link = worktree / path
            if link.exists() or link.is_symlink():
                raise RequestError(
                    f"--share {path}: is part of the commit that is checked out, which has its own copy; leave it out"
                )
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(self.repository / path)


@contextlib.contextmanager
def worktrees(repository: Path, log_folder: Path, shared: Sequence[str] = ()) -> Iterator[Worktrees]:
    """Yields a folder for checkouts, and removes it with all of them, however the with block ends.

    First removes what killed processes have left behind, including commands that still run.

    Raises:
        RequestError: The folder cannot be created.
    """
    parent = _cache_folder()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        name = secrets.token_hex(4)
        lock = (parent / f"{name}.lock").open("w")
    except OSError as error:
        raise RequestError(
            f"the checkouts go to {parent}, which cannot be written: {error.strerror}; set XDG_CACHE_HOME to a "
            f"writable folder"
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
    """Returns the paths that `--share` names, relative to the repository. Raises RequestError for paths outside it."""
    paths = []
    for name in given:
        path = Path(name).absolute()
        path = path.parent.resolve() / path.name
        if not path.exists():
            raise RequestError(f"--share {name}: there is no such file or folder")
        if path == repository or not path.is_relative_to(repository):
            raise RequestError(f"--share {name}: is not in the checkout {repository}; name a path inside it")
        paths.append(str(path.relative_to(repository)))
    return paths


def _cache_folder() -> Path:
    # On a disk rather than in /tmp, which may be memory: an environment can take gigabytes.
    given = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(given) if given else Path.home() / ".cache") / "examples_utils" / "ab"
    except RuntimeError:
        raise RequestError(
            "the checkouts have no place: this user has no home folder; set XDG_CACHE_HOME to a writable folder"
        ) from None


def _remove_leftovers(parent: Path) -> None:
    for folder in [entry for entry in parent.iterdir() if entry.is_dir()]:
        with contextlib.suppress(OSError), folder.with_suffix(".lock").open("w") as lock:
            # The folder's user holds its lock until its process ends, however it ends.
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
    """Removes the checkouts in the folder from git's list."""
    listed = git(repository, "worktree", "list", "--porcelain").splitlines()
    for path in (line.removeprefix("worktree ") for line in listed if line.startswith(f"worktree {folder}/")):
        # git locks a checkout while it creates it, and leaves the lock behind if it is killed.
        with contextlib.suppress(GitError):
            git(repository, "worktree", "unlock", path)
    git(repository, "worktree", "prune")
