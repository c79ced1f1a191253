"""Reruns what looks slower, before any verdict."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from examples_utils.comparison.compare_night import NOTHING_ACCEPTED, Accepted, suspects, unsettled
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.statistics.confirmation.curtailment import ROUND
from examples_utils.execution.runner import Runner
from examples_utils.history.readers.results import read_results
from examples_utils.planning.plan import PlannedVariant
from examples_utils.problems import RequestError
from examples_utils.run_model import MetricKey, Run, VariantKey


def rerun_suspects(
    runner: Runner,
    earlier: Sequence[Run],
    options: CompareOptions,
    repeated: dict[VariantKey, int],
    accepted: Accepted = NOTHING_ACCEPTED,
) -> None:
    """Reruns suspects of a regression since the `earlier` nights, and records in `repeated` how often.

    They are rerun in rounds over all suspects, until their verdicts are settled: at most `confirmations` times. The new
    repetitions belong to the same run: their records are added to the existing ones. `accepted` is as for `suspects`.

    Raises:
        Interrupted: The run was asked to stop; finished results are stored.
    """
    night, console = _night(runner), runner.context.console
    open_ended = suspects(earlier, night, options, accepted) if earlier and night else ()
    limit, usual, done = options.confirmations, runner.request.options.repeat, 0
    if chosen := _variants(runner, open_ended):
        names = ", ".join(planned.variant.name for planned in chosen)
        console.print(f"\npossible regression: {names}; running up to {limit} confirmation repetitions")
    while chosen and done < limit:
        more = min(ROUND, limit - done)
        repeated |= {planned.key: done + more for planned in chosen}
        numbers = range(usual + done + 1, usual + done + more + 1)
        runner.run([(planned, number) for number in numbers for planned in chosen], usual + limit)
        done += more
        night = _night(runner)
        open_ended = unsettled(earlier, night, options, open_ended, limit - done, accepted) if night else ()
        chosen = _variants(runner, open_ended)


def _night(runner: Runner) -> Run | None:
    try:
        return read_results(runner.log_folder).runs[-1]
    except RequestError:  # nothing ran: every variant was skipped
        return None


def _variants(runner: Runner, metrics: Collection[MetricKey]) -> list[PlannedVariant]:
    """Returns the variant of each metric once, the likeliest first."""
    by_key = {planned.key: planned for planned in runner.request.plan.variants}
    return [by_key[key] for key in dict.fromkeys(key.of_variant for key in metrics) if key in by_key]
