"""Runs one command: its output goes straight to files, and none of its processes outlives it."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from examples_utils.execution.output_files import output_file
from examples_utils.execution.process_tree import MARK, end_all, outlived
from examples_utils.machine.adoption import adopted, adopting_orphans
from examples_utils.redaction.capture import Capture, capture
from examples_utils.redaction.redactor import Redactor

TIMED_OUT_EXITCODE = 124
STDOUT, STDERR = "stdout.log", "stderr.log"
"""The files of a command's output, under the names that the original runner gave them."""
_NOT_FOUND_EXITCODE = 127
_NOT_EXECUTABLE_EXITCODE = 126
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.02, 0.2


@dataclass(frozen=True)
class Outcome:
    """How a command ended. `leftovers` counts processes that outlived it and were terminated.

    A negative exit code is the signal that ended the command. `problem` is the reason if it did not start.
    """

    exitcode: int
    start: datetime
    end: datetime
    duration_s: float
    timed_out: bool = False
    leftovers: int = 0
    problem: str | None = None


def run_process(
    argv: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    output_folder: Path,
    timeout_s: float | None,
    watch: Callable[[], bool],
    redactor: Redactor | None = None,
) -> Outcome:
    """Executes `argv` in `folder`; its output is in `STDOUT` and `STDERR` of `output_folder`.

    With a `redactor`, the files hold the output without secrets.
    `watch` is called while the command runs and returns whether it saw new output (then it is called again
    soon). A timeout, or any exception such as Ctrl-C, terminates the command and all its children.
    """
    with (
        output_file(output_folder / STDOUT) as stdout,
        output_file(output_folder / STDERR) as stderr,
    ):
        marked = {**environment, MARK: str(output_folder)}
        with capture(stdout, stderr, output_folder, redactor) as output, adopting_orphans() as earlier:
            outcome = _run(argv, folder, marked, earlier, output, timeout_s, watch)
        if outcome.problem:
            _append(stderr, f"{redactor.text(outcome.problem) if redactor else outcome.problem}\n")
        if outcome.timed_out:
            _append(stderr, f"\nTimeout ({timeout_s:g})")
        return outcome


def _run(
    argv: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    earlier: frozenset[int],
    output: Capture,
    timeout_s: float | None,
    watch: Callable[[], bool],
) -> Outcome:
    mark = environment[MARK]
    start, begun = datetime.now(), time.perf_counter()
    try:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output.stdout,
            stderr=output.stderr,
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        problem = _explain(error, argv, folder)
        exitcode = _NOT_FOUND_EXITCODE if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE_EXITCODE
        return Outcome(exitcode, start, datetime.now(), time.perf_counter() - begun, problem=problem)
    try:
        in_time = _wait(process, earlier, timeout_s, _copying(output, watch))
    except BaseException:
        _end(process, mark, earlier)
        raise
    end, duration_s = datetime.now(), time.perf_counter() - begun
    leftovers = 0
    if not in_time:
        _end(process, mark, earlier)
    elif outlived(process.pid, mark, earlier, duration_s):
        leftovers = end_all(process.pid, mark, earlier)
    exitcode = process.returncode if in_time else process.returncode or TIMED_OUT_EXITCODE
    return Outcome(exitcode, start, end, duration_s, timed_out=not in_time, leftovers=leftovers)


def _copying(output: Capture, watch: Callable[[], bool]) -> Callable[[], bool]:
    """Returns `watch`, called after new output is in the log files."""

    def copy_and_watch() -> bool:
        copied = output.copy()
        return watch() or copied

    return copy_and_watch


def _wait(
    process: subprocess.Popen[bytes],
    earlier: frozenset[int],
    timeout_s: float | None,
    watch: Callable[[], bool],
) -> bool:
    """Waits for the end; returns False on a timeout."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    wait_s = _SHORTEST_WAIT_S
    with _end_signal(process) as wait_for_end:
        while True:
            left_s = wait_s if deadline is None else min(wait_s, deadline - time.monotonic())
            if left_s <= 0:
                return process.poll() is not None
            if wait_for_end(left_s):
                process.wait()
                return True
            adopted(process.pid, earlier)  # those that have ended must not fill the table of processes
            wait_s = _SHORTEST_WAIT_S if watch() else min(wait_s * 1.5, _LONGEST_WAIT_S)


@contextlib.contextmanager
def _end_signal(process: subprocess.Popen[bytes]) -> Iterator[Callable[[float], bool]]:
    """Yields a function that waits up to a number of seconds and returns whether the process has ended."""
    if not hasattr(os, "pidfd_open"):

        def poll_end(seconds: float) -> bool:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
            return True

        yield poll_end
        return
    # A pidfd reports the end of the process at once; Popen.wait with a timeout would poll.
    descriptor = os.pidfd_open(process.pid)
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    try:
        yield lambda seconds: bool(poller.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def _end(process: subprocess.Popen[bytes], mark: str, earlier: frozenset[int]) -> None:
    end_all(process.pid, mark, earlier)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1)


def _explain(error: Exception, argv: Sequence[str], folder: Path) -> str:
    if not argv:
        return "the command has no words: its parameters and variables are empty"
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        return f"the folder {folder} does not exist"
    if isinstance(error, FileNotFoundError):
        return f"the command {argv[0]!r} was not found"
    if isinstance(error, PermissionError):
        return f"the command {argv[0]!r} is not executable"
    return f"the command {argv[0]!r} cannot be started: {error}"


def _append(file: BinaryIO, text: str) -> None:
    file.seek(0, os.SEEK_END)
    file.write(text.encode(errors="replace"))
    file.flush()
