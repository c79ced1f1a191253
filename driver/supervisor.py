"""A thin parent process, which forwards signals to the driver, and names the engine if one crashes the driver.

It must be entered before numpy or any engine is imported: forking a single-threaded process is safe, and a small parent
costs next to nothing. While the driver runs, it waits in one system call and uses no CPU time.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

INTERRUPTED = "interrupted: the run is incomplete, so there are no results"

_PR_SET_PDEATHSIG = 1  # prctl(2)
_SI_KERNEL = 0x80  # sigaction(2): sent by the kernel, so from a terminal, which sends it to the driver too
_SAME_CTRL_C_S = 0.5

FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}
"""Signals that code raises in its own process. All others come from outside, and say nothing about an engine."""

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

    Returns 1, with a message on stderr, if the child crashed, or if the kernel killed it; 128 + N if another signal N
    ended it, from outside. Forwards signals sent to this process. If this process is killed, so is the child. Without
    fork or sigwaitinfo (Windows, macOS), runs `main` in this process.
    """
    _open_closed_streams()
    if not (hasattr(os, "fork") and hasattr(signal, "sigwaitinfo")):
        return main()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if ignored, the end of a child cannot be waited for
    watched = signal.valid_signals() - _NOT_FORWARDED | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    _keep_breadcrumbs()
    parent = os.getpid()
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
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end needs no second Ctrl-C
    return _exit_code(child, *_wait(child, watched))


def _open_closed_streams() -> None:
    """Opens /dev/null for each standard stream that is closed: the next file to be opened would take its place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - for as long as the process lives


def _keep_breadcrumbs() -> None:
    """Puts the path of a file for breadcrumbs into the environment. It is in memory, so it ends with this process."""
    from backends.breadcrumbs import BREADCRUMBS

    descriptor = os.memfd_create("breadcrumbs")
    os.environ[BREADCRUMBS] = f"/proc/{os.getpid()}/fd/{descriptor}"


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


def _wait(child: int, watched: set[signal.Signals]) -> tuple[int, set[int]]:
    """Forwards signals until the child has ended.

    Returns its exit code, or minus the signal that ended it, and the signals that were forwarded.
    """
    forwarded: set[int] = set()
    while True:
        received = signal.sigwaitinfo(watched)
        if received.si_signo != signal.SIGCHLD:
            if received.si_code != _SI_KERNEL:
                forwarded.add(received.si_signo)
                os.kill(child, received.si_signo)
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), forwarded


def _exit_code(child: int, ended: int, forwarded: set[int]) -> int:
    if ended >= 0:
        return ended
    number = -ended
    if number != signal.SIGKILL and (number not in FAULTS or number in forwarded):
        name = signal.Signals(number).name
        print(f"ended by {name}: the run is incomplete, so there are no results", file=sys.stderr)
        return 128 + number
    from driver.crashes import crash_of, remember  # not before: it loads modules that only the driver needs

    crash = crash_of(child, number)
    print(f"error: {crash.message}", file=sys.stderr)
    remember(crash)
    return 1
