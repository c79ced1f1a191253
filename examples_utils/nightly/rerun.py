"""Repeating on the spot what looks slower, before anything is said of it."""

from __future__ import annotations

from collections.abc import Sequence

from examples_utils.comparison.compare_night import suspects
from examples_utils.comparison.options import CompareOptions
from examples_utils.execution.runner import Runner
from examples_utils.history.readers.results import read_runs
from examples_utils.planning.plan import PlannedVariant
from examples_utils.problems import RequestError
from examples_utils.run_model import Run, VariantKey


def rerun_suspects(
    runner: Runner, earlier: Sequence[Run], options: CompareOptions, repeated: list[VariantKey]
) -> None:
    """Runs what looks slower than in the ``earlier`` nights ``confirmations`` times more, and notes it in ``repeated``.

    The new repetitions are of the same run: their records lie beside those that are there.

    Raises:
        Interrupted: the run was asked to stop; what is finished is stored.
    """
    chosen = _suspected(runner, earlier, options)
    if not chosen:
        return
    more, first = options.confirmations, runner.request.options.repeat + 1
    names = ", ".join(planned.variant.name for planned in chosen)
    runner.context.console.say(
        f"\n{names}: slower than in the nights before, or so by chance; {more} repetitions more will tell"
    )
    repeated += [planned.key for planned in chosen]
    turns = [(planned, number) for number in range(first, first + more) for planned in chosen]
    runner.run(turns, first + more - 1)


def _suspected(runner: Runner, earlier: Sequence[Run], options: CompareOptions) -> list[PlannedVariant]:
    """Each once, the likeliest first."""
    if not earlier:
        return []
    try:
        night = read_runs(runner.log_folder)[-1]
    except RequestError:  # nothing was run: every variant was skipped
        return []
    by_key = {planned.key: planned for planned in runner.request.plan.variants}
    figures = suspects(earlier, night, options)
    return [by_key[key] for key in dict.fromkeys(key.of_variant for key in figures) if key in by_key]
