"""Resolves BASE and NEW to runs: from files and folders, or from a history."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from examples_utils.comparison.text import run_title, runs_title
from examples_utils.history.fingerprint import machine_key
from examples_utils.history.location import opened_history
from examples_utils.problems import RequestError
from examples_utils.run_model import Run

if TYPE_CHECKING:
    from examples_utils.history.store import History


_EARLIER = 30  # runs from which the noise between runs is estimated


@dataclass(frozen=True)
class Source:
    """One side of a comparison. `runs` are the oldest first, never empty; `title` describes them in messages.

    `warnings` concern what was read, such as an omitted record, or fewer runs than requested.
    """

    title: str
    runs: tuple[Run, ...]
    warnings: tuple[str, ...] = ()


def read_sides(base: str, new: str, history_url: str | None) -> tuple[Source, Source]:
    """Reads both sides of a comparison. Omits runs of NEW from BASE, so that `branch:main:5` can be BASE.

    A reference to an existing file or folder means that; any other is looked up in the history, which is
    opened only then. `history_url` is the value of `--history`.

    Raises:
        RequestError: A reference names no run, or both sides are the same.
    """
    with contextlib.ExitStack() as stack:
        history = cache(lambda: stack.enter_context(opened_history(history_url)))
        new_side = _side(new, history)
        base_side = _side(base, history)
    known = {run.run_id for run in new_side.runs}
    others = tuple(run for run in base_side.runs if run.run_id not in known)
    if not others:
        raise RequestError(
            f"{base} and {new} both name {run_title(base_side.runs[-1])}; name an earlier run as BASE"
        )
    return replace(base_side, title=runs_title(base, others), runs=others), new_side


def earlier_runs(base: Source, new: Source, history_url: str | None) -> tuple[Run, ...]:
    """Returns the last runs of NEW's machine and branch in the history, the oldest first, without both sides.

    They show how much two single runs differ by themselves; empty if a side has several runs, or if there is no
    history at the default place. Raises RequestError if the history that `--history` names cannot be read.
    """
    if len(base.runs) > 1 or len(new.runs) > 1:
        return ()
    compared = {base.runs[0].run_id, new.runs[0].run_id}
    (run,) = new.runs
    try:
        with opened_history(history_url) as history:
            found = history.runs(machine_key=machine_key(run.machine), branch=run.branch, limit=_EARLIER)
            run_ids = [one.run_id for one in reversed(found) if one.run_id not in compared]
            return tuple(history.load(run_ids, log_tails=False))
    except RequestError:
        if history_url is not None:
            raise
        return ()


def _side(reference: str, history: Callable[[], History]) -> Source:
    path = Path(reference)
    warnings: tuple[str, ...] = ()
    if path.exists():
        from examples_utils.history.readers.results import read_results

        reading = read_results(path)
        runs = sorted(reading.runs, key=lambda run: datetime.fromisoformat(run.started_utc))
        warnings = (*reading.left_out, *reading.warnings)
    elif reference.endswith((".json", "/")):
        raise RequestError(f"{reference}: no such file or folder")
    else:
        runs, warnings = _looked_up(reference, history)
    return Source(runs_title(reference, runs), tuple(runs), warnings)


def _looked_up(reference: str, history: Callable[[], History]) -> tuple[list[Run], tuple[str, ...]]:
    """Returns the runs of a reference, the oldest first, and warnings; `history` opens the history when needed."""
    try:
        opened = history()
    except RequestError as error:
        raise RequestError(
            f"{reference}: is neither a file or folder nor a run of a history: {error}"
        ) from None
    # The history's order of runs is more reliable than the clocks of its machines.
    runs = opened.load(opened.resolve(reference)[::-1], log_tails=False)
    return runs, opened.shortfall(reference, len(runs))
