"""`benchmark --history`: add a finished run to a history. The log folder keeps it in any case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from examples_utils.console import Console
from examples_utils.history.location import add_command, opened_history
from examples_utils.history.problems import UnreachableError
from examples_utils.problems import RequestError


@dataclass(frozen=True)
class HistoryArchive:
    """A history as the `Archive` of a run; `given` is as for `location.history_url`."""

    given: str

    def refuse_unusable(self) -> str | None:
        """Opens the history and writes to it before anything runs.

        Returns a warning if a server is down at the moment, or the history is locked.

        Raises:
            RequestError: The history cannot be used, now or later.
        """
        try:
            with opened_history(self.given, create=True) as history:
                history.refuse_unwritable()
        except UnreachableError as error:
            return f"--history {error}; running the benchmarks anyway"
        return None

    def add_run(self, log_folder: Path, console: Console) -> None:
        """Adds the run in this log folder; on failure, prints the command that adds it later."""
        from examples_utils.history.adding import add_reading
        from examples_utils.history.readers.results import read_results

        try:
            with opened_history(self.given, create=True) as history:
                lines, warnings = add_reading(history, read_results(log_folder))
                title = history.title
        except RequestError as error:
            command = add_command(log_folder, self.given)
            console.error(f"history: {error}; no result is lost: add them with: {command}")
            return
        for warning in warnings:
            console.warning(f"history: {warning}")
        for line in lines:
            console.print(f"history {title}: {line}")
