"""A server that hangs."""

from __future__ import annotations

import os
import signal
import subprocess


def stop_in_place(process: subprocess.Popen[bytes]) -> None:
    """Stops a child with SIGSTOP and returns when all of its threads have stopped.

    The signal alone is only a request: on a busy machine a thread may still answer after it was sent.
    """
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
