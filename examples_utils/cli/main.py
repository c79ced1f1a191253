"""The command line of the runner. Each command imports its modules when it runs, so that --help is fast."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from examples_utils.cli.arguments.long_names import refuse_long_names
from examples_utils.cli.arguments.parser import make_parser
from examples_utils.control_characters import escape_on_terminals
from examples_utils.original import command_remedy

# The module and the function of each command.
_COMMANDS = {
    "benchmark": "benchmark:benchmark",
    "list": "list:list_variants",
    "validate": "validate:validate",
    "collect": "collect:collect",
    "parse": "parse:parse",
    "validate-results": "validate_results:validate_results",
    "compare": "compare:compare",
    "nightly": "nightly:nightly",
    "history": "history.commands:run_history",
    "import": "history.commands:run_import",
    "ab": "ab:ab",
    "report": "report:report",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command. Returns 0: all passed, 1: a benchmark failed or regressed, 2: invalid request, 130: Ctrl-C."""
    escape_on_terminals()
    given = sys.argv[1:] if arguments is None else arguments
    if given and (remedy := command_remedy(given[0])):
        print(f"error: {remedy}", file=sys.stderr)
        return 2
    parsed = make_parser().parse_args(given)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    from pkgutil import resolve_name

    from examples_utils.problems import RequestError

    try:
        refuse_long_names(parsed)
        command: Callable[[argparse.Namespace], int] = resolve_name(
            f"examples_utils.cli.{_COMMANDS[parsed.command]}"
        )
        return command(parsed)
    except RequestError as error:
        print(_with_prefix(str(error)), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        print(
            f"error: {parsed.command} needs {error.name}, which is not installed: "
            "activate the environment (. .venv/bin/activate), or pip install -e '.[history]'",
            file=sys.stderr,
        )
        return 2
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            return _handle_closed_pipe()
        print(
            f"error: {error}; finished results are in the log folder: continue with --resume", file=sys.stderr
        )
        return 1


def _handle_closed_pipe() -> int:
    """Handles a closed pipe, as after `list | head`, so that Python does not complain again when it closes stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _with_prefix(message: str) -> str:
    return message if ": error: " in message else f"error: {message}"
