"""Whether the comparison of base and new leaves anything to bisect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from examples_utils.comparison.constant_metrics import verdict_of_change
from examples_utils.comparison.text import title_of, verdict_line, why
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.results.record import FAILED
from examples_utils.run_model import Run

_MAX_FINDINGS = 10


def may_be_slower(one: MetricVerdict) -> bool:
    """Whether a metric looks worse, but is not significant."""
    if one.verdict is not Verdict.UNCERTAIN or one.base is None or one.new is None:
        return False
    rise = one.new - one.base if one.ratio is None else one.ratio - 1
    return rise != 0 and verdict_of_change(rise > 0, one.direction) is Verdict.REGRESSED


def nothing_to_narrow(whole: Comparison, base: Sequence[Run]) -> Iterator[str]:
    """Explains why there is no regression to bisect: new is not slower, or the result is inconclusive."""
    findings = [*_failed(whole, base), *_open(whole)]
    if not findings:
        yield "nothing to bisect: new is not slower than base"
        return
    yield "nothing to bisect: no significant regression, but some results are inconclusive:"
    yield from (f"  {line}" for line in findings[:_MAX_FINDINGS])
    if len(findings) > _MAX_FINDINGS:
        yield f"  … and {len(findings) - _MAX_FINDINGS} more"
    needed = [one.needed for one in whole.judged if may_be_slower(one) and one.needed]
    if needed:
        yield f"--repeat {max(needed)} would settle the uncertain ones"


def _failed(whole: Comparison, base: Sequence[Run]) -> Iterator[str]:
    """One line per variant; a failure in base is no verdict on new."""
    for key, facts in {key: facts for run in base for key, facts in run.variants.items()}.items():
        if facts.status == FAILED:
            yield f"base failed: {title_of(key)}: {facts.reason or 'unknown reason'}"
    failed = {one.key.of_variant: one for one in whole.judged if one.verdict is Verdict.FAILED}
    for one in failed.values():
        yield f"new failed: {title_of(one.key)}: {one.reason.removeprefix(f'{FAILED}: ')}"


def _open(whole: Comparison) -> Iterator[str]:
    for one in whole.judged:
        if may_be_slower(one) or one.verdict in (Verdict.MISSING, Verdict.NOT_COMPARABLE):
            yield f"{verdict_line(one)}: {why(one)}"
