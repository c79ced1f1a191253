"""The one voice: every sentence about a verdict, a change, a commit or a date that several places show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark_parsers.times import read_time
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.results.metric_text import format_metric
from examples_utils.run_model import MetricKey, Run, VariantKey

if TYPE_CHECKING:
    from examples_utils.comparison.changes import Change
    from examples_utils.comparison.onset import Regression
    from examples_utils.history.baseline import Baseline

_COMMIT_DIGITS = 10

# What has to be looked at comes first.
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
    """The figures, the most urgent verdict first, and of those of one verdict the largest change."""
    return sorted(comparison.judged, key=lambda one: (_URGENCY[one.verdict], -_size_of_change(one), one.key))


def head_lines(comparison: Comparison) -> list[str]:
    """What is compared, and what concerns all figures: said once, before any of them."""
    lines = [f"base: {comparison.base_title}", f"new:  {comparison.new_title}"]
    lines += [f"note: {difference}" for difference in comparison.differences]
    if comparison.movement:
        lines.append(movement_line(comparison))
    lines.append(counts_line(comparison))
    if comparison.geometric_mean is not None:
        mean = comparison.geometric_mean
        lines.append(f"geometric mean of the ratios: {mean:.4f} (above 1 is better)")
    return lines


def movement_line(comparison: Comparison) -> str:
    """That the machine as a whole was slower or faster; empty if it was not."""
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
        f"{movement.share_of_suite:.0%} of the figures moved together"
        f"{f', and so did the canary (time: {canary})' if canary else ''}; "
        f"each figure is judged against that"
    )


def counts_line(comparison: Comparison) -> str:
    """How many figures got which verdict."""
    counts = Counter(one.verdict for one in comparison.judged)
    said = [f"{counts[verdict]} {verdict.value}" for verdict in BY_URGENCY if counts[verdict]]
    return ", ".join(said) or "no figure to compare"


def change_text(one: MetricVerdict) -> str:
    """The change as a percentage of the base, such as ``-5.2%``; empty where there is none."""
    return "" if one.ratio is None else _percent(one.ratio, one)


def interval_text(one: MetricVerdict) -> str:
    """The interval in which the change lies with 95% confidence; empty where there is none."""
    if one.low is None or one.high is None:
        return ""
    return f"{_percent(one.low, one)} to {_percent(one.high, one)}"


def relative(one: MetricVerdict) -> str:
    """How much lower or higher a figure is, with its interval: ``5.2% lower (95% interval -6.3% to -4.1%)``."""
    if one.ratio is None:
        return ""
    size = f"{abs(one.ratio - 1):.1%} {'lower' if one.ratio < 1 else 'higher'}"
    interval = interval_text(one)
    return f"{size} (95% interval {interval})" if interval else size


def why(one: MetricVerdict) -> str:
    """The reason, and what would settle an uncertain verdict where the reason does not say so."""
    if one.needed is None or str(one.needed) in one.reason:
        return one.reason
    needed = f"{one.needed} repetitions would settle it"
    return f"{one.reason}; {needed}" if one.reason else needed


def verdict_line(one: MetricVerdict) -> str:
    """A figure with its verdict and its change."""
    interval = f" ({interval_text(one)})" if interval_text(one) else ""
    return f"{name_of(one)} {one.key.metric} {one.verdict.value} {change_text(one)}{interval}".rstrip()


def name_of(one: MetricVerdict) -> str:
    """How the variant is called."""
    return title_of(one.key)


def title_of(key: VariantKey | MetricKey) -> str:
    """How a variant is called: its name says its benchmark's first, except in files of other runners."""
    return key.variant if key.variant.startswith(key.benchmark) else f"{key.benchmark}::{key.variant}"


def regression_line(regression: Regression) -> str:
    """What, by how much, since when, and between which commits."""
    one = regression.judged
    unit = f" {one.unit}" if one.unit else ""
    change = ", ".join(filter(None, (change_text(one), interval_text(one))))
    values = f"{format_metric(one.base)} to {format_metric(one.new)}{unit}"
    return (
        f"REGRESSED {name_of(one)} {one.key.metric}: {f'{change} ({values})' if change else values} "
        f"since {_minute(regression.first_after)} UTC{_cause(regression.last_before, regression.first_after)}"
    )


def open_regression_line(change: Change) -> str:
    """What got worse some nights ago, by how much, and between which commits."""
    low, high = (f"{end - 1:+.1%}" for end in (change.point.low, change.point.high))
    return (
        f"STILL WORSE {change.key.variant} {change.key.metric}: {change.point.ratio - 1:+.1%}, {low} to {high}, since "
        f"{_minute(change.first_after)} UTC{_cause(change.last_before, change.first_after)}"
    )


def since_text(regression: Regression) -> str:
    """From which night on, and which commits may be the cause."""
    before, first = regression.last_before, regression.first_after
    nights = counted("night", regression.nights) if regression.nights > 1 else "this run is the first"
    commits = commit_range(before, first) if before else ""
    return f"since {date(first.started_utc)} ({nights}){f', {commits}' if commits else ''}"


def step_text(change: Change, runs: Sequence[Run]) -> str:
    """When a change point was, and which commits may be the cause."""
    commits = commit_range(change.last_before, change.first_after)
    return f"on {date(runs[change.point.index].started_utc)}{f', {commits}' if commits else ''}"


def commit(run: Run) -> str:
    """The short commit, with a mark if files were changed; empty where it is not known."""
    return f"{run.commit[:_COMMIT_DIGITS]}{'+changes' if run.dirty else ''}" if run.commit else ""


def commit_span(before: Run, after: Run) -> str:
    """The commits between two runs as git writes ranges, with a hyphen for one that is not known."""
    return f"{commit(before) or '-'}..{commit(after) or '-'}"


def commit_range(before: Run, after: Run) -> str:
    """The commits between two runs in words; empty where one of them is not known."""
    if not before.commit or not after.commit:
        return ""
    if before.commit == after.commit:
        return f"at the same commit {commit(after)} as before"
    return f"commits {commit_span(before, after)}"


def night_title(run: Run) -> str:
    """How a comparison calls one night."""
    return f"the night of {_minute(run)} UTC (run {run.run_id}{_at_commit(run)})"


def nights_title(runs: Sequence[Run]) -> str:
    """How a comparison calls the nights before, the oldest first."""
    return f"{len(runs)} nights before, up to {night_title(runs[-1])}" if runs else "no earlier night"


def baseline_line(baseline: Baseline) -> str:
    """Which nights a night is compared with, which do not count, and whether they are few."""
    others = f"; left out: {', '.join(baseline.left_out)}" if baseline.left_out else ""
    if not baseline.runs:
        return f"baseline begun: the history holds no earlier night to compare with{others}"
    first, last = (run.started_utc[:10] for run in (baseline.runs[0], baseline.runs[-1]))
    count = f"{len(baseline.runs)} night{'s' if len(baseline.runs) > 1 else ''}"
    short = (
        f"; short of the {baseline.wanted} that are looked at: small changes may stay uncertain"
        if len(baseline.runs) < baseline.wanted
        else ""
    )
    return f"baseline: {count}, {first} to {last}{others}{short}"


def runs_title(reference: str, runs: Sequence[Run]) -> str:
    """How a comparison calls the runs that a word of the command line names, the oldest first."""
    if len(runs) == 1:
        return f"{reference} ({run_title(runs[0])})"
    return f"{reference} ({len(runs)} runs: {run_title(runs[0])}, to {run_title(runs[-1])})"


def run_title(run: Run) -> str:
    """How a comparison calls one run."""
    branch = f" on {run.branch}" if run.branch and run.commit else ""
    return f"run {run.run_id[:12]} of {_minute(run)}{_at_commit(run)}{branch}"


def date(started_utc: str) -> str:
    """The day of a time, or the text itself if it is none."""
    return moment(started_utc)[:10]


def moment(started_utc: str) -> str:
    """Day and minute of a time, or the text itself if it is none."""
    try:
        return read_time(started_utc).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return started_utc


def counted(noun: str, count: int) -> str:
    """``1 night``, ``2 nights``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _cause(before: Run | None, after: Run) -> str:
    """What of the repository may be the cause of a change between two runs."""
    commits = commit_range(before, after) if before else ""
    is_same = before is not None and before.commit == after.commit
    not_the_code = ": the code of this repository is not the cause" if is_same else ""
    return f", {commits}{not_the_code}" if commits else ""


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
        return math.inf  # to or from a figure of 0 or below
    return abs(math.log(one.ratio)) if one.ratio is not None and 0 < one.ratio < math.inf else 0.0
