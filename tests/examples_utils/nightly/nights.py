"""A workplace for nights: benchmarks whose figures a seed decides, and a history of nights that went before."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from examples_utils.history.store import open_history
from examples_utils.machine.fingerprint import machine_fingerprint
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey
from tests.examples_utils.conftest import Done, Workplace

SUITE = "benchmarks.yml"
CANARY_S = {"compute": 0.006, "memory": 0.009}
NOISE = 0.01
# Prints this execution's level from its file (the last line for all later ones), with 1% noise.
BENCH = """
import pathlib, random, sys
name = sys.argv[1]
levels = pathlib.Path(f"levels_{name}").read_text().split()
count = pathlib.Path(f"count_{name}")
number = int(count.read_text()) if count.exists() else 0
count.write_text(str(number + 1))
level = float(levels[min(number, len(levels) - 1)])
print(f"throughput: {level * random.Random(f'{name}{number}').gauss(1, 0.01)} samples/sec")
"""
ENTRY = """
{name}:
  cmd: python3 bench.py {name}
  data: {{throughput: {{regexp: 'throughput: (.*?) samples/sec'}}}}
"""


@dataclass
class NightPlace:
    """`slowness` is how much longer the canary takes tonight: 1.06 for 6%."""

    workplace: Workplace
    slowness: float = 1.0
    nights: int = 0

    @property
    def folder(self) -> Path:
        return self.workplace.folder

    @property
    def log(self) -> Path:
        """Of the last night."""
        return self.folder / f"logs/{self.nights}"

    @property
    def verdict(self) -> dict[str, Any]:
        """Of the last night."""
        return json.loads((self.log / "nightly_verdict.json").read_text())

    def benchmarks(self, **levels: str | float) -> None:
        """Entries of these names; a level is a figure, or several of them: one for each execution."""
        self.workplace.script("bench.py", BENCH)
        self.workplace.spec("".join(ENTRY.format(name=name) for name in levels))
        for name, level in levels.items():
            self.workplace.script(f"levels_{name}", str(level))

    def executions(self, name: str) -> int:
        """How often this benchmark was run."""
        return int((self.folder / f"count_{name}").read_text())

    def arguments(self, *more: str) -> list[str]:
        """Of the next night."""
        self.nights += 1
        lock = ["--lock", str(self.folder / "lock")]
        return ["nightly", "--log-dir", str(self.log), "--quiet", *lock, *more]

    def night(self, *more: str) -> Done:
        return self.workplace.command(*self.arguments(*more))

    def went_before(
        self, count: int, levels: Mapping[str, float], until_days_ago: int = 1, **changed: Any
    ) -> list[Run]:
        """Adds so many good nights to the history, one a day up to yesterday; `changed` replaces fields of them."""
        last = until_days_ago
        runs = [
            replace(earlier_night(days, levels), **changed) for days in range(last + count - 1, last - 1, -1)
        ]
        with open_history(str(self.folder / "history.db"), create=True) as history:
            for run in runs:
                history.add(run)
        return runs

    def stored(self) -> list[Run]:
        """All runs of the history, oldest first."""
        with open_history(str(self.folder / "history.db")) as history:
            return history.load([summary.run_id for summary in reversed(history.runs())])


def earlier_night(days_ago: int, levels: Mapping[str, float]) -> Run:
    """A good night of this machine: five values for each benchmark, and the canary that goes with them."""
    chance = random.Random(days_ago)
    keys = {name: VariantKey(SUITE, name, name) for name in levels}
    return Run(
        run_id=f"{days_ago:016x}",
        started_utc=(datetime.now(timezone.utc) - timedelta(days=days_ago)).isoformat(),
        machine=machine_fingerprint(),
        canary={
            kernel: tuple(seconds * chance.gauss(1, 0.003) for _ in range(5 * len(levels)))
            for kernel, seconds in CANARY_S.items()
        },
        variants={key: VariantFacts("passed") for key in keys.values()},
        metrics={
            MetricKey(*keys[name], "throughput"): Metric(
                tuple(level * chance.gauss(1, NOISE) for _ in range(5)), "samples/sec", "higher", "mean"
            )
            for name, level in levels.items()
        },
    )
