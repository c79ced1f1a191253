"""``compare``: two runs, or several, against each other."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from examples_utils.comparison.judge import compare_runs
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.saying import check_output, exit_code, say
from examples_utils.comparison.selection import selected
from examples_utils.comparison.sources import read_sides


def compare(parsed: argparse.Namespace) -> int:
    """Says the comparison. 1 if something regressed or newly failed.

    Raises:
        RequestError: a reference, a pattern or an option is wrong.
    """
    check_output(parsed.format, parsed.all, parsed.output)
    options = CompareOptions(threshold=parsed.threshold)
    base, new = read_sides(parsed.base, parsed.new, parsed.history)
    for warning in (*base.warnings, *new.warnings):
        print(f"warning: {warning}", file=sys.stderr)
    judged = compare_runs(base.runs, new.runs, options)
    titled = replace(judged, base_title=base.title, new_title=new.title)
    comparison = selected(titled, parsed.benchmark, parsed.metrics)
    say(comparison, parsed.format, parsed.all, parsed.output)
    return exit_code(comparison, base.runs)
