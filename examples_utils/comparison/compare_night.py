"""Comparing one night with earlier nights: the metrics to rerun now, and then the verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.pairing import Pairing, pair, same_machine
from examples_utils.comparison.pipeline import judge, measured_and_settled, steps_of
from examples_utils.comparison.verdicts import Comparison, Verdict
from examples_utils.run_model import MetricKey, Run

_MIN_BASE_NIGHTS = 5  # before a step that is older than this night
_USUAL = 0.5  # share of the nights since a variant first ran; a rarer variant is not reported missing


def suspects(history: Sequence[Run], night: Run, options: CompareOptions) -> tuple[MetricKey, ...]:
    """Returns the metrics of `night` that look worse than in `history`, the likeliest first.

    Run their variants `options.confirmations` times more before the verdict; append the values of these
    repetitions to `Metric.values` of the night that `compare_night` gets. About `options.suspicion` of the
    metrics of a good night are suspects.

    `history` is oldest first, of the same machine and without this night; its last `options.nights_needed`
    comparable runs count, so pass at least as many if available. Metrics whose change the machine's common
    movement explains are no suspects.
    """
    pairing = _pairing(history, night, options)
    lengths = _lengths(pairing, options)
    measured, plain = measured_and_settled(pairing, lengths, options.false_alarms, options)
    # Those without a ratio, such as a throughput of 0, are far from any random variation.
    certain = tuple(one.key for one in plain if one.verdict is Verdict.REGRESSED and one.ratio is None)
    if not measured.pairs:
        return certain
    found = steps_of(measured, lengths)
    lower = np.array([pair.direction == "lower" for pair in measured.pairs])
    higher = np.array([pair.direction == "higher" for pair in measured.pairs])
    worse = np.where(lower, found.rise, np.where(higher, found.fall, 1.0))
    order = np.argsort(worse, kind="stable")
    likely = (measured.pairs[index].key for index in order if worse[index] <= options.suspicion)
    return (*certain, *likely)


def compare_night(history: Sequence[Run], night: Run, options: CompareOptions) -> Comparison:
    """Returns the verdict on every metric of `night`, whose suspects have been rerun.

    For each metric, a step is sought before this night and before each of the last `options.recent_nights`, so that
    a small step is detected once it has lasted; the ratio is that of the likeliest of these steps. The night's own
    level is assumed to vary as those of the other nights did (see docs/comparison-method.md). Everything else is as in
    `compare_runs`. With an empty history every metric is new.
    """
    pairing = _pairing(history, night, options)
    return judge(pairing, _lengths(pairing, options), options.false_alarms, options)


def _pairing(history: Sequence[Run], night: Run, options: CompareOptions) -> Pairing:
    """Pairs with the last nights on the same machine; if there are none, with the last nights, not comparable."""
    comparable = [run for run in history if same_machine(run, night)]
    return pair((comparable or history)[-options.nights_needed :], [night], _USUAL)


def _lengths(pairing: Pairing, options: CompareOptions) -> tuple[int, ...]:
    """Returns the numbers of last nights before which a step is sought: the rest must suffice as a base."""
    most = min(1 + options.recent_nights, len(pairing.base) - _MIN_BASE_NIGHTS + 1)
    return tuple(range(1, max(1, most) + 1))
