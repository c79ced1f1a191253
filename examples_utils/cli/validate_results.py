"""The `validate-results` command: report every problem of result files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmark_parsers.result_check import MAX_PROBLEMS, check_results

# A foreign file may have a problem in every line.
_MAX_SHOWN = 100


def validate_results(parsed: argparse.Namespace) -> int:
    """Prints the problems of result files. Returns 2 if there are any."""
    report, valid = check_files([Path(name) for name in parsed.files])
    print(report)
    return 0 if valid else 2


def check_files(files: Sequence[Path]) -> tuple[str, bool]:
    """Returns one line per problem and one of counts, and whether there are no problems."""
    lines, records, errors = [], 0, 0
    for file in files:
        checked = check_results(file)
        records += checked.records
        errors += len(checked.problems)
        lines += [str(problem) for problem in checked.problems[:_MAX_SHOWN]]
        if (more := len(checked.problems) - _MAX_SHOWN) > 0:
            or_more = " or more" if len(checked.problems) == MAX_PROBLEMS else " more"
            lines.append(f"{file}: … and {more}{or_more}")
    return "\n".join([*lines, f"{len(files)} files, {records} records, {errors} errors"]), not errors
