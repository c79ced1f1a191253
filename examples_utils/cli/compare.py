"""The `compare` command: compare two runs or groups of runs."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from examples_utils.comparison.compare_runs import compare_runs
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.output import check_output, exit_code, nothing_compared, write_comparison
from examples_utils.comparison.selection import selected
from examples_utils.comparison.sources import earlier_runs, read_sides


def compare(parsed: argparse.Namespace) -> int:
    """Prints the comparison. Returns 1 if something regressed or newly failed, 3 if nothing could be compared.

    Raises:
        RequestError: A reference, a pattern or an option is wrong.
    """
    check_output(parsed.format, parsed.all, parsed.output, parsed.csv_raw)
    options = CompareOptions(threshold=parsed.threshold)
    if parsed.run_noise is not None:
        options = replace(options, run_noise=parsed.run_noise)
    base, new = read_sides(parsed.base, parsed.new, parsed.history)
    for warning in (*base.warnings, *new.warnings):
        print(f"warning: {warning}", file=sys.stderr)
    if parsed.run_noise is not None and max(len(base.runs), len(new.runs)) > 1:
        print(
            "warning: --run-noise has no effect where a side has several runs, which determine it",
            file=sys.stderr,
        )
    judged = compare_runs(base.runs, new.runs, options, earlier_runs(base, new, parsed.history))
    titled = replace(judged, base_title=base.title, new_title=new.title)
    comparison = selected(titled, parsed.benchmark, parsed.metrics)
    write_comparison(comparison, parsed.format, parsed.all, parsed.output, parsed.csv_raw)
    if reason := nothing_compared(comparison):
        print(f"warning: {reason}", file=sys.stderr)
    return exit_code(comparison, base.runs)
