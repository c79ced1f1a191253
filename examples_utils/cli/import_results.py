"""The `import` command: add results of other runners and tools to the history."""

from __future__ import annotations

import argparse

from examples_utils.cli.history.commands import add_all
from examples_utils.history.location import refuse_without_packages
from examples_utils.problems import RequestError


def run_import(parsed: argparse.Namespace) -> int:
    """Runs `import`. Raises RequestError."""
    refuse_without_packages()
    from examples_utils.history.readers.results import read_results
    from examples_utils.history.readers.tool_output import Origin, check_tool, origin_here, read_tool_output

    if parsed.parser is None:
        for option, given in (("--suite", parsed.suite), ("--measured-here", parsed.measured_here)):
            if given:
                raise RequestError(
                    f"{option}: result files contain this themselves; leave it out, or name the --parser"
                )
        return add_all(parsed.files, read_results, parsed.history)
    check_tool(parsed.parser)
    origin = origin_here() if parsed.measured_here else Origin()
    suite = parsed.suite or "imported"
    return add_all(
        parsed.files, lambda file: read_tool_output(file, parsed.parser, suite, origin), parsed.history
    )
