"""A process that takes all the time of a core that it can get."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

HOG = "import os, sys, time\nos.sched_setaffinity(0, {int(sys.argv[1])})\nprint(flush=True)\nwhile True: pass"


@contextmanager
def hog(core: int) -> Iterator[psutil.Process]:
    """A busy process on the core that is no child of this one."""
    launcher = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', *sys.argv[1:]]).pid, flush=True)"
    done = subprocess.Popen(
        [sys.executable, "-c", launcher, HOG, str(core)], stdout=subprocess.PIPE, text=True
    )
    assert done.stdout is not None
    process = psutil.Process(int(done.stdout.readline()))
    try:
        done.wait()
        done.stdout.readline()  # it is busy from now on
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            process.kill()
        done.stdout.close()


def used_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)
