"""Runs a program that receives SIGTERM when its parent ends: `end_with_parent.py PARENT_PID PROGRAM ARG…`.

A separate script, not a hook between fork and exec, where a process with threads may do next to nothing.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2); preserved through exec

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)  # the parent ended before the call
    os.execv(sys.argv[2], sys.argv[2:])
