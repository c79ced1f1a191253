"""Wording that several outputs share: verdicts, changes, commits and dates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark_parsers.times import read_time
from examples_utils.comparison.verdicts import MEANWHILE, Comparison, MetricVerdict, Verdict
from examples_utils.history.fingerprint import differing_software
from examples_utils.results.tables import format_metric
from examples_utils.run_model import MetricKey, Run, VariantKey

if TYPE_CHECKING:
    from examples_utils.comparison.changes import Change
    from examples_utils.comparison.onset import Regression
    from examples_utils.history.baseline import Baseline
    from examples_utils.history.regressions import ReportedRegression

_COMMIT_DIGITS = 10

# The order in which they need attention.
BY_URGENCY = (
    Verdict.REGRESSED,
    Verdict.FAILED,
    Verdict.MISSING,
    Verdict.NOT_COMPARABLE,
    Verdict.UNCERTAIN,
    Verdict.IMPROVED,
    Verdict.NEW,
    Verdict.UNCHANGED,
)
_URGENCY = {verdict: place for place, verdict in enumerate(BY_URGENCY)}


def by_urgency(comparison: Comparison) -> list[MetricVerdict]:
    """Returns the verdicts, the most urgent first, and among equal ones the largest change."""
    return sorted(comparison.judged, key=lambda one: (_URGENCY[one.verdict], -_size_of_change(one), one.key))


def head_lines(comparison: Comparison) -> list[str]:
    """Returns what is compared, and what concerns all metrics: printed once, before any of them."""
    lines = [f"base: {comparison.base_title}", f"new:  {comparison.new_title}"]
    lines += [f"note: {difference}" for difference in comparison.differences]
    if comparison.run_noise:
        lines.append(f"run noise: {comparison.run_noise}")
    if comparison.movement:
        lines.append(movement_line(comparison))
    lines.append(counts_line(comparison))
    if comparison.geometric_mean is not None:
        mean = comparison.geometric_mean
        lines.append(f"geometric mean of the ratios: {mean:.4f} (above 1 is better)")
    return lines


def movement_line(comparison: Comparison) -> str:
    """Reports that the machine as a whole was slower or faster; empty if it was not."""
    movement = comparison.movement
    if movement is None:
        return ""
    word = "slower" if movement.slowdown >= 1 else "faster"
    ends = sorted(abs(end - 1) for end in (movement.low, movement.high))
    canary = ", ".join(
        f"{kernel.removesuffix('_s')} {ratio - 1:+.1%}" for kernel, ratio in sorted(movement.canary.items())
    )
    return (
        f"machine {word} by {abs(movement.slowdown - 1):.1%} ({ends[0]:.1%} to {ends[1]:.1%}): "
        f"{movement.share_of_suite:.0%} of the metrics moved together"
        f"{f', and so did the canary (time: {canary})' if canary else ''}; "
        f"each metric is judged relative to that"
    )


def counts_line(comparison: Comparison) -> str:
    """Returns the number of metrics with each verdict."""
    counts = Counter(one.verdict for one in comparison.judged)
    parts = [f"{counts[verdict]} {verdict.value}" for verdict in BY_URGENCY if counts[verdict]]
    return ", ".join(parts) or "no metric to compare"


def change_text(one: MetricVerdict) -> str:
    """Returns the change as a percentage of the base, such as `-5.2%`; empty if there is none."""
    return "" if one.ratio is None else _percent(one.ratio, one)


def interval_text(one: MetricVerdict) -> str:
    """Returns the 95% confidence interval of the change; empty if there is none."""
    if one.low is None or one.high is None:
        return ""
    return f"{_percent(one.low, one)} to {_percent(one.high, one)}"


def relative(one: MetricVerdict) -> str:
    """Returns how much lower or higher a metric is: `5.2% lower (95% interval -6.3% to -4.1%)`."""
    if one.ratio is None:
        return ""
    size = f"{abs(one.ratio - 1):.1%} {'lower' if one.ratio < 1 else 'higher'}"
    interval = interval_text(one)
    return f"{size} (95% interval {interval})" if interval else size


def why(one: MetricVerdict) -> str:
    """Returns the reason, and what would settle an uncertain verdict if the reason does not include it."""
    if one.needed is None or str(one.needed) in one.reason:
        return one.reason
    needed = f"{one.needed} repetitions would settle it"
    return f"{one.reason}; {needed}" if one.reason else needed


def verdict_line(one: MetricVerdict) -> str:
    """Returns a metric with its verdict and its change."""
    interval = f" ({interval_text(one)})" if interval_text(one) else ""
    return f"{title_of(one.key)} {one.key.metric} {one.verdict.value} {change_text(one)}{interval}".rstrip()


def title_of(key: VariantKey | MetricKey) -> str:
    """Returns the title of a variant: its name begins with its benchmark's, except in files of other runners."""
    return key.variant if key.variant.startswith(key.benchmark) else f"{key.benchmark}::{key.variant}"


def regression_line(regression: Regression) -> str:
    """Returns metric, change, onset, range of commits, and what disturbed the variant meanwhile."""
    _, meanwhile, disturbance = regression.judged.reason.partition(MEANWHILE)
    return (
        f"REGRESSED {_change_and_values(regression.judged)} "
        f"since {_minute(regression.first_after)} UTC{_cause(regression.last_before, regression.first_after)}"
        f"{f'; {meanwhile}{disturbance}' if meanwhile else ''}"
    )


def improvement_line(one: MetricVerdict) -> str:
    """Returns an improved metric and its change."""
    return f"IMPROVED {_change_and_values(one)}"


def open_regression_line(one: ReportedRegression) -> str:
    """Returns metric, change and range of commits of a regression that an earlier night has reported."""
    return f"STILL WORSE {_reported(one)}"


def called_again_line(one: ReportedRegression) -> str:
    """Returns the same of a regression that the last nights have called, and tonight alone does not show."""
    return f"REGRESSED {_reported(one)}; called on {date(one.called_utc or '')}, tonight alone is uncertain"


def accepted_line(one: ReportedRegression) -> str:
    """Returns the same of a regression that somebody accepted: who, when and why."""
    return f"ACCEPTED {_reported(one)}: {acceptance_text(one)}"


def reported_cause(one: ReportedRegression) -> str:
    """Returns the first worse night, and the range of commits."""
    return f"since {_minute(one.first_after)} UTC{_cause(one.last_before, one.first_after)}"


def acceptance_text(one: ReportedRegression) -> str:
    """Returns who accepted a regression, when and why."""
    acceptance = one.acceptance
    if acceptance is None:
        return ""
    return f"by {acceptance.by} on {moment(acceptance.accepted_utc)} UTC: {acceptance.reason}"


def reported_change(one: ReportedRegression) -> str:
    """Returns the change of a reported regression with its interval; empty for a metric without a ratio."""
    if one.ratio is None:
        return ""
    ends = "" if one.low is None or one.high is None else f", {one.low - 1:+.1%} to {one.high - 1:+.1%}"
    return f"{one.ratio - 1:+.1%}{ends}"


def since_text(regression: Regression) -> str:
    """Returns the first worse night, and the range of commits."""
    before, first = regression.last_before, regression.first_after
    nights = counted("night", regression.nights) if regression.nights > 1 else "this run is the first"
    commits = commit_range(before, first) if before else ""
    return f"since {date(first.started_utc)} ({nights}){f', {commits}' if commits else ''}"


def step_text(change: Change, runs: Sequence[Run]) -> str:
    """Returns the date of a change point, and the range of commits."""
    commits = commit_range(change.last_before, change.first_after)
    return f"on {date(runs[change.point.index].started_utc)}{f', {commits}' if commits else ''}"


def commit(run: Run) -> str:
    """Returns the short commit, with a mark if files were changed; empty if unknown."""
    return f"{run.commit[:_COMMIT_DIGITS]}{'+changes' if run.dirty else ''}" if run.commit else ""


def commit_span(before: Run, after: Run) -> str:
    """Returns the commits between two runs as git writes ranges, with a hyphen for an unknown one."""
    return f"{commit(before) or '-'}..{commit(after) or '-'}"


def commit_range(before: Run, after: Run) -> str:
    """Returns the commits between two runs in words; empty if one of them is unknown."""
    if not before.commit or not after.commit:
        return ""
    if before.commit == after.commit:
        return f"at the same commit {commit(after)} as before"
    return f"commits {commit_span(before, after)}"


def night_title(run: Run) -> str:
    """Returns the title of one night."""
    return f"the night of {_minute(run)} UTC (run {run.run_id}{_at_commit(run)})"


def nights_title(runs: Sequence[Run]) -> str:
    """Returns the title of the nights before, given oldest first."""
    return (
        f"{counted('night', len(runs))} before, up to {night_title(runs[-1])}" if runs else "no earlier night"
    )


def baseline_line(baseline: Baseline) -> str:
    """Returns the nights of the baseline, the omitted ones, and whether they are few."""
    others = f"; omitted: {', '.join(baseline.left_out)}" if baseline.left_out else ""
    if not baseline.runs:
        return f"baseline begun: the history contains no earlier night to compare with{others}"
    days = dict.fromkeys(run.started_utc[:10] for run in (baseline.runs[0], baseline.runs[-1]))
    short = f"; fewer than the usual {baseline.wanted}" if len(baseline.runs) < baseline.wanted else ""
    return f"baseline: {counted('night', len(baseline.runs))}, {' to '.join(days)}{others}{short}"


def runs_title(reference: str, runs: Sequence[Run]) -> str:
    """Returns the title of the runs that a reference names, given oldest first."""
    if len(runs) == 1:
        return f"{reference} ({run_title(runs[0])})"
    return f"{reference} ({len(runs)} runs: {run_title(runs[0])}, to {run_title(runs[-1])})"


def run_title(run: Run) -> str:
    """Returns the title of one run."""
    branch = f" on {run.branch}" if run.branch and run.commit else ""
    return f"run {run.run_id[:12]} of {_minute(run)}{_at_commit(run)}{branch}"


def date(started_utc: str) -> str:
    """Returns the day of a time, or the text itself if it is not a time."""
    return moment(started_utc)[:10]


def moment(started_utc: str) -> str:
    """Returns day and minute of a time, or the text itself if it is not a time."""
    try:
        return read_time(started_utc).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return started_utc


def counted(noun: str, count: int) -> str:
    """`1 night`, `2 nights`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _change_and_values(one: MetricVerdict) -> str:
    unit = f" {one.unit}" if one.unit else ""
    change = ", ".join(filter(None, (change_text(one), interval_text(one))))
    values = f"{format_metric(one.base)} to {format_metric(one.new)}{unit}"
    return f"{title_of(one.key)} {one.key.metric}: {f'{change} ({values})' if change else values}"


def _reported(one: ReportedRegression) -> str:
    change = reported_change(one)
    return f"{title_of(one.key)} {one.key.metric}: {f'{change}, ' if change else ''}{reported_cause(one)}"


def _cause(before: Run | None, after: Run) -> str:
    """Returns what may have caused a change between two runs: the commits, or new versions below the programs."""
    commits = commit_range(before, after) if before else ""
    is_same = before is not None and before.commit == after.commit
    not_the_code = ": the code of this repository is not the cause" if is_same else ""
    versions = differing_software(before.machine, after.machine, "before", "since") if before else ""
    of_machine = f"; the software of the machine changed: {versions}" if versions else ""
    return (f", {commits}{not_the_code}" if commits else "") + of_machine


def _minute(run: Run) -> str:
    return run.started_utc[:16].replace("T", " ")


def _at_commit(run: Run) -> str:
    changed = " with changed files" if run.dirty else ""
    return f", commit {run.commit[:_COMMIT_DIGITS]}{changed}" if run.commit else ""


def _percent(ratio: float, one: MetricVerdict) -> str:
    decimals = 2 if one.threshold is not None and one.threshold < 0.01 else 1
    return f"{(ratio - 1) * 100:+.{decimals}f}%"


def _size_of_change(one: MetricVerdict) -> float:
    if one.ratio is None and one.verdict in (Verdict.REGRESSED, Verdict.IMPROVED):
        return math.inf  # to or from a metric of 0 or below
    return abs(math.log(one.ratio)) if one.ratio is not None and 0 < one.ratio < math.inf else 0.0
