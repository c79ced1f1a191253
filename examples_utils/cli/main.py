"""The command line of the runner. Each command imports its modules when it runs, so that --help is fast."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from examples_utils.cli.arguments.long_names import refuse_long_names
from examples_utils.cli.arguments.parser import make_parser
from examples_utils.original import command_remedy


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command. Returns 0: all passed, 1: a benchmark failed or regressed, 2: invalid request, 130: Ctrl-C."""
    commands: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "benchmark": _benchmark,
        "list": _list,
        "validate": _validate,
        "collect": _collect,
        "parse": _parse,
        "validate-results": _validate_results,
        "compare": _compare,
        "nightly": _nightly,
        "history": _history,
        "import": _import,
        "ab": _ab,
        "report": _report,
    }
    given = sys.argv[1:] if arguments is None else arguments
    if given and (remedy := command_remedy(given[0])):
        print(f"error: {remedy}", file=sys.stderr)
        return 2
    parsed = make_parser().parse_args(given)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    from examples_utils.problems import RequestError

    try:
        refuse_long_names(parsed)
        return commands[parsed.command](parsed)
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


def _benchmark(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.benchmark import benchmark

    return benchmark(parsed)


def _list(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.list import list_variants

    return list_variants(parsed)


def _validate(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.validate import validate

    return validate(parsed)


def _collect(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.collect import collect

    return collect(parsed)


def _parse(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.parse import parse

    return parse(parsed)


def _validate_results(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.validate_results import validate_results

    return validate_results(parsed)


def _compare(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.compare import compare

    return compare(parsed)


def _nightly(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.nightly import nightly

    return nightly(parsed)


def _history(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.history.commands import run_history

    return run_history(parsed)


def _import(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.import_results import run_import

    return run_import(parsed)


def _ab(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.ab import ab

    return ab(parsed)


def _report(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.report import report

    return report(parsed)
