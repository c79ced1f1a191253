"""Resolves a reference on the command line to runs."""

from __future__ import annotations

import re
import subprocess
from typing import Any

from sqlalchemy import Connection, Select, select

from examples_utils.history.database import tables
from examples_utils.history.database.summaries import MAX_RUNS, newest_first
from examples_utils.history.problems import HistoryError
from examples_utils.machine.git import git_environment

_LATEST = re.compile(r"latest(?:~(\d+))?")
_BRANCH = re.compile(r"branch:([^:]+)(?::(\d+))?")
_SHORTEST_PREFIX = 4
_REMEDY = "history list shows the runs"


def requested_runs(reference: str) -> int | None:
    """Returns how many runs `branch:NAME:N` asks for at most; None for any other reference."""
    match = _BRANCH.fullmatch(reference)
    return _count(match[2]) if match and match[2] else None


def resolve(connection: Connection, reference: str, title: str) -> list[str]:
    """See `store.History.resolve`."""
    if match := _LATEST.fullmatch(reference):
        return _latest(connection, reference, _count(match[1] or "0"), title)
    if match := _BRANCH.fullmatch(reference):
        return _of_branch(connection, match[1], _count(match[2] or "1"), title)
    return _of_id(connection, reference) or _of_revision(connection, reference, title)


def _count(digits: str) -> int:
    """Converts to an integer; one too large for Python or a database counts as more than the number of runs."""
    return min(int(digits), MAX_RUNS) if len(digits) < 1000 else MAX_RUNS


def _latest(connection: Connection, reference: str, steps: int, title: str) -> list[str]:
    found = _ids(connection, newest_first(limit=steps + 1))
    if len(found) <= steps:
        raise HistoryError(f"{reference}: {title} has {len(found)} runs; {_REMEDY}")
    return found[steps:]


def _of_branch(connection: Connection, branch: str, count: int, title: str) -> list[str]:
    if count < 1:
        raise HistoryError(f"branch:{branch}:0: names no run; ask for at least 1")
    found = _ids(connection, newest_first(branch=branch, limit=count))
    if not found:
        raise HistoryError(f"branch:{branch}: {title} has no runs of this branch; {_REMEDY}")
    return found


def _of_id(connection: Connection, reference: str) -> list[str]:
    run_id = tables.runs.c.run_id
    if exact := _ids(connection, select(tables.runs).where(run_id == reference)):
        return exact
    if len(reference) < _SHORTEST_PREFIX:
        return []
    found = _ids(connection, select(tables.runs).where(run_id.startswith(reference, autoescape=True)))
    if len(found) > 1:
        raise HistoryError(
            f"{reference}: is a prefix of {len(found)} run ids: {', '.join(found[:5])}; give more digits"
        )
    return found


def _of_revision(connection: Connection, reference: str, title: str) -> list[str]:
    commit = _commit(reference)
    runs = tables.runs.c
    wanted = runs.commit_hash == commit if commit else runs.commit_hash.startswith(reference, autoescape=True)
    if commit is None and not re.fullmatch(r"[0-9a-f]{7,40}", reference):
        raise HistoryError(
            f"{reference}: is not a run of {title} (latest, latest~N, branch:NAME, the beginning of a run id) "
            f"and not a revision of git here; {_REMEDY}"
        )
    called = f"{reference} (commit {commit[:12]})" if commit else f"commit {reference}"
    found = connection.execute(newest_first().where(wanted)).all()
    clean = [str(row.run_id) for row in found if not row.dirty]
    if found and not clean:
        ids = ", ".join(row.run_id for row in found[:5])
        raise HistoryError(
            f"{called}: all its runs were made with changed files, so they are of other code; name one by its id: {ids}"
        )
    if not found:
        raise HistoryError(f"{called}: {title} has no run of it; {_REMEDY}")
    return clean


def _commit(revision: str) -> str | None:
    """Returns the commit of a revision in the checkout of the current folder."""
    command = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            check=False,
            env=git_environment(),
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _ids(connection: Connection, query: Select[Any]) -> list[str]:
    return [str(row.run_id) for row in connection.execute(query)]
