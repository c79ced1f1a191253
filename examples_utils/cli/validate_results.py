"""The `validate-results` command: report every problem of result files."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmark_parsers.result_check import MAX_PROBLEMS, check_results

# A foreign file may have a problem in every line.
_MAX_SHOWN = 100


def validate_results(parsed: argparse.Namespace) -> int:
    """Prints one line per problem of result files, and one of counts. Returns 2 if there are problems."""
    records, errors = 0, 0
    for file in map(Path, parsed.files):
        checked = check_results(file)
        records += checked.records
        errors += len(checked.problems)
        for problem in checked.problems[:_MAX_SHOWN]:
            print(problem)
        if (more := len(checked.problems) - _MAX_SHOWN) > 0:
            or_more = " or more" if len(checked.problems) == MAX_PROBLEMS else " more"
            print(f"{file}: … and {more}{or_more}")
    print(f"{len(parsed.files)} files, {records} records, {errors} errors")
    return 2 if errors else 0
