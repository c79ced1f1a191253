"""A night: measure, repeat what looks slower, keep, judge, report."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from examples_utils.comparison.formats import formatted
from examples_utils.comparison.nightly_judge import judge_night, suspects
from examples_utils.console import Console
from examples_utils.executor import Executor, executor
from examples_utils.figures import Run, VariantKey
from examples_utils.history.fingerprint import machine_key
from examples_utils.history.problems import HistoryError, UnreachableError
from examples_utils.history.reading import read_results
from examples_utils.history.store import open_history
from examples_utils.interruption import Interrupted, Interruption
from examples_utils.log_folder import new_log_folder, write_durably
from examples_utils.machine import git_state, machine_fingerprint
from examples_utils.machine_state import OtherLoad
from examples_utils.nightly.baseline import Baseline, Tonight, read_baseline
from examples_utils.nightly.lock import only_night
from examples_utils.nightly.options import NightOptions
from examples_utils.nightly.since import regressions
from examples_utils.nightly.verdict import Night, verdict_json, verdict_lines
from examples_utils.plan import schedule
from examples_utils.problems import RequestError
from examples_utils.request import Request, checked_request
from examples_utils.run import run_console, sum_up

VERDICT_FILE = "nightly_verdict.json"


def run_night(options: NightOptions) -> int:
    """A whole night. Gives the exit code: that of ``Night.exitcode``, or 128 + signal.

    Raises:
        RequestError: the request is wrong, or the history refuses; nothing has been run.
    """
    other_load = OtherLoad()
    request = checked_request(options.run, dict(os.environ))
    with only_night(options.lock):
        earlier = _Earlier(options, _tonight(request))
        earlier.read(at_start=True)
        variants = request.described()
        with (
            new_log_folder(options.log_dir, options.run, variants) as log_folder,
            run_console(request, log_folder) as console,
        ):
            return _run(options, request, log_folder, console, other_load, earlier)


class _Earlier:
    """The nights before, and why they could not be read, if they could not."""

    def __init__(self, options: NightOptions, tonight: Tonight) -> None:
        self._options, self._tonight = options, tonight
        self.baseline: Baseline | None = None
        self.problem: str | None = None

    def read(self, at_start: bool) -> None:
        """Reads them if that has not been done. Raises HistoryError at the start, unless it may work later."""
        if self.baseline is not None:
            return
        try:
            with open_history(self._options.history, create=True) as history:
                self.baseline = read_baseline(history, self._tonight, self._options.compare.nights_needed)
                self.problem = None
        except HistoryError as error:
            if at_start and not isinstance(error, UnreachableError):
                raise
            self.problem = str(error)
