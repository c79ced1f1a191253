"""The options of a night, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from examples_utils.comparison.options import CompareOptions
from examples_utils.planning.options import RunOptions


@dataclass(frozen=True)
class NightOptions:
    """`history` as for `location.history_url`; `report` is a file or folder, None for the log folder."""

    run: RunOptions
    compare: CompareOptions
    history: str | None
    log_dir: str | None
    report: Path | None
    lock: Path
    show_all: bool = False
