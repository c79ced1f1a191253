"""Prepares entries: takes the steps that each needs, once per run, and logs them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from examples_utils.console import Console
from examples_utils.execution.process import STDERR, run_process
from examples_utils.planning.folder_names import safe_name
from examples_utils.planning.hosts import Hosts
from examples_utils.planning.interpreter import Interpreter
from examples_utils.planning.options import CommandOptions
from examples_utils.planning.plan import PlannedVariant
from examples_utils.planning.preparation_steps import CannotPrepare, Step, preparation_steps
from examples_utils.problems import Place
from examples_utils.redaction.redactor import Redactor
from examples_utils.results.file_tail import tail


@dataclass
class Preparation:
    """Takes each step once per run, logged under `preparation` of the log folder."""

    log_folder: Path
    console: Console
    check_interruption: Callable[[], None]
    options: CommandOptions
    interpreter: Interpreter
    hosts: Hosts | None = None
    redactor: Redactor | None = None
    _outcomes: dict[tuple[str, ...], str | None] = field(default_factory=dict)
    _entries: dict[Place, str | None] = field(default_factory=dict)

    def prepare(self, planned: PlannedVariant) -> str | None:
        """Takes the steps that the variant's entry still needs. Returns the reason if it cannot run, else None."""
        entry = planned.benchmark.place
        if self.options.prepare and entry not in self._entries:
            given = self.options.requirements_file
            steps = preparation_steps(planned, self.interpreter, Path(given) if given else None)
            self._entries[entry] = self._take_all(steps, planned)
        return self._entries.get(entry) or self._take_all(self._copies(planned), planned)

    def _copies(self, planned: PlannedVariant) -> Iterator[Step]:
        for host, argv in self.hosts.copies(planned) if self.hosts else ():
            yield Step(("copy", *argv), f"copy to {host}", argv, planned.benchmark.folder)

    def _take_all(self, steps: Iterator[Step], planned: PlannedVariant) -> str | None:
        try:
            for step in steps:
                if step.key not in self._outcomes:
                    self._outcomes[step.key] = self._take(step, planned)
                if problem := self._outcomes[step.key]:
                    return problem
        except CannotPrepare as error:
            return str(error)
        return None

    def _take(self, step: Step, planned: PlannedVariant) -> str | None:
        if step.remark:
            self.console.warning(step.remark)
        if not step.argv:
            return None
        self.console.info(f"preparing {planned.benchmark.name}: {step.title}")
        folder = (
            self.log_folder / "preparation" / f"{len(self._outcomes) + 1:02}_{safe_name(step.title[:40])}"
        )
        folder.mkdir(parents=True, exist_ok=True)
        argv = step.argv
        if step.requirements is not None:
            argv = (*argv, str(_written(step.requirements, folder)))
        (folder / "command").write_text(self._kept(argv) + "\n", encoding="utf-8")
        environment = planned.command.environment(os.environ)
        outcome = run_process(argv, step.folder, environment, folder, None, self._watch, self.redactor)
        if self.redactor and step.requirements is not None:
            _written(self.redactor.text(step.requirements), folder)
        if not outcome.exitcode:
            return None
        last_lines = tail(folder / STDERR, 600).strip().splitlines()[-3:]
        details = f": {' | '.join(last_lines)}" if last_lines else ""
        return (
            f"its preparation failed ({step.title}; exit code {outcome.exitcode}; log in {folder}){details}"
        )

    def _kept(self, argv: Sequence[str]) -> str:
        return shlex.join(map(self.redactor.text, argv) if self.redactor else argv)

    def _watch(self) -> bool:
        self.check_interruption()
        return False


def _written(requirements: str, folder: Path) -> Path:
    """Writes the file of a step that installs them; the address of an index in it may hold a password."""
    file = folder / "requirements.txt"
    file.touch(0o600)
    file.write_text(requirements, "utf-8", "surrogateescape")
    return file
