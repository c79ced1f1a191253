"""The history of a night: read before the night, read again if it was unreachable, and added to at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from examples_utils.execution.request import Request
from examples_utils.history.adding import add_reading
from examples_utils.history.baseline import Baseline, Tonight, read_baseline
from examples_utils.history.fingerprint import machine_key
from examples_utils.history.location import add_command, opened_history
from examples_utils.history.problems import HistoryError, UnreachableError
from examples_utils.history.readers.results import Reading
from examples_utils.history.regressions import ReportedRegression
from examples_utils.history.store import History
from examples_utils.machine.fingerprint import machine_fingerprint
from examples_utils.machine.git import git_state
from examples_utils.run_model import Run

# The number of nights that the report shows, and in which change points are sought.
_MAX_NIGHTS = 365


class NightHistory:
    """The nights before this one, and the `regressions` that they reported on this machine.

    `baseline` is None while the history is unreachable.
    """

    def __init__(self, given: str | None, tonight: Tonight, wanted: int) -> None:
        self._given, self._tonight, self._wanted = given, tonight, wanted
        self.baseline: Baseline | None = None
        self.regressions: Sequence[ReportedRegression] = ()
        self.problem = ""
        self._is_lost = False

    def read_at_start(self) -> None:
        """Raises HistoryError if the history cannot be used or written; if it is unreachable, tries again later."""
        try:
            with opened_history(self._given, create=True) as history:
                self._read(history)
                history.refuse_unwritable()
        except UnreachableError as error:
            # One that was read may be locked now: what counts is whether the night can be added at the end.
            self.problem = "" if self.baseline else str(error)

    def read_if_not_read(self) -> None:
        """Sets `problem` if the history is still unreachable."""
        if self.baseline is not None:
            return
        try:
            with opened_history(self._given, create=True) as history:
                self._read(history)
            self.problem = ""
        except HistoryError as error:
            self.problem = str(error)

    def _read(self, history: History) -> None:
        self.regressions = history.regressions(self._tonight.machine_key)
        self.baseline = read_baseline(history, self._tonight, self._wanted)

    def add(self, reading: Reading, log_folder: Path) -> tuple[list[str], str | None]:
        """Adds the night; returns warnings, and, if adding failed, the reason and the command to do it later.

        The caller reports what could not be read.
        """
        try:
            with opened_history(self._given, create=True) as history:
                return add_reading(history, replace(reading, left_out=()))[1], None
        except HistoryError as error:
            self._is_lost = True
            return [], (
                f"history: {error}; no result is lost: add them with: {add_command(log_folder, self._given)}"
            )

    def update_regressions(
        self, update: Callable[[Sequence[ReportedRegression]], Sequence[ReportedRegression]]
    ) -> str | None:
        """Stores what `update` makes of the reported regressions; returns the reason if that failed.

        `update` then gets those that were read before. Nothing is stored of a night that could not be added: the next
        one finds its regressions again.
        """
        if self._is_lost:
            update(self.regressions)
            return None
        try:
            with opened_history(self._given) as history:
                history.update_regressions(self._tonight.machine_key, update)
        except HistoryError as error:
            update(self.regressions)
            return f"history: {error}; what tonight called is not in the list of open regressions"
        return None

    def nights(self, run: Run) -> tuple[Run, ...]:
        """Returns all nights that count, up to the length of a report, oldest first, with the logs of this one last.

        Returns only those of the baseline if the history is unreachable now.
        """
        try:
            with opened_history(self._given) as history:
                earlier = read_baseline(history, self._tonight, _MAX_NIGHTS + 1).runs
        except HistoryError:
            earlier = self.baseline.runs if self.baseline else ()
        others = [night for night in earlier if night.run_id != run.run_id]
        return (*others[-_MAX_NIGHTS:], run)


def tonight_of(request: Request) -> Tonight:
    """Returns the current state of this machine and of the checkouts of the specs."""
    machine = machine_fingerprint()
    states = [git_state(folder)[0] for folder in {p.benchmark.spec_folder for p in request.plan.variants}]
    branches = {state["branch"] for state in states}
    return Tonight(
        machine_key=machine_key(machine),
        machine=machine,
        suites=frozenset(described["suite"] for described in request.described().values()),
        # Specs in several checkouts have no common branch.
        branch=branches.pop() if len(branches) == 1 else None,
        dirty=any(state["dirty"] for state in states),
        variants=len(request.plan.variants),
    )
