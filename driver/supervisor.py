"""A thin parent process, which forwards signals to the driver, and names the engine if one crashes the driver.

It must be entered before numpy or any engine is imported: forking a single-threaded process is safe, and a small parent
costs next to nothing. While the driver runs, it waits in one system call and uses no CPU time.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

INTERRUPTED = "interrupted: the run is incomplete, so there are no results"

BREADCRUMBS_PREFIX = "benchmark-breadcrumbs-"

_PR_SET_PDEATHSIG = 1  # prctl(2)
_SI_KERNEL = 0x80  # sigaction(2): sent by the kernel, so from a terminal, which sends it to the driver too
_SAME_CTRL_C_S = 0.5

_REQUESTED = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
"""Signals with which a user, a launcher or a terminal ends a run; shells report them as exit code 128 + N."""

_NOT_FORWARDED = {
    signal.SIGKILL,
    signal.SIGSTOP,  # these two cannot be caught
    signal.SIGCHLD,
    signal.SIGTSTP,  # job control stops and continues whole process groups
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGCONT,
}


def supervised(main: Callable[[], int]) -> int:
    """Runs `main` in a child process and returns its exit code there; in this process, the child's exit code.

    Returns 128 + N if signal N requested the end of the child (SIGHUP, SIGINT, SIGQUIT, SIGTERM); and 1, with a message
    on stderr, if another signal ended it, from a crash of an engine or from the kernel. Forwards signals sent to this
    process. If this process is killed, so is the child. Without fork or sigwaitinfo (Windows, macOS), runs `main` in
    this process.
    """
    if not (hasattr(os, "fork") and hasattr(signal, "sigwaitinfo")):
        return main()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if ignored, the end of a child cannot be waited for
    watched = signal.valid_signals() - _NOT_FORWARDED | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    breadcrumbs, parent = _breadcrumbs(), os.getpid()
    child = os.fork()
    if child == 0:
        _die_with(parent)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _one_interrupt_for_each_ctrl_c())
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            return main()
        except KeyboardInterrupt:  # before `main` was ready to report it
            print(INTERRUPTED, file=sys.stderr)
            return 130
    try:
        return _exit_code(child, _wait(child, watched))
    finally:
        if breadcrumbs:
            Path(breadcrumbs).unlink(missing_ok=True)


def _breadcrumbs() -> str | None:
    """Creates a file for breadcrumbs and sets its path in the environment; None if it cannot be created."""
    from backends.breadcrumbs import BREADCRUMBS

    try:
        descriptor, path = tempfile.mkstemp(prefix=BREADCRUMBS_PREFIX)
    except OSError:
        os.environ.pop(BREADCRUMBS, None)  # it would be another run's
        return None
    os.close(descriptor)
    os.environ[BREADCRUMBS] = path
    return path


def _die_with(parent: int) -> None:
    """Makes the kernel kill this process if its parent ends first."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it ended before the kernel knew


def _one_interrupt_for_each_ctrl_c() -> Callable[[int, FrameType | None], None]:
    """A handler that raises KeyboardInterrupt once, even if a signal to the process group arrives twice."""
    last_s = float("-inf")

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        repeated, last_s = now_s - last_s < _SAME_CTRL_C_S, now_s
        if not repeated:
            signal.default_int_handler(number, frame)

    return interrupt


def _wait(child: int, watched: set[signal.Signals]) -> int:
    """Forwards signals until the child has ended. Returns its exit code, or minus the signal that ended it."""
    while True:
        received = signal.sigwaitinfo(watched)
        if received.si_signo != signal.SIGCHLD:
            if received.si_code != _SI_KERNEL:
                os.kill(child, received.si_signo)
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)


def _exit_code(child: int, ended: int) -> int:
    if ended >= 0:
        return ended
    number = -ended
    if number in _REQUESTED:
        name = signal.Signals(number).name
        print(f"ended by {name}: the run is incomplete, so there are no results", file=sys.stderr)
        return 128 + number
    from driver.crashes import crash_of, remember  # not before: it loads modules that only the driver needs

    crash = crash_of(child, number)
    print(f"error: {crash.message}", file=sys.stderr)
    remember(crash)
    return 1
