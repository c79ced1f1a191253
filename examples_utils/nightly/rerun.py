"""Reruns what looks slower, before any verdict."""

from __future__ import annotations

from collections.abc import Sequence

from examples_utils.comparison.compare_night import NOTHING_ACCEPTED, Accepted, suspects
from examples_utils.comparison.options import CompareOptions
from examples_utils.execution.runner import Runner
from examples_utils.history.readers.results import read_results
from examples_utils.planning.plan import PlannedVariant
from examples_utils.problems import RequestError
from examples_utils.run_model import Run, VariantKey


def rerun_suspects(
    runner: Runner,
    earlier: Sequence[Run],
    options: CompareOptions,
    repeated: list[VariantKey],
    accepted: Accepted = NOTHING_ACCEPTED,
) -> None:
    """Reruns suspects of a regression since the `earlier` nights `confirmations` times, and records them in `repeated`.

    `accepted` is as for `suspects`.

    The new repetitions belong to the same run: their records are added to the existing ones.

    Raises:
        Interrupted: The run was asked to stop; finished results are stored.
    """
    chosen = _suspected(runner, earlier, options, accepted)
    if not chosen:
        return
    more, first = options.confirmations, runner.request.options.repeat + 1
    names = ", ".join(planned.variant.name for planned in chosen)
    runner.context.console.print(f"\npossible regression: {names}; running {more} confirmation repetitions")
    repeated += [planned.key for planned in chosen]
    turns = [(planned, number) for number in range(first, first + more) for planned in chosen]
    runner.run(turns, first + more - 1)


def _suspected(
    runner: Runner, earlier: Sequence[Run], options: CompareOptions, accepted: Accepted
) -> list[PlannedVariant]:
    """Returns each suspect once, the likeliest first."""
    if not earlier:
        return []
    try:
        night = read_results(runner.log_folder).runs[-1]
    except RequestError:  # nothing ran: every variant was skipped
        return []
    by_key = {planned.key: planned for planned in runner.request.plan.variants}
    metrics = suspects(earlier, night, options, accepted)
    return [by_key[key] for key in dict.fromkeys(key.of_variant for key in metrics) if key in by_key]
