"""The `nightly` command."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from examples_utils.cli.selection import command_options, selection_of
from examples_utils.comparison.options import CompareOptions
from examples_utils.planning.options import RunOptions
from examples_utils.problems import RequestError
from examples_utils.results.log_folder import time_stamped

# Imported late, at the end of the night, by comparison and report.
_NEEDED = ("alembic", "jinja2", "numpy", "scipy", "sqlalchemy")

_OF_ACCEPT = ("accept", "reason", "history")


def nightly(parsed: argparse.Namespace) -> int:
    """Runs a night, or accepts a regression. Raises RequestError if the request is wrong; then nothing has run."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise RequestError(f"nightly needs {', '.join(missing)}, not installed: pip install -e '.[history]'")
    if parsed.accept or parsed.reason is not None:
        return _accept(parsed)
    from examples_utils.nightly.night import NightOptions, run_night

    log_dir = parsed.log_dir or str(time_stamped(Path("logs")))
    return run_night(
        NightOptions(
            run=RunOptions(
                selection=selection_of(parsed),
                command=command_options(parsed, log_dir),
                quiet=parsed.quiet,
                repeat=parsed.repeat,
                shuffle=parsed.shuffle,
                canary=True,
            ),
            compare=CompareOptions(threshold=parsed.threshold, window_nights=parsed.window),
            history=parsed.history,
            log_dir=log_dir,
            report=Path(parsed.report) if parsed.report else None,
            lock=Path(parsed.lock),
            show_all=parsed.all,
        )
    )


def _accept(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.arguments.parser import make_parser
    from examples_utils.cli.history.accept import accept

    if not parsed.accept:
        raise RequestError(
            "--reason: is that of --accept BENCHMARK[:METRIC]; leave it out, or name what to accept"
        )
    if parsed.reason is None:
        raise RequestError("--accept: needs the reason, which the report shows: --reason TEXT")
    usual = vars(make_parser().parse_args(["nightly"])) | {name: getattr(parsed, name) for name in _OF_ACCEPT}
    for name, value in vars(parsed).items():
        if value != usual[name]:
            option = f"--{name.replace('_', '-')}"
            raise RequestError(f"{option}: has no effect with --accept, which runs nothing; leave it out")
    print("\n".join(accept(parsed.accept, parsed.reason, None, parsed.history)))
    return 0
