"""A process in which many command lines run, one after the other, with a limit of memory.

Reads one request per line from stdin, as JSON, and answers each with one line. A request has `arguments` (the command
line), `stdout` and `stderr` (files for its output) and `allowed` (what it may write).
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import psutil

import examples_utils.cli
import examples_utils.comparison
import examples_utils.history
from bench.fuzz.guard import install_guard

MIB = 2**20
# Imported before memory is limited: the limit is for what a command allocates, not for what it imports.
_PACKAGES = (examples_utils.cli, examples_utils.comparison, examples_utils.history)


def main() -> None:
    """Prints a line when ready, then answers requests until stdin ends.

    `argv[1]` is the number of MiB that a command may allocate.
    """
    for package in _PACKAGES:
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in module.name:
                import_module(module.name)
    most = psutil.Process().memory_info().vms + int(sys.argv[1]) * MIB
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    answers = os.fdopen(os.dup(1), "w")
    print("ready", file=answers, flush=True)
    peak = os.open("/proc/self/clear_refs", os.O_WRONLY)
    allowed: list[str] = []
    take_violations = install_guard(allowed)
    for line in sys.stdin:
        request = json.loads(line)
        os.write(peak, b"5")  # from now on it is that of this command
        allowed[:] = request["allowed"]
        answer = _run(request["arguments"], request["stdout"], request["stderr"])
        allowed[:] = [os.sep]
        answer["violations"] = take_violations()
        answer["peak_mib"] = _peak_mib()
        print(json.dumps(answer), file=answers, flush=True)


def _run(arguments: Sequence[str], stdout: str, stderr: str) -> dict[str, Any]:
    """Runs one command line; its output goes to the files. Returns its exit code, or the traceback."""
    with _redirected(stdout, 1), _redirected(stderr, 2), open(stderr + ".stack", "w") as stack:  # noqa: PTH123
        # With SIGUSR1 the parent asks where a command hangs.
        faulthandler.register(signal.SIGUSR1, file=stack)
        try:
            return {"exitcode": examples_utils.cli.main(arguments), "traceback": None}
        except SystemExit as end:
            return {"exitcode": end.code, "traceback": None}
        except BaseException:
            return {"exitcode": None, "traceback": traceback.format_exc(limit=-30)}
        finally:
            faulthandler.unregister(signal.SIGUSR1)
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()


def _peak_mib() -> float:
    # Not getrusage's: that includes the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextlib.contextmanager
def _redirected(name: str, descriptor: int) -> Any:
    kept = os.dup(descriptor)
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(file, descriptor)
    os.close(file)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)


if __name__ == "__main__":
    main()
