"""The executions of one run, so that none is lost, whatever happens to its record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from examples_utils.planning.folder_names import RECORDS_APART
from examples_utils.results.log_folder import store
from examples_utils.results.record import FAILED, Execution, VariantResult, no_results
from examples_utils.results.stored_records import stored_results


@dataclass
class Ledger:
    """Stores the records of a run."""

    log_folder: Path
    _stored: dict[Execution, VariantResult] = field(default_factory=dict)

    def store(self, result: VariantResult, folder: Path) -> VariantResult:
        """Writes the record to its folder, and returns it; as a failure, if that folder cannot hold it.

        Raises:
            OSError: No other folder can hold it either.
        """
        try:
            store(result, folder)
        except OSError as error:
            result = as_failure(result, f"its record cannot be written to {folder}: {error.strerror}")
            self._store_apart(result)
        else:
            self._stored[result.execution] = _without_measurements(result)
        return result

    def replace_unreadable(self) -> list[str]:
        """Stores a failure for each record of this run that cannot be read any longer; returns their titles.

        Raises:
            OSError: The log folder cannot hold it.
        """
        readable = {result.execution for result in stored_results(self.log_folder)[0]}
        lost = [result for execution, result in self._stored.items() if execution not in readable]
        for result in lost:
            self._store_apart(
                as_failure(result, "its record was written, but became unreadable during the run")
            )
            del self._stored[result.execution]
        return [result.title for result in lost]

    def _store_apart(self, result: VariantResult) -> None:
        name = hashlib.sha256(repr(result.execution).encode()).hexdigest()[:16]
        folder = self.log_folder / RECORDS_APART / name
        folder.mkdir(parents=True, exist_ok=True)
        store(result, folder)


def as_failure(result: VariantResult, problem: str) -> VariantResult:
    """Returns the result as one of a variant that failed, for this reason too."""
    reason = f"{result.reason}; {problem}" if result.reason else problem
    return replace(result, status=FAILED, reason=reason, exitcode=result.exitcode or 1)


def _without_measurements(result: VariantResult) -> VariantResult:
    """Returns what is needed to report that the record was lost; a run may have many thousands of them."""
    return replace(result, results=no_results(), metrics={}, matches={}, settings={}, canary={})
