"""The command line of the runner. Each command imports its modules when it runs, so that --help is fast."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from examples_utils.cli.arguments.long_names import refuse_long_names
from examples_utils.cli.arguments.parser import make_parser
from examples_utils.cli.display import displays
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
    "doctor": "doctor:doctor",
}
_KEEPS_FILES = ("benchmark", "nightly", "ab", "collect")
_GONE = "the current folder does not exist any more; change to another one with cd"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command. Returns 0: all passed, 1: a benchmark failed or regressed, 2: invalid request, 130: Ctrl-C."""
    given = sys.argv[1:] if arguments is None else arguments
    if given and (remedy := command_remedy(given[0])):
        print(f"error: {remedy}", file=sys.stderr)
        return 2
    with displays() as display:
        escape_on_terminals()
        parsed = make_parser().parse_args(given)
        exitcode = _run(parsed)
        sys.stdout.flush()
        lost = display and display.error
        # After `list | head`, nothing is wrong; what a run or `collect` prints is in its files.
        if not lost or isinstance(lost, BrokenPipeError) or parsed.command in _KEEPS_FILES:
            return exitcode
        print(f"error: stdout cannot be written: {lost.strerror}", file=sys.stderr)
        return exitcode or 2


def _run(parsed: argparse.Namespace) -> int:
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
        if _current_folder_is_gone():
            print(_GONE, file=sys.stderr)
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
        print(f"error: {_explained(error)}", file=sys.stderr)
        return 2


def _explained(error: OSError) -> str:
    if _current_folder_is_gone():
        return _GONE
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _current_folder_is_gone() -> bool:
    try:
        Path.cwd()
    except OSError:
        return True
    return False


def _with_prefix(message: str) -> str:
    return message if ": error: " in message else f"error: {message}"
