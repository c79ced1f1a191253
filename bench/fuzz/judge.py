"""Tries a case, and finds the first fault: a traceback, a hang, much memory, a wrong exit code or a file outside."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.fuzz.case import Case
from bench.fuzz.client import Answer, Client
from bench.fuzz.corpus import LogFolder
from bench.fuzz.targets import Step, steps_of

MEMORY_MIB = 500
_TRACEBACK = "Traceback (most recent call last)"
_OURS = re.compile(r'File "[^"]*/((?:examples_utils|benchmark_parsers)/[^"]+)", line \d+,? in (\S+)')
# A parser of ours that raises is a fault of ours, although the run survives it.
_PARSER_RAISED = re.compile(r"parser \w+ raised \w+")


@dataclass(frozen=True)
class Fault:
    """`signature` is equal for cases that fail in the same way.

    `is_certain` is false for one that the load of the machine or an earlier case may have caused.
    """

    signature: str
    details: str
    is_certain: bool = True


class Judge:
    """Tries cases in a scratch folder, with one client."""

    def __init__(self, client: Client, scratch: Path, run: LogFolder, base: Path) -> None:
        self._client, self._scratch, self.run, self._base = client, scratch, run, base

    def fault_of(self, case: Case) -> Fault | None:
        """Returns the first fault, or None."""
        folder = self._scratch / "case"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        steps = steps_of(case, folder, self.run, self._base)
        step = next(steps, None)
        while step is not None:
            before = self._files(folder)
            answer = self._client.run(step.arguments, step.writes, step.limit_s)
            if fault := self._fault(step, answer, self._files(folder) - before):
                return fault
            try:
                step = steps.send(answer)
            except StopIteration:
                return None
        return None

    def confirmed(self, case: Case, fault: Fault) -> Fault | None:
        """Tries the case again in a fresh worker, unless only the case itself can be the cause of its fault."""
        if fault.is_certain:
            return fault
        self._client.restart()
        return self.fault_of(case)

    def _files(self, folder: Path) -> set[Path]:
        return {path for place in (folder, self._client.working_folder) for path in place.rglob("*")}

    def _fault(self, step: Step, answer: Answer, added: set[Path]) -> Fault | None:
        command = " ".join(step.arguments[:2] if step.arguments[0] == "history" else step.arguments[:1])
        line = " ".join(step.arguments)
        outside = [path for path in added if not any(_is_of(path, allowed) for allowed in step.writes)]
        kind = details = ""
        if answer.hung is not None:
            kind, details = f"hangs in {_place(answer.hung, innermost_first=True)}", answer.hung
        elif answer.died:
            kind = details = f"process ends: {answer.died}"
        elif answer.traceback or _TRACEBACK in answer.stderr:
            details = answer.traceback or answer.stderr
            kind = f"{_exception(details)} in {_place(details)}"
        elif answer.peak_mib > MEMORY_MIB:
            kind, details = "memory", f"{answer.peak_mib:.0f} MiB"
        elif answer.violations:
            kind, details = (
                f"touches what it must not: {answer.violations[0].split()[0]}",
                "\n".join(answer.violations),
            )
        elif outside:
            kind, details = "files outside the log folder", "\n".join(map(str, sorted(outside)))
        elif answer.exitcode not in step.exitcodes:
            kind, details = f"exit code {answer.exitcode}", answer.stdout[-2000:] + answer.stderr[-2000:]
        elif answer.exitcode == 2 and not (answer.stdout + answer.stderr).strip():
            kind = details = "exit code 2 without a reason"
        elif raised := _PARSER_RAISED.search(answer.stdout + answer.stderr):
            kind, details = raised[0], answer.stdout[-2000:] + answer.stderr[-2000:]
        is_certain = answer.hung is None and answer.died is None and kind != "memory"
        return Fault(f"{command}: {kind}", f"{line}\n{details}", is_certain) if kind else None


def _is_of(path: Path, allowed: Path) -> bool:
    # SQLite keeps its journal next to the database.
    return path == allowed or allowed in path.parents or path.name.startswith(f"{allowed.name}-")


def _place(trace: str, *, innermost_first: bool = False) -> str:
    places = [f"{file} {function}" for file, function in _OURS.findall(trace)]
    return places[0 if innermost_first else -1] if places else "foreign code"


def _exception(trace: str) -> str:
    named = [
        line for line in trace.splitlines() if re.match(r"[\w.]+(Error|Exception|Interrupt|Warning)\b", line)
    ]
    return re.split(r"[:\s]", named[-1])[0] if named else "an exception"
