"""The values that pass from result files and history to comparison and report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, NamedTuple

from examples_utils.control_characters import one_line


class VariantKey(NamedTuple):
    """Identifies a variant of a spec, alike in plans, records, histories and reports."""

    suite: str
    benchmark: str
    variant: str

    @staticmethod
    def of_record(record: Mapping[str, Any]) -> VariantKey:
        """Returns the key of a record of a result file. The original runner's suites are the names of its specs."""
        suite = record.get("suite") or PurePath(record.get("benchmark_path") or "").name or "unknown"
        return VariantKey(suite, record["benchmark_name"], record["variant_name"])

    @property
    def title(self) -> str:
        """Its name in messages and lists."""
        return one_line(f"{self.benchmark}::{self.variant}")


class MetricKey(NamedTuple):
    """Identifies a metric of a variant."""

    suite: str
    benchmark: str
    variant: str
    metric: str

    @property
    def of_variant(self) -> VariantKey:
        """The variant that the metric belongs to."""
        return VariantKey(self.suite, self.benchmark, self.variant)


@dataclass(frozen=True)
class Metric:
    """The values that one run measured of one metric.

    `values` are finite and in `unit`, one for each repetition that has one, in measurement order. `direction` is the
    better one, `higher` or `lower`, or None if neither is. `reduction` is how each value was computed from its samples,
    such as `mean`.
    """

    values: tuple[float, ...]
    unit: str | None = None
    direction: str | None = None
    reduction: str = "value"


@dataclass(frozen=True)
class VariantFacts:
    """How a variant ended in one run, and its conditions. Metrics with different `settings` are not comparable.

    `status` is that of the record (passed, failed, skipped, not run); `threshold` is the smallest change that
    matters, as a share (0.02 for 2%), if its entry in the spec sets it.
    """

    status: str
    reason: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    threshold: float | None = None
    warnings: tuple[str, ...] = ()
    log_tail: str = ""


@dataclass(frozen=True)
class Run:
    """One run of one suite or of several, from a log folder, a result file or the history.

    `started_utc` is ISO 8601 with offset. `machine`, `software` and `git` are the fingerprints of the records.
    `canary` maps a kernel's name to its seconds, in order of execution; it is empty if no canary ran. `run_id` is the
    same whenever the same run is read. `joined_machines` are the keys of the machines that its history counts as this
    one.
    """

    run_id: str
    started_utc: str
    machine: Mapping[str, Any] = field(default_factory=dict)
    software: Mapping[str, Any] = field(default_factory=dict)
    commit: str | None = None
    dirty: bool | None = None
    branch: str | None = None
    canary: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    variants: Mapping[VariantKey, VariantFacts] = field(default_factory=dict)
    metrics: Mapping[MetricKey, Metric] = field(default_factory=dict)
    joined_machines: frozenset[str] = field(default=frozenset(), compare=False)
