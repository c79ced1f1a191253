"""Converts the records of one run, as in a result file, to a `Run`.

Records of the original runner lack UTC times, fingerprints and units; everything else is converted.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmark_parsers.json_document import number
from benchmark_parsers.times import read_time
from benchmark_parsers.unit_of_regex import direction_of
from examples_utils.history.fingerprint import canonical, digest_of
from examples_utils.results.exit_status import exit_text
from examples_utils.results.original import ADDITIONAL
from examples_utils.results.record import FAILED, PASSED, utc_text
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey

Record = Mapping[str, Any]


def runs_of(records: Iterable[Record], tails: Mapping[VariantKey, str]) -> list[Run]:
    """Returns the runs of the records: one, or one for each machine.

    Records of variants that were not run belong to the first run; alone, they give none. `tails` are the ends of the
    variants' logs.
    """
    by_machine: dict[str, list[Record]] = {}
    not_run: list[Record] = []
    for record in records:
        if started_utc(record) is None:
            not_run.append(record)
        else:
            by_machine.setdefault(canonical(record.get("machine") or {}), []).append(record)
    groups = list(by_machine.values())
    return [_run(group, not_run if group is groups[0] else [], tails) for group in groups]


def started_utc(record: Record) -> str | None:
    """Returns the start, or None if it was not run, or if the time is invalid.

    The original runner wrote local time: it is interpreted as that of this machine.
    """
    start = record.get("start_time_utc") or record.get("start_time")
    try:
        return utc_text(read_time(start)) if start else None
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


def executions(record: Record) -> list[Record]:
    """Returns the repetitions in order of execution, or the record itself if there is only one."""
    return sorted(record.get("repetitions") or [record], key=lambda one: one.get("repetition", 1))


def _run(executed: Sequence[Record], not_run: Sequence[Record], tails: Mapping[VariantKey, str]) -> Run:
    first = min(executed, key=lambda record: (started_utc(record) or "", VariantKey.of_record(record)))
    records = [*executed, *not_run]
    git = first.get("git") or {}
    machine = dict(first.get("machine") or {})
    started = started_utc(first) or ""
    # A run that grows keeps its first record, and so its ID. The local time of the original runner is used as
    # written: converted to UTC, it would depend on the reader's time zone.
    identity = started if first.get("start_time_utc") else first.get("start_time")
    return Run(
        run_id=digest_of(canonical([identity, machine, VariantKey.of_record(first)]))[:16],
        started_utc=started,
        machine=machine,
        software=_software(executed, first),
        commit=git.get("commit"),
        dirty=git.get("dirty"),
        branch=git.get("branch"),
        canary=_canary(executed),
        variants={
            VariantKey.of_record(record): _facts(record, tails.get(VariantKey.of_record(record), ""))
            for record in records
        },
        metrics={
            MetricKey(*VariantKey.of_record(record), name): metric
            for record in executed
            for name, metric in _metrics(record).items()
        },
    )


def _software(records: Sequence[Record], first: Record) -> dict[str, Any]:
    """Returns that of the first record, with the versions that the tools of all records reported."""
    software = dict(first.get("software") or {})
    if not software:
        software = {key: first[key] for key in ("sdk_path", "sdk_version") if first.get(key) is not None}
    reported: dict[str, str] = {}
    for record in records:
        for name, version in (record.get("software") or {}).get("reported", {}).items():
            reported.setdefault(name, version)
    return software | ({"reported": reported} if reported else {})


def _canary(records: Sequence[Record]) -> dict[str, tuple[float, ...]]:
    """`compute_s` of each repetition becomes one of the seconds of kernel `compute`."""
    measured: dict[str, list[tuple[str, float]]] = {}
    for record in records:
        for execution in executions(record):
            for kernel, seconds in (execution.get("canary") or {}).items():
                when = started_utc(execution) or ""
                measured.setdefault(kernel.removesuffix("_s"), []).append((when, seconds))
    return {kernel: tuple(seconds for _, seconds in sorted(times)) for kernel, times in measured.items()}


def _facts(record: Record, log_tail: str) -> VariantFacts:
    exitcode, command = record["exitcode"], record["command"]
    status = record.get("status") or (FAILED if exitcode else PASSED)
    return VariantFacts(
        status=status,
        reason=record.get("reason") or (exit_text(exitcode) if exitcode and status == FAILED else None),
        settings=dict(record.get("settings") or {}),
        params={name: _text(value) for name, value in record["params"].items()},
        command=shlex.join(map(str, command)) if isinstance(command, list) else command or "",
        threshold=(record.get("compare") or {}).get("threshold"),
        warnings=tuple(record.get("warnings") or ()),
        log_tail=log_tail,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _metrics(record: Record) -> dict[str, Metric]:
    """Returns a value for each repetition that has one, of all in `metrics` and of those only in `results`."""
    ordered = executions(record)
    found = {}
    for name, described in (record.get("metrics") or {}).items():
        measured = [(one.get("metrics") or {}).get(name, {}) for one in ordered]
        values = [value for metric in measured if (value := number(metric, "value")) is not None]
        if values:
            direction, reduction = described["direction"], described["reduction"]
            found[name] = Metric(tuple(values), described["unit"], direction, reduction)
    # What --additional-metrics added to our own records is no measurement of the benchmark.
    known = {*found, *(ADDITIONAL if "schema_version" in record else ())}
    for metric, reduced in record["results"].items():
        for reduction in () if metric in known else reduced:
            measured = [one["results"].get(metric, {}) for one in ordered]
            values = [value for found in measured if (value := number(found, reduction)) is not None]
            if values:
                name = metric if len(reduced) == 1 else f"{metric}_{reduction}"
                found[name] = Metric(tuple(values), None, direction_of(metric, None), reduction)
    return found
