"""`history show`: one run, and the benchmarks that are new, gone or renamed since the previous run."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from statistics import median
from typing import Any

from examples_utils.cli.history.listing import commit_text
from examples_utils.history.fingerprint import machine_key, shown_fact
from examples_utils.history.store import History
from examples_utils.history.variant_diff import variant_diff
from examples_utils.problems import RequestError
from examples_utils.results.tables import plain_table
from examples_utils.run_model import Metric, Run, VariantKey

_LOOKED_THROUGH = 50  # previous runs


def show_run(history: History, reference: str, metrics: Collection[str], form: str, *, logs: bool) -> str:
    """Returns the run that the reference names, as `text` or `json`.

    Raises:
        RequestError: It names several runs, or the run has none of the metrics.
    """
    run_ids = history.resolve(reference)
    if len(run_ids) > 1:
        raise RequestError(
            f"{reference}: names {len(run_ids)} runs ({', '.join(run_ids[:5])}); show takes one"
        )
    (run,) = history.load(run_ids)
    known = sorted({key.metric for key in run.metrics})
    if unknown := [name for name in metrics if name not in known]:
        raise RequestError(
            f"--metric {unknown[0]}: run {run.run_id} has no such metric; it has: {', '.join(known)}"
        )
    changes = _changes(run, _run_before(history, run))
    return _as_json(run, metrics, changes) if form == "json" else _as_text(run, metrics, changes, logs)


def _run_before(history: History, run: Run) -> Run | None:
    """Returns the last earlier run on the same machine with one of its suites; without metrics."""
    suites = {key.suite for key in run.variants}
    earlier = history.runs(machine_key=machine_key(run.machine), before_run=run.run_id, limit=_LOOKED_THROUGH)
    found = next((summary for summary in earlier if suites & set(summary.suites)), None)
    return history.load([found.run_id], metrics=[], log_tails=False)[0] if found else None


def _changes(run: Run, before: Run | None) -> dict[str, Any]:
    """`since` is the earlier run; `renamed`: pairs of titles; `new` and `gone`: titles. Empty without an earlier run.

    Ignores suites that are not in the run.
    """
    if before is None:
        return {}
    suites = {key.suite for key in run.variants}
    diff = variant_diff(
        gone={
            key: facts.command
            for key, facts in before.variants.items()
            if key not in run.variants and key.suite in suites
        },
        new={key: facts.command for key, facts in run.variants.items() if key not in before.variants},
    )
    return {
        "since": before.run_id,
        "renamed": [[old.title, key.title] for old, key in diff.renamed.items()],
        "new": [key.title for key in diff.new],
        "gone": [key.title for key in diff.gone],
    }


def _as_json(run: Run, metrics: Collection[str], changes: Mapping[str, Any]) -> str:
    variants = [
        {
            **key._asdict(),
            **asdict(facts),
            "figures": {name: asdict(metric) for name, metric in _metrics_of(run, key, metrics)},
        }
        for key, facts in run.variants.items()
    ]
    apart = ("variants", "metrics", "joined_machines")
    of_run = {name: value for name, value in vars(run).items() if name not in apart}
    return json.dumps({**of_run, "changes": changes, "variants": variants}, indent=2)


def _metrics_of(run: Run, variant: VariantKey, metrics: Collection[str]) -> list[tuple[str, Metric]]:
    return sorted(
        (key.metric, metric)
        for key, metric in run.metrics.items()
        if key.of_variant == variant and (not metrics or key.metric in metrics)
    )


def _as_text(run: Run, metrics: Collection[str], changes: Mapping[str, Any], logs: bool) -> str:
    parts = ["\n".join(_head(run)), _table(run, metrics)]
    parts += [text for text in ("\n".join(_notes(run)), _change_lines(changes)) if text]
    if logs:
        parts += [
            f"--- {key.title} ---\n{facts.log_tail or '(no log was kept)'}"
            for key, facts in run.variants.items()
        ]
    return "\n\n".join(parts)


def _head(run: Run) -> list[str]:
    on_branch = f" on {run.branch}" if run.branch else ""
    lines = [
        f"run       {run.run_id}",
        f"started   {run.started_utc}",
        f"commit    {commit_text(run.commit, run.dirty)}{on_branch}{' (with changed files)' if run.dirty else ''}",
        f"machine   {_facts_line(run.machine)}",
        f"software  {_facts_line(run.software)}",
    ]
    measured = {kernel: times for kernel, times in run.canary.items() if times}
    kernels = [
        f"{name} {median(times) * 1000:.3f} ms ({len(times)} times)" for name, times in measured.items()
    ]
    return [*lines, f"canary    {', '.join(kernels)}"] if kernels else lines


def _facts_line(facts: Mapping[str, Any]) -> str:
    """Returns nested facts on one line, without empty ones."""
    known = {name: fact for name, fact in facts.items() if fact not in (None, [], {}, "")}
    shown = [
        f"{name} ({_facts_line(fact)})" if isinstance(fact, dict) else f"{name} {shown_fact(fact)}"
        for name, fact in known.items()
    ]
    return ", ".join(shown) or "unknown"


def _table(run: Run, metrics: Collection[str]) -> str:
    rows = []
    for key, facts in run.variants.items():
        shown = _metrics_of(run, key, metrics)
        rows += [(key.title, facts.status, name, *_metric_cells(metric)) for name, metric in shown]
        if not shown:
            rows.append((key.title, facts.status, "", "", "", "", ""))
    header = ("variant", "status", "metric", "median", "unit", "range", "repetitions")
    return plain_table(header, rows, numeric=(3, 6))


def _metric_cells(metric: Metric) -> tuple[str, str, str, str]:
    spread = f"{min(metric.values):.4g} … {max(metric.values):.4g}" if len(metric.values) > 1 else ""
    return f"{median(metric.values):.4g}", metric.unit or "", spread, str(len(metric.values))


def _notes(run: Run) -> Iterator[str]:
    for key, facts in run.variants.items():
        if facts.reason:
            yield f"{key.title}: {facts.status}: {facts.reason}"
        yield from (f"{key.title}: warning: {warning}" for warning in facts.warnings)


def _change_lines(changes: Mapping[str, Any]) -> str:
    lines = [
        f"renamed: {old} is now {new} (the same command; the history has both names)"
        for old, new in changes.get("renamed", ())
    ]
    lines += [f"{what}: {one}" for what in ("new", "gone") for one in changes.get(what, ())]
    return "\n".join([f"since run {changes['since']}:", *lines]) if lines else ""
