"""What the comparison of both ends of the way says, before anything of it is narrowed down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from examples_utils.comparison.constant_metrics import verdict_of_change
from examples_utils.comparison.text import name_of, title_of, verdict_line, why
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.results.record import FAILED
from examples_utils.run_model import Run

_MOST_SAID = 10


def may_be_slower(one: MetricVerdict) -> bool:
    """Whether a figure looks worse, but that may be chance."""
    if one.verdict is not Verdict.UNCERTAIN or one.base is None or one.new is None:
        return False
    rise = one.new - one.base if one.ratio is None else one.ratio - 1
    return rise != 0 and verdict_of_change(rise > 0, one.direction) is Verdict.REGRESSED


def nothing_to_narrow(whole: Comparison, base: Sequence[Run]) -> Iterator[str]:
    """Why, where no figure regressed: new is not slower, or what stands in the way of knowing that."""
    said = [*_failed(whole, base), *_open(whole)]
    if not said:
        yield "new is not slower than base, so there is nothing to narrow down"
        return
    yield "no figure is slower for certain, so nothing is narrowed down, but not all are known not to be:"
    yield from (f"  {line}" for line in said[:_MOST_SAID])
    if len(said) > _MOST_SAID:
        yield f"  … and {len(said) - _MOST_SAID} more"
    needed = [one.needed for one in whole.judged if may_be_slower(one) and one.needed]
    if needed:
        yield f"--repeat {max(needed)} would settle those that are uncertain"


def _failed(whole: Comparison, base: Sequence[Run]) -> Iterator[str]:
    """A line a variant; what failed on the side of the base is no verdict on the new side."""
    for key, facts in {key: facts for run in base for key, facts in run.variants.items()}.items():
        if facts.status == FAILED:
            yield f"base failed: {title_of(key)}: {facts.reason or 'for no known reason'}"
    failed = {one.key.of_variant: one for one in whole.judged if one.verdict is Verdict.FAILED}
    for one in failed.values():
        yield f"new failed: {name_of(one)}: {one.reason.removeprefix(f'{FAILED}: ')}"


def _open(whole: Comparison) -> Iterator[str]:
    for one in whole.judged:
        if may_be_slower(one) or one.verdict in (Verdict.MISSING, Verdict.NOT_COMPARABLE):
            yield f"{verdict_line(one)}: {why(one)}"
