"""Which runs BASE and NEW name: files and folders, or what a history holds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
    """One side of a comparison. ``runs`` are the oldest first, never empty; ``title`` says to people what they are.

    ``warnings`` are about what was read, such as a record that had to be left out.
    """

    title: str
    runs: tuple[Run, ...]
    warnings: tuple[str, ...] = ()


def read_sides(base: str, new: str, history_url: str | None) -> tuple[Source, Source]:
    """Both sides of a comparison. Runs that NEW names are left out of BASE, so that ``branch:main:5`` can be BASE.

    A reference that is an existing file or folder means that; any other one is looked up in the history, which is
    opened only then. None means ``history.db``.

    Raises:
        RequestError: a reference names no run, or both sides are the same.
    """
    with _opened_when_needed(history_url) as look_up:
        new_side = _side(new, look_up)
        base_side = _side(base, look_up)
    known = {run.run_id for run in new_side.runs}
    others = tuple(run for run in base_side.runs if run.run_id not in known)
    if not others:
        raise RequestError(
            f"{base} and {new} both name {_one(base_side.runs[-1])}; name an earlier run as BASE"
        )
    return replace(base_side, title=_title(base, others), runs=others), new_side


def _side(reference: str, look_up: Callable[[str], list[Run]]) -> Source:
    path = Path(reference)
    warnings: tuple[str, ...] = ()
    runs: Sequence[Run]
    if path.exists():
        from examples_utils.history.reading import read_results

        reading = read_results(path)
        runs, warnings = reading.runs, (*reading.left_out, *reading.warnings)
    elif reference.endswith((".json", "/")):
        raise RequestError(f"{reference}: no such file or folder")
    else:
        runs = look_up(reference)
    ordered = tuple(sorted(runs, key=lambda run: datetime.fromisoformat(run.started_utc)))
    return Source(_title(reference, ordered), ordered, warnings)


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


def _title(reference: str, runs: Sequence[Run]) -> str:
    if len(runs) == 1:
        return f"{reference} ({_one(runs[0])})"
    return f"{reference} ({len(runs)} runs: {_one(runs[0])}, to {_one(runs[-1])})"


def _one(run: Run) -> str:
    commit = f", commit {run.commit[:10]}{' with changed files' if run.dirty else ''}" if run.commit else ""
    branch = f" on {run.branch}" if run.branch and run.commit else ""
    return f"run {run.run_id[:12]} of {run.started_utc[:16].replace('T', ' ')}{commit}{branch}"
