"""``benchmark --history``: a run goes into a history when it has ended. Whatever happens, it is in its log folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from examples_utils.console import Console
from examples_utils.history.location import add_command, opened_history
from examples_utils.history.problems import UnreachableError
from examples_utils.problems import RequestError


@dataclass(frozen=True)
class HistoryArchive:
    """The ``Archive`` of a run that is a history; ``given`` is as for ``location.history_url``."""

    given: str

    def refuse_unusable(self) -> str | None:
        """Opens the history and writes to it before anything runs.

        A server that is down only now, or a lock, is worth a warning, which is given back.

        Raises:
            RequestError: the history cannot be used, now or later.
        """
        try:
            with opened_history(self.given, create=True) as history:
                history.refuse_unwritable()
        except UnreachableError as error:
            return f"--history {error}; the benchmarks are run all the same"
        return None

    def add_run(self, log_folder: Path, console: Console) -> None:
        """Adds the run in this log folder; if that fails it says which command does so later."""
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
            console.say(f"history {title}: {line}")
