"""The `collect` command: rebuild the result files of a log folder from its records."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from examples_utils.problems import RequestError
from examples_utils.results.exports import collect as collect_results
from examples_utils.results.record import FAILED, NOT_RUN
from examples_utils.results.summary import results_table, summary_lines


def collect(parsed: argparse.Namespace) -> int:
    """Writes the files and prints the table. Returns 1 if a variant failed or was not run.

    Raises:
        RequestError: The folder is missing, contains no result, or cannot be written.
    """
    folder = Path(parsed.log_dir)
    if not folder.is_dir():
        raise RequestError(f"collect {folder}: no such folder; name a run's --log-dir")
    collected = collect_results(folder.absolute())
    results = collected.results
    for complaint in collected.unreadable:
        print(f"warning: {complaint}", file=sys.stderr)
    if collected.unwritten:
        raise RequestError("\n".join(f"collect {complaint}" for complaint in collected.unwritten))
    if not results:
        raise RequestError(f"collect {folder}: contains no result of a variant; name a run's --log-dir")
    print(results_table(results, None))
    print("\n".join(summary_lines(results, sum(result.duration_s or 0 for result in results))))
    return int(any(result.status in (FAILED, NOT_RUN) for result in results))
