"""Comparing runs with runs: the verdict on every metric for `compare` and `ab`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.pairing import pair
from examples_utils.comparison.pipeline import judge, judge_two
from examples_utils.comparison.text import date, title_of
from examples_utils.comparison.verdicts import Comparison
from examples_utils.history.fingerprint import same_machine
from examples_utils.history.variant_diff import last_commands, variant_diff
from examples_utils.problems import RequestError
from examples_utils.run_model import Run


def compare_runs(
    base: Sequence[Run], new: Sequence[Run], options: CompareOptions, earlier: Sequence[Run] = ()
) -> Comparison:
    """Compares every metric of `new` with `base`; each side is one run or several of the same code, oldest first.

    With one run on each side, or with `options.interleaved`: robust means of the logarithms, a bootstrap interval
    over repetitions (over runs where a side has several), a moderated t-test, and an exact permutation test.
    `earlier` are other runs of the machine, oldest first, which show how much two single runs differ by themselves.
    Otherwise the runs are levels that vary, as nights are (see `compare_night`).

    Metrics are in the order of `new` (its last run), then those that only `base` has. Base runs on another machine,
    or with other settings for a variant, are omitted, and `differences` lists the reasons; if none remains, the metric
    is not comparable. A variant that did not pass has one verdict for each metric of it in `base`, or one for the
    metric `status`. Raises RequestError if a side is empty.
    """
    for side, runs in (("base", base), ("new", new)):
        if not runs:
            raise RequestError(
                f"{side}: no run to compare; name a result file, a log folder or a run of the history"
            )
    pairing = pair(base, new)
    level = 1 - options.confidence
    pairing = replace(pairing, differences=(*pairing.differences, *_renames(base, new)))
    if options.interleaved or len(pairing.base) == len(pairing.new) == 1:
        same = [run for run in earlier if same_machine(run, new[-1])]
        if not (options.interleaved or options.run_noise is not None or same):
            pairing = replace(pairing, differences=(*pairing.differences, *_other_day(base[-1], new[-1])))
        return judge_two(pairing, level, options, same)
    return judge(pairing, (len(pairing.new),), level, options)


def _other_day(base: Run, new: Run) -> Iterator[str]:
    """Yields a note if a drift between days may lie between two single runs, and nothing shows how large it is."""
    if date(base.started_utc) != date(new.started_utc):
        yield (
            "the runs are of different days, and their data do not show how much days differ: "
            "compare alternately with ab, or with runs of several nights, such as branch:main:10"
        )


def _renames(base: Sequence[Run], new: Sequence[Run]) -> Iterator[str]:
    """Yields the variants that run under another name now: their metrics are missing, and new."""
    before, after = last_commands(base), last_commands(new)
    gone = {key: command for key, command in before.items() if key not in after}
    diff = variant_diff(gone, {key: command for key, command in after.items() if key not in before})
    for old, key in diff.renamed.items():
        yield f"renamed: {title_of(old)} in the base to {title_of(key)} now, which has its command; not compared"
