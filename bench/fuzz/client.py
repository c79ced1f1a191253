"""Starts the worker process, passes it command lines, and ends it if one hangs."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.fuzz.corpus import ROOT

_START_S = 120  # imports, on a machine that does much else
_STALL_S = 60
_SHOWN_BYTES = 200_000
_REQUESTS_PER_WORKER = 1500  # it keeps what earlier commands have cached


@dataclass(frozen=True)
class Answer:
    """What a command line did. `hung` holds the stack at which it was stopped; `died` that its process ended."""

    exitcode: Any
    stdout: str
    stderr: str
    traceback: str | None = None
    hung: str | None = None
    died: str | None = None
    violations: tuple[str, ...] = ()
    peak_mib: float = 0


class Client:
    """One worker at a time, in a session of its own; a context manager."""

    def __init__(self, scratch: Path, memory_mib: int) -> None:
        self._folder, self._memory_mib = scratch / "worker", memory_mib
        self.working_folder = self._folder / "current"
        self.working_folder.mkdir(parents=True)
        self._process: subprocess.Popen[str] | None = None
        self._requests = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.restart()

    def run(self, arguments: Sequence[str], allowed: Sequence[Path], limit_s: float) -> Answer:
        """Runs one command line in the worker; `allowed` is what it may write."""
        if self._requests >= _REQUESTS_PER_WORKER:
            self.restart()
        process = self._process = self._process or self._started()
        self._requests += 1
        stdout, stderr = self._folder / "stdout", self._folder / "stderr"
        request = {
            "arguments": arguments,
            "stdout": str(stdout),
            "stderr": str(stderr),
            "allowed": [str(self._folder), *(os.path.realpath(path) for path in allowed)],
        }
        assert process.stdin is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        line = _line_within(process, limit_s)
        if line is None:
            stack = self._stack(process)
            self.restart()
            return Answer(None, _start(stdout), _start(stderr), hung=stack)
        if not line:
            exitcode = process.wait()
            self.restart()
            return Answer(None, _start(stdout), _start(stderr), died=f"exit status {exitcode}")
        answer = json.loads(line)
        return Answer(
            answer["exitcode"],
            _start(stdout),
            _start(stderr),
            traceback=answer["traceback"],
            violations=tuple(answer["violations"]),
            peak_mib=answer["peak_mib"],
        )

    def restart(self) -> None:
        """Ends the worker and what it started; the next command line starts a fresh one."""
        process, self._process, self._requests = self._process, None, 0
        if process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        process.kill()
        with process:
            process.wait()

    def _started(self) -> subprocess.Popen[str]:
        environment = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.fuzz.worker", str(self._memory_mib)],
            cwd=self.working_folder,
            env={**environment, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1",
                 "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )  # fmt: skip
        if not _line_within(process, _START_S):
            process.kill()
            raise RuntimeError("the worker did not start")
        return process

    def _stack(self, process: subprocess.Popen[str]) -> str:
        """Where the worker is, as its fault handler writes it on SIGUSR1."""
        file = self._folder / "stderr.stack"
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGUSR1)
        until = time.monotonic() + _STALL_S
        while time.monotonic() < until and not _start(file):
            time.sleep(0.02)
        return _start(file) or "no stack: it did not return to Python"


def _line_within(process: subprocess.Popen[str], limit_s: float) -> str | None:
    """Returns the next line, "" at the end, or None if none came within so much processor time.

    A busy machine may stall for longer than a command may take, so one that waits is given up later.
    """
    assert process.stdout is not None
    used_s, until_s = _processor_s(process), time.monotonic() + _STALL_S + limit_s
    while time.monotonic() < until_s and _processor_s(process) - used_s < limit_s:
        if select.select([process.stdout], [], [], limit_s / 10)[0]:
            return process.stdout.readline()
    return None


def _processor_s(process: subprocess.Popen[str]) -> float:
    """The processor time of the process, and of its children that have ended."""
    return sum(psutil.Process(process.pid).cpu_times()[:4])


def _start(file: Path) -> str:
    if not file.exists():
        return ""
    with file.open("rb") as stream:
        return stream.read(_SHOWN_BYTES).decode(errors="replace")
