"""Which runs BASE and NEW name: files and folders, or what a history holds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from examples_utils.figures import Run
from examples_utils.problems import RequestError

if TYPE_CHECKING:
    from examples_utils.history.store import History

DEFAULT_HISTORY = "history.db"


@dataclass(frozen=True)
class Source:
    """One side of a comparison. ``runs`` are the oldest first, never empty; ``title`` says to people what they are."""

    title: str
    runs: tuple[Run, ...]


def read_sides(base: str, new: str, history_url: str | None) -> tuple[Source, Source]:
    """Both sides of a comparison. Runs that NEW names are left out of BASE, so that ``branch:main:5`` can be BASE.

    A reference that is an existing file or folder means that; any other one is looked up in the history, which is
    opened only then. None means ``history.db``.

    Raises:
        RequestError: a reference names no run, or both sides are the same.
    """
    with _opened_when_needed(history_url) as look_up:
        new_runs = _runs_of(new, look_up)
        base_runs = _runs_of(base, look_up)
    known = {run.run_id for run in new_runs}
    others = [run for run in base_runs if run.run_id not in known]
    if not others:
        raise RequestError(
            f"compare {base} {new}: both name {_one(new_runs[-1])}; name an earlier run as BASE"
        )
    return _source(base, others), _source(new, new_runs)


def _runs_of(reference: str, look_up: Callable[[str], list[Run]]) -> list[Run]:
    """The oldest first."""
    path = Path(reference)
    if path.exists():
        from examples_utils.history.reading import read_runs

        runs = read_runs(path)
        if not runs:
            raise RequestError(
                f"{reference}: holds no result; name a run's --log-dir or benchmark_results.json"
            )
    elif reference.endswith((".json", "/")):
        raise RequestError(f"{reference}: no such file or folder")
    else:
        runs = look_up(reference)
    return sorted(runs, key=lambda run: datetime.fromisoformat(run.started_utc))


@contextlib.contextmanager
def _opened_when_needed(history_url: str | None) -> Iterator[Callable[[str], list[Run]]]:
    """A function that gives the runs of a reference; it opens the history when it is first called."""
    with contextlib.ExitStack() as stack:
        opened: list[History] = []

        def look_up(reference: str) -> list[Run]:
            if not opened:
                if history_url is None and not Path(DEFAULT_HISTORY).exists():
                    raise RequestError(
                        f"{reference}: no such file or folder, and there is no {DEFAULT_HISTORY} here to look "
                        f"it up in; give --history URL, or name a run's --log-dir"
                    )
                from examples_utils.history.store import open_history

                opened.append(stack.enter_context(open_history(history_url or DEFAULT_HISTORY)))
            history = opened[0]
            return history.load(history.resolve(reference), log_tails=False)

        yield look_up


def _source(reference: str, runs: Sequence[Run]) -> Source:
    title = _one(runs[0]) if len(runs) == 1 else f"{len(runs)} runs: {_one(runs[0])}, to {_one(runs[-1])}"
    return Source(f"{reference} ({title})", tuple(runs))


def _one(run: Run) -> str:
    commit = f", commit {run.commit[:10]}{' with changed files' if run.dirty else ''}" if run.commit else ""
    branch = f" on {run.branch}" if run.branch and run.commit else ""
    return f"run {run.run_id[:12]} of {run.started_utc[:16].replace('T', ' ')}{commit}{branch}"
