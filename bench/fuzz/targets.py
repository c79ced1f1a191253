"""The command lines that read a case, in order; what each may write, and the exit codes that it may have."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.fuzz.case import Case
from bench.fuzz.client import Answer
from bench.fuzz.corpus import LogFolder

HANG_S = 5.0
_MOST_LINES = 20  # of the plan of a spec that is really run
_LONGEST_COMMAND_S = 0.3
_COMPARED = frozenset({0, 1, 2, 3})


@dataclass(frozen=True)
class Step:
    """One command line."""

    arguments: tuple[str, ...]
    writes: tuple[Path, ...] = ()
    exitcodes: frozenset[int] = frozenset({0, 1, 2})
    limit_s: float = HANG_S


Steps = Generator[Step, Answer, None]


def steps_of(case: Case, folder: Path, run: LogFolder, base: Path) -> Steps:
    """Writes the case into the folder and yields its command lines. `base` is the result file of another run."""
    return _STEPS[case.kind](case, folder, run, base)


def _spec_steps(case: Case, folder: Path, run: LogFolder, _base: Path) -> Steps:
    file, log, history = folder / "spec.yml", folder / "log", folder / "history.db"
    file.write_bytes(case.content(folder))
    spec = ("--spec", str(file))
    yield Step(("validate", *spec))
    yield Step(("list", *spec))
    yield Step(("list", *spec, "--format", "json"))
    plan = yield Step(("benchmark", *spec, "--dry-run"))
    lines = plan.stdout.count("\n")
    if plan.exitcode != 0 or lines > _MOST_LINES:
        return
    limit_s = HANG_S + lines * 2 * _LONGEST_COMMAND_S
    options = ("--log-dir", str(log), "--timeout", str(_LONGEST_COMMAND_S), "--repeat", str(1 + lines % 2))
    done = yield Step(("benchmark", *spec, *options), (log,), limit_s=limit_s)
    if done.exitcode not in (0, 1):
        return
    history.write_bytes(run.history)
    finished = frozenset({0, 1})
    yield Step(("validate-results", str(log / "benchmark_results.json")), exitcodes=frozenset({0}))
    yield Step(("collect", str(log)), (log,), frozenset({done.exitcode}))
    yield Step(("benchmark", "--resume", str(log)), (log,), finished, limit_s)
    yield Step(("history", "add", str(log), "--history", str(history)), (history,), frozenset({0}))


def _record_steps(case: Case, folder: Path, run: LogFolder, base: Path) -> Steps:
    log, history = folder / "log", folder / "history.db"
    run.write(folder)
    (log / case.name).write_bytes(case.content(folder))
    yield Step(("history", "add", str(log), "--history", str(history)), (history,))
    yield Step(("compare", str(base), str(log), "--history", str(history)), (history,), _COMPARED)
    yield Step(("collect", str(log)), (log,))
    yield Step(("benchmark", "--resume", str(log)), (log,), limit_s=2 * HANG_S)
    yield Step(
        ("benchmark", "--spec", str(folder / "spec.yml"), "--log-dir", str(log)), (log,), limit_s=2 * HANG_S
    )


def _results_steps(case: Case, folder: Path, run: LogFolder, base: Path) -> Steps:
    file, history = folder / "results.json", folder / "history.db"
    file.write_bytes(case.content(folder))
    history.write_bytes(run.history)
    there = ("--history", str(history))
    yield Step(("validate-results", str(file)))
    yield Step(("compare", str(base), str(file), *there), (history,), _COMPARED)
    yield Step(("compare", str(file), str(base), "--all", "--format", "json", *there), (history,), _COMPARED)
    yield Step(("history", "add", str(file), *there), (history,))
    yield Step(("import", str(file), *there), (history,))
    yield Step(("history", "show", "latest", *there), (history,))


def _output_steps(case: Case, folder: Path, run: LogFolder, _base: Path) -> Steps:
    file, history = folder / "output.txt", folder / "history.db"
    file.write_bytes(case.content(folder))
    yield Step(("parse", "--parser", case.name, "--stdout", str(file)))
    history.write_bytes(run.history)
    there = ("--history", str(history))
    yield Step(("import", str(file), "--parser", case.name, *there), (history,))
    yield Step(("history", "show", "latest", *there), (history,))


_STEPS: Mapping[str, Callable[[Case, Path, LogFolder, Path], Steps]] = {
    "spec": _spec_steps,
    "record": _record_steps,
    "results": _results_steps,
    "output": _output_steps,
}
