"""Running two arms alternately, so that any disturbance of the machine affects both."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from examples_utils.ab.arms import Arm
from examples_utils.comparison.compare_runs import compare_runs
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.verdicts import Comparison
from examples_utils.console import Console
from examples_utils.execution.runner import Runner, Turn, open_runner, title
from examples_utils.history.readers.results import read_results
from examples_utils.machine.load import OtherLoad
from examples_utils.planning.plan import PlannedVariant
from examples_utils.results.exports import collect
from examples_utils.results.log_folder import new_log_folder
from examples_utils.run_model import Run

BASE, NEW = 0, 1
FOLDERS = ("base", "new")


def interleaved(
    base: Sequence[PlannedVariant], new: Sequence[PlannedVariant], rounds: range
) -> Iterator[tuple[int, Turn]]:
    """Returns the order of execution: each variant on both arms in succession; the first arm alternates every round."""
    by_key = [{planned.key: planned for planned in arm} for arm in (base, new)]
    for number in rounds:
        order = (BASE, NEW) if number % 2 else (NEW, BASE)
        for key in dict.fromkeys(chain.from_iterable(by_key)):
            for arm in order:
                if key in by_key[arm]:
                    yield arm, (by_key[arm][key], number)


@dataclass
class InterleavedRuns:
    """An A/B comparison in progress; each arm has its own log folder, in the layout of `benchmark`."""

    log_folder: Path
    arms: tuple[Arm, Arm]
    runners: tuple[Runner, Runner]
    console: Console
    check_interruption: Callable[[], None]
    finished_rounds: int = 0

    def run(self, rounds: int) -> None:
        """Runs this many more rounds. Raises Interrupted: the run was asked to stop; finished results are stored."""
        last = self.finished_rounds + rounds
        base, new = (arm.request.plan.variants for arm in self.arms)
        turns = list(interleaved(base, new, range(self.finished_rounds + 1, last + 1)))
        for count, (arm, turn) in enumerate(turns, 1):
            self.check_interruption()
            self.console.print(f"[{count}/{len(turns)}] {FOLDERS[arm]}: {title(*turn, last)}")
            # Always one of several, so that more rounds can follow in the same folders.
            self.runners[arm].run_turn(turn, max(last, 2))
        self.finished_rounds = last

    def measured(self) -> tuple[list[Run], list[Run]]:
        """Returns what both arms have measured so far. Raises RequestError if an arm has nothing."""
        base, new = (list(read_results(self.log_folder / name).runs) for name in FOLDERS)
        return base, new


@contextlib.contextmanager
def interleaved_runs(
    arms: tuple[Arm, Arm], log_folder: Path, console: Console, check_interruption: Callable[[], None]
) -> Iterator[InterleavedRuns]:
    """Opens the log folders `base` and `new` in `log_folder`, and writes their result files in the end.

    Raises:
        RequestError: The folders cannot be used.
    """
    other_load = OtherLoad()
    with contextlib.ExitStack() as stack:
        runners = []
        for arm, name in zip(arms, FOLDERS, strict=True):
            request = arm.request
            log_dir = stack.enter_context(
                new_log_folder(str(log_folder / name), request.options, request.described())
            )
            runners.append(
                stack.enter_context(open_runner(request, log_dir, other_load, console, check_interruption))
            )
            stack.callback(collect, log_dir)
        yield InterleavedRuns(log_folder, arms, (runners[BASE], runners[NEW]), console, check_interruption)


def compared(
    runs: InterleavedRuns, base: Sequence[Run], new: Sequence[Run], options: CompareOptions
) -> Comparison:
    """Compares what `runs.measured()` returned. Raises RequestError if an arm is empty."""
    base_title, new_title = (runs.arms[arm].revision.title for arm in (BASE, NEW))
    return replace(compare_runs(base, new, options), base_title=base_title, new_title=new_title)
