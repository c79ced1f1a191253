"""From an estimate to the verdict on one metric, and its reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil, exp, expm1, inf, isnan, log1p

from scipy import special  # type: ignore[import-untyped]

from examples_utils.comparison.constant_metrics import NO_DIRECTION, verdict_of_change
from examples_utils.comparison.verdicts import MEANWHILE, MetricVerdict, Verdict
from examples_utils.machine.disturbance import noted_disturbances
from examples_utils.run_model import Run

_POWER = 0.8  # with which the needed repetitions would detect a change of the observed size
_MAX_REPETITIONS = 1000  # more are impractical
_MIN_REPETITIONS = 5  # per side: with fewer, an exact test of two runs cannot reach 5%

_CHANGED = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.UNCERTAIN)
_SHOWN_DISTURBANCES = 2  # repetitions with different shares


@dataclass(frozen=True)
class Evidence:
    """The estimate of one change: `size` and its interval are logarithms of new ÷ base, NaN for an unknown end.

    `fixed` and `each`: the variance of `size` with n repetitions is fixed + each ÷ n. `length` is the number of
    runs since the step.
    """

    size: float
    low: float
    high: float
    q: float
    fixed: float
    each: float
    length: int


@dataclass(frozen=True)
class Rule:
    """The criteria for a change: q at most `level`, and a size of at least `threshold` (0.02 is 2%).

    "Unchanged" requires that a change of `largest_unseen` lies outside the interval, which has `confidence`.
    """

    level: float
    confidence: float
    threshold: float
    largest_unseen: float
    direction: str | None

    def matters(self, evidence: Evidence) -> bool:
        """Whether the size reaches the threshold."""
        return abs(evidence.size) >= log1p(self.threshold)

    def is_significant(self, evidence: Evidence) -> bool:
        """Whether the change is significant."""
        return evidence.q <= self.level and (evidence.low > 0 or evidence.high < 0)


def decide(evidence: Evidence, rule: Rule) -> Verdict:
    """Regressed or improved if the change matters and is significant; unchanged if one would have been detected."""
    if isnan(evidence.low):
        return Verdict.UNCERTAIN
    if rule.matters(evidence):
        return (
            verdict_of_change(evidence.size > 0, rule.direction)
            if rule.is_significant(evidence)
            else Verdict.UNCERTAIN
        )
    seen = rule.is_significant(evidence) or max(-evidence.low, evidence.high) <= log1p(rule.largest_unseen)
    return Verdict.UNCHANGED if seen else Verdict.UNCERTAIN


def needed(evidence: Evidence, rule: Rule) -> int | None:
    """Returns how many repetitions would settle an uncertain metric; None if no number would.

    They would detect a change of the observed size with 80% power, or exclude one of `largest_unseen`.
    """
    if isnan(evidence.low):
        return _MIN_REPETITIONS
    if rule.is_significant(evidence):
        return None
    if rule.matters(evidence):
        deviations = special.ndtri(1 - rule.level / 2) + special.ndtri(_POWER)
        distance = abs(evidence.size)
    else:
        deviations = special.ndtri((1 + rule.confidence) / 2)
        distance = log1p(rule.largest_unseen) - abs(evidence.size)
    allowed = (distance / deviations) ** 2 - evidence.fixed
    repetitions = evidence.each / allowed if allowed > 0 else inf
    return max(_MIN_REPETITIONS, ceil(repetitions)) if repetitions <= _MAX_REPETITIONS else None


def reason(evidence: Evidence, rule: Rule, verdict: Verdict, more: int | None) -> str:
    """Returns the reason for a verdict, empty if the numbers suffice; `more` is the result of `needed`."""
    if verdict in (Verdict.REGRESSED, Verdict.IMPROVED):
        return f"for {evidence.length} runs now" if evidence.length > 1 else ""
    if verdict is not Verdict.UNCERTAIN:
        return ""
    if isnan(evidence.low):
        return f"the spread of one repetition is unknown; {more} per side would settle it"
    if rule.is_significant(evidence):
        return f"it is {_change(evidence.size)}; {NO_DIRECTION}"
    if rule.matters(evidence):
        seen = f"it looks {_change(evidence.size)}, which is not significant"
    else:
        seen = f"a change of {expm1(max(-evidence.low, evidence.high)):.1%} would not have been detected"
    if more is None:
        return (
            f"{seen}; no number of repetitions settles it, as its level varies from run to run: "
            "runs on other nights, or ab, would settle it"
        )
    return f"{seen}; {more} repetitions would settle it"


def with_disturbances(judged: Iterable[MetricVerdict], new: Sequence[Run]) -> list[MetricVerdict]:
    """Adds to the reasons of changed and uncertain metrics what disturbed their variant in the new runs."""
    return [
        replace(one, reason="; ".join(filter(None, (one.reason, _disturbances(one, new)))))
        if one.verdict in _CHANGED
        else one
        for one in judged
    ]


def _disturbances(one: MetricVerdict, new: Sequence[Run]) -> str:
    variants = [run.variants[one.key.of_variant] for run in new if one.key.of_variant in run.variants]
    texts = dict.fromkeys(text for facts in variants for text in noted_disturbances(facts.warnings))
    return MEANWHILE + " and ".join(list(texts)[:_SHOWN_DISTURBANCES]) if texts else ""


def _change(size: float) -> str:
    return f"{abs(exp(size) - 1):.1%} {'higher' if size > 0 else 'lower'}"
