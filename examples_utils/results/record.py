"""The record of a variant: one element of the result file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta, timezone
from statistics import median
from typing import Any

from examples_utils.run_model import VariantKey

PASSED, FAILED, SKIPPED, NOT_RUN = "passed", "failed", "skipped", "not run"
# Of benchmark_parsers/result.schema.json; older records have none.
SCHEMA_VERSION = 1
Results = dict[str, dict[str, float | None]]
Execution = tuple[str, str, str, int]
"""What identifies a single execution in a log folder: its variant and its repetition."""


@dataclass(frozen=True)
class VariantResult:
    """The first block contains the keys that users' dashboards read; their names, types and text forms are fixed.

    `results` maps metric to reduction to value; times are local, as text; `params` are text.
    """

    benchmark_path: str
    benchmark_name: str
    variant_name: str
    params: dict[str, str]
    command: str
    results: dict[str, dict[str, Any]]
    start_time: str | None = None
    end_time: str | None = None
    compilation_end_time: str | None = None
    test_duration: str | None = None
    exitcode: int | None = None
    log_paths: dict[str, str] = field(default_factory=dict)
    latest_checkpoint_path: str | None = "None"
    sdk_path: str | None = None
    sdk_version: str | None = None

    status: str = PASSED
    reason: str | None = None
    timed_out: bool = False
    duration_s: float | None = None
    repetition: int = 1
    env: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    description: str = ""
    tags: list[str] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)
    output: list[list[str]] = field(default_factory=list)
    matches: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    machine_state: dict[str, Any] = field(default_factory=dict)
    software: dict[str, Any] = field(default_factory=dict)
    git: dict[str, Any] = field(default_factory=dict)
    repetitions: list[dict[str, Any]] = field(default_factory=list)
    schema_version: int = SCHEMA_VERSION
    suite: str = ""
    start_time_utc: str | None = None
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    canary: dict[str, float] = field(default_factory=dict)
    compare: dict[str, float] = field(default_factory=dict)
    python: dict[str, str] = field(default_factory=dict)
    disturbance: dict[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str, str]:
        """See `identity_of`; repetitions share it."""
        return identity_of(vars(self))

    @property
    def execution(self) -> Execution:
        """Identifies this execution among those of a log folder."""
        return (*self.identity, self.repetition)

    @property
    def title(self) -> str:
        """The title in summaries."""
        return VariantKey.of_record(vars(self)).title

    def value(self, metric: str) -> float | None:
        """Returns the metric's value, whatever the name of its reduction."""
        return next(iter(self.results.get(metric, {}).values()), None)

    def as_json(self) -> dict[str, Any]:
        """Returns plain values, in the order of the fields."""
        return {name: getattr(self, name) for name in _FIELDS}

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> VariantResult:
        """The inverse of `as_json`. Raises TypeError or KeyError if the file contains something else."""
        return VariantResult(**{name: stored[name] for name in _FIELDS if name in stored})


def identity_of(record: Mapping[str, Any]) -> tuple[str, str, str]:
    """Identifies a variant of a spec file inside one log folder.

    Not its `VariantKey`: two specs of a run may belong to one suite, and older records name none.
    """
    return record["benchmark_path"], record["benchmark_name"], record["variant_name"]


def no_results() -> dict[str, dict[str, Any]]:
    """Returns the results of a variant that was not executed: only those that every record has."""
    return {"total_compiling_time": {"mean": None}}


_FIELDS = tuple(field.name for field in fields(VariantResult))


def record_text(record: Mapping[str, Any], indent: str = "") -> str:
    """Formats a record as JSON with one line per key: the standard library's indented form is far slower."""
    lines = ",\n".join(f"{indent}  {json.dumps(key)}: {json.dumps(value)}" for key, value in record.items())
    return f"{indent}{{\n{lines}\n{indent}}}"


def duration_text(duration_s: float) -> str:
    """Formats a duration in seconds as the original runner did, such as `3.12`."""
    return str(timedelta(seconds=duration_s).total_seconds())


def utc_text(local_time: datetime) -> str:
    """Converts a local time to one that can be ordered across time zones and changes of the clock."""
    return local_time.astimezone(timezone.utc).isoformat()


_PER_REPETITION = ("repetition", "status", "reason", "exitcode", "timed_out", "results", "start_time", "end_time",
                   "start_time_utc", "test_duration", "duration_s", "machine_state", "disturbance", "warnings",
                   "log_paths", "metrics", "canary")  # fmt: skip


def combine(results: Sequence[VariantResult], repeat: int) -> VariantResult:
    """Combines all repetitions of a variant into one record, which lists them under `repetitions`.

    `repeat` is the requested number: a warning reports if the run ended before all were run.

    Each metric is the median over the repetitions that have it. The variant passed if all of them did;
    if not, the first failure provides the status, the reason and the exit code, and metrics stay unchanged.
    Samples and summaries belong to single repetitions, and stay there.
    """
    ordered = sorted(results, key=lambda result: result.repetition)
    failures = [result for result in ordered if result.status == FAILED]
    shown = (failures or ordered)[0]
    few = [f"{len(ordered)} of {repeat} repetitions were run"] if len(ordered) < repeat else []
    combined = _medians(ordered) if len(ordered) > 1 else shown.results
    return replace(
        shown,
        results=combined,
        metrics=_combined_metrics(ordered, combined),
        start_time=ordered[0].start_time,
        start_time_utc=ordered[0].start_time_utc,
        end_time=ordered[-1].end_time,
        repetition=1,
        warnings=[*few, *dict.fromkeys(warning for result in ordered for warning in result.warnings)],
        canary=_median_canary(ordered),
        repetitions=[{key: getattr(result, key) for key in _PER_REPETITION} for result in ordered],
    )


def _medians(results: Sequence[VariantResult]) -> dict[str, dict[str, Any]]:
    combined: dict[str, dict[str, Any]] = {}
    for metric, reduction in dict.fromkeys(
        (m, r) for res in results for m in res.results for r in res.results[m]
    ):
        values = [
            value for res in results if (value := res.results.get(metric, {}).get(reduction)) is not None
        ]
        numbers = [value for value in values if isinstance(value, int | float)]
        combined.setdefault(metric, {})[reduction] = median(numbers) if numbers else (values or [None])[0]
    return combined


def _median_canary(results: Sequence[VariantResult]) -> dict[str, float]:
    kernels = dict.fromkeys(kernel for result in results for kernel in result.canary)
    return {
        kernel: median(result.canary[kernel] for result in results if kernel in result.canary)
        for kernel in kernels
    }


def _combined_metrics(
    results: Sequence[VariantResult], medians: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    combined: dict[str, dict[str, Any]] = {}
    for result in results:
        for name, metric in result.metrics.items():
            known = combined.setdefault(name, metric)
            if known["value"] is None and metric["value"] is not None:
                combined[name] = metric  # so that a repetition's reason does not accompany a value
    return {
        name: {key: value for key, value in metric.items() if key not in ("samples", "summary")}
        | {"value": medians.get(name, {}).get(metric["reduction"])}
        for name, metric in combined.items()
    }
