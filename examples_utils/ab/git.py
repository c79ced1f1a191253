"""Queries to git."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from examples_utils.machine.git import git_environment, git_words
from examples_utils.problems import RequestError, did_you_mean

WORKING_TREE = "."


@dataclass(frozen=True)
class Commit:
    """A commit; `author_date` is ISO 8601."""

    sha: str
    subject: str
    author: str
    author_date: str

    def __str__(self) -> str:
        return f"{self.sha[:12]} {self.subject}"


class GitError(RequestError):
    """A git command failed; the message is the one that git printed."""


def git(folder: Path, *arguments: str) -> str:
    """Returns what git prints in this folder. Raises GitError."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            env=git_environment(),
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise GitError(f"git cannot be started: {error.strerror}") from None
    if done.returncode:
        raise GitError(
            git_words(done.stderr)
            if done.stderr.strip()
            else f"git {arguments[0]} exited with code {done.returncode}"
        )
    return done.stdout.decode("utf-8", "backslashreplace")


def repository_of(spec: Path) -> Path:
    """Returns the checkout of the spec, which need not exist in it now. Raises RequestError if there is none."""
    folder = next(folder for folder in (spec, *spec.parents) if folder.is_dir())
    try:
        return Path(git(folder, "rev-parse", "--show-toplevel").rstrip("\n"))
    except GitError as error:
        raise RequestError(
            f"--spec {spec}: is not in a git checkout, so there are no revisions to compare: {error}"
        ) from None


def commit_of(repository: Path, reference: str, flag: str) -> Commit:
    """Resolves a revision to its commit. Raises RequestError, with similar names, if it does not exist."""
    try:
        found = git(
            repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}"
        )
    except (GitError, ValueError):
        raise RequestError(
            f"{flag} {reference}: no such revision in {repository}; {_known(repository, reference)}"
        ) from None
    return described(repository, found.strip())


def described(repository: Path, sha: str) -> Commit:
    """Returns the commit with this hash."""
    shown = git(repository, "show", "--no-patch", "--format=%H%n%an%n%aI%n%s", sha)
    full, author, date, subject = shown.rstrip("\n").split("\n", 3)
    return Commit(full, subject, author, date)


def commits_between(repository: Path, good: str, bad: str) -> list[str]:
    """Returns the commits after `good` up to and including `bad`, along first parents; the oldest first."""
    listed = git(repository, "rev-list", "--reverse", "--first-parent", f"{good}..{bad}")
    return listed.split()


def parent_of(repository: Path, sha: str) -> Commit | None:
    """Returns the first parent of a commit; None for a root commit."""
    try:
        return described(repository, git(repository, "rev-parse", "--verify", "--quiet", f"{sha}^1").strip())
    except GitError:
        return None


def is_ancestor(repository: Path, earlier: str, later: str) -> bool:
    """Whether `earlier` is an ancestor of `later`."""
    try:
        git(repository, "merge-base", "--is-ancestor", earlier, later)
    except GitError:
        return False
    return True


def has_changes(repository: Path) -> bool:
    """Whether tracked files differ from the commit that is checked out."""
    return bool(git(repository, "status", "--porcelain", "--untracked-files=no").strip())


def _known(repository: Path, reference: str) -> str:
    try:
        listed = git(repository, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags")
        shallow = git(repository, "rev-parse", "--is-shallow-repository").strip() == "true"
    except GitError:
        return ""
    hint = "; the checkout is shallow: git fetch --unshallow" if shallow else ""
    return f"{did_you_mean(reference, listed.split())}{hint}"
