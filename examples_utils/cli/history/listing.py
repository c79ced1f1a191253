"""`history list`: runs as a table, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from examples_utils.history.database.summaries import RunSummary
from examples_utils.results.tables import plain_table

_HEADER = (
    "run",
    "started (UTC)",
    "commit",
    "branch",
    "machine",
    "suites",
    "passed",
    "failed",
    "skipped",
    "not run",
)


def listing(runs: Sequence[RunSummary], form: str) -> str:
    """Returns the runs in the order given; `form` is `table` or `json`."""
    if form == "json":
        return json.dumps([asdict(run) for run in runs], indent=2)
    return plain_table(_HEADER, [_row(run) for run in runs], numeric=(6, 7, 8, 9))


def commit_text(commit: str | None, dirty: bool | None) -> str:
    """Returns the short commit; `+` means that tracked files were changed."""
    return f"{commit[:12]}{'+' if dirty else ''}" if commit else "-"


def _row(run: RunSummary) -> tuple[str, ...]:
    return (
        run.run_id,
        run.started_utc[:19].replace("T", " "),
        commit_text(run.commit, run.dirty),
        run.branch or "-",
        run.machine_name or run.hostname or "-",
        ", ".join(run.suites),
        *(str(count) for count in (run.passed, run.failed, run.skipped, run.not_run)),
    )
