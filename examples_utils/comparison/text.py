"""What every format says of a comparison, in words."""

from __future__ import annotations

import math
from collections import Counter

from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.run_model import MetricKey, VariantKey

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


def name_of(one: MetricVerdict) -> str:
    """How the variant is called."""
    return title_of(one.key)


def title_of(key: VariantKey | MetricKey) -> str:
    """How a variant is called: its name says its benchmark's first, except in files of other runners."""
    return key.variant if key.variant.startswith(key.benchmark) else f"{key.benchmark}::{key.variant}"


def _percent(ratio: float, one: MetricVerdict) -> str:
    decimals = 2 if one.threshold is not None and one.threshold < 0.01 else 1
    return f"{(ratio - 1) * 100:+.{decimals}f}%"


def _size_of_change(one: MetricVerdict) -> float:
    if one.ratio is None and one.verdict in (Verdict.REGRESSED, Verdict.IMPROVED):
        return math.inf  # to or from a figure of 0 or below
    return abs(math.log(one.ratio)) if one.ratio is not None and 0 < one.ratio < math.inf else 0.0
