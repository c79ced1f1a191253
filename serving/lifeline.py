"""Runs a program that is told to end when its parent does, however that ends: `lifeline.py PARENT_PID PROGRAM ARG…`.

A script of its own and not a hook between fork and exec, where a process with threads may do next to nothing.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2); it lasts through exec

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)  # the parent was gone before the kernel knew of our wish
    os.execv(sys.argv[2], sys.argv[2:])
