"""The history of a night: read before the night, read again if it did not answer, and added to in the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from examples_utils.execution.request import Request
from examples_utils.history.adding import add_reading
from examples_utils.history.baseline import Baseline, Tonight, read_baseline
from examples_utils.history.fingerprint import machine_key
from examples_utils.history.location import add_command, opened_history
from examples_utils.history.problems import HistoryError, UnreachableError
from examples_utils.history.readers.results import Reading
from examples_utils.history.store import History
from examples_utils.machine.fingerprint import git_state, machine_fingerprint
from examples_utils.run_model import Run

# What the report shows, and where change points are looked for.
_MOST_NIGHTS = 365


class NightHistory:
    """What was there before this night. ``baseline`` is None as long as the history has not answered."""

    def __init__(self, given: str | None, tonight: Tonight, wanted: int) -> None:
        self._given, self._tonight, self._wanted = given, tonight, wanted
        self.baseline: Baseline | None = None
        self.problem = ""

    def read_at_start(self) -> None:
        """Raises HistoryError for one that cannot be right, or be added to; one that does not answer is asked later."""
        try:
            with opened_history(self._given, create=True) as history:
                self._read_baseline_of(history)
                history.refuse_unwritable()
        except UnreachableError as error:
            # One that was read may be locked now: what counts is whether the night can be added in the end.
            self.problem = "" if self.baseline else str(error)

    def read_if_not_read(self) -> None:
        """Notes the ``problem`` if it still does not answer."""
        if self.baseline is not None:
            return
        try:
            self._read_baseline()
        except HistoryError as error:
            self.problem = str(error)

    def add(self, reading: Reading, log_folder: Path) -> tuple[list[str], str | None]:
        """Adds the night; gives what is to be warned of, and, if that failed, why and how to do it later.

        What could not be read is for the caller to tell.
        """
        try:
            with opened_history(self._given, create=True) as history:
                return add_reading(history, replace(reading, left_out=()))[1], None
        except HistoryError as error:
            return [], (
                f"history: {error}; no result is lost: add them with: {add_command(log_folder, self._given)}"
            )

    def nights(self, run: Run) -> tuple[Run, ...]:
        """All nights that count, as many as a report shows, oldest first, and this one with its logs in the end.

        Those of the baseline alone if the history does not answer any more.
        """
        try:
            with opened_history(self._given) as history:
                earlier = read_baseline(history, self._tonight, _MOST_NIGHTS + 1).runs
        except HistoryError:
            earlier = self.baseline.runs if self.baseline else ()
        others = [night for night in earlier if night.run_id != run.run_id]
        return (*others[-_MOST_NIGHTS:], run)

    def _read_baseline(self) -> None:
        with opened_history(self._given, create=True) as history:
            self._read_baseline_of(history)

    def _read_baseline_of(self, history: History) -> None:
        self.baseline = read_baseline(history, self._tonight, self._wanted)
        self.problem = ""


def tonight_of(request: Request) -> Tonight:
    """What this machine and the checkouts of the specs are now."""
    states = [git_state(folder) for folder in {p.benchmark.spec_folder for p in request.plan.variants}]
    branches = {state["branch"] for state in states}
    return Tonight(
        machine_key=machine_key(machine_fingerprint()),
        suites=frozenset(described["suite"] for described in request.described().values()),
        # Of specs in several checkouts no one branch can be told.
        branch=branches.pop() if len(branches) == 1 else None,
        dirty=any(state["dirty"] for state in states),
        variants=len(request.plan.variants),
    )
