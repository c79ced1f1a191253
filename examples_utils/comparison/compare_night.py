"""One night against the nights before it: what looks slower and is worth repeating now, and then the verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.pairing import Pairing, pair, same_machine
from examples_utils.comparison.pipeline import judge, measured_and_plain, steps_of
from examples_utils.comparison.verdicts import Comparison, Verdict
from examples_utils.run_model import MetricKey, Run

_FEWEST_BASE_NIGHTS = 5  # before a step that is older than this night
_USUAL = 0.5  # of the nights since a variant came: one that fewer of them have is not missed


def suspects(history: Sequence[Run], night: Run, options: CompareOptions) -> tuple[MetricKey, ...]:
    """The figures of ``night`` that look worse than those of ``history``, the likeliest first.

    Their variants should be run ``options.confirmations`` times more before anything is said; the figures of these
    repetitions are appended to ``Metric.values`` of the night that ``compare_night`` gets. About
    ``options.suspicion`` of the figures of a good night are suspect.

    ``history`` is oldest first, of the same machine and without this night; of it the last ``options.nights_needed``
    runs that are comparable count, so give at least as many where there are. No figure is suspect that the machine's
    common movement explains.
    """
    pairing = _pairing(history, night, options)
    lengths = _lengths(pairing, options)
    measured, plain = measured_and_plain(pairing, lengths, options.false_alarms, options)
    # Those without a ratio, such as a throughput of 0, are far from anything that chance does.
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
    """The verdict on every figure of ``night``, whose suspects have been repeated on the spot.

    For each figure a step is looked for before this night and before each of the last ``options.recent_nights``, so
    that a small one is called when it has lasted; the ratio is that of the likeliest of these steps. The night's own
    level is taken to vary as those of the other nights did (see docs/comparison-method.md). Everything else is as in
    ``compare_runs``. With an empty history every figure is new.
    """
    pairing = _pairing(history, night, options)
    return judge(pairing, _lengths(pairing, options), options.false_alarms, options)


def _pairing(history: Sequence[Run], night: Run, options: CompareOptions) -> Pairing:
    """The last nights of the same machine; if there is none, the last nights, with which nothing is comparable."""
    comparable = [run for run in history if same_machine(run, night)]
    return pair((comparable or history)[-options.nights_needed :], [night], _USUAL)


def _lengths(pairing: Pairing, options: CompareOptions) -> tuple[int, ...]:
    """Before how many of the last nights a step is looked for: the rest must do as a base."""
    most = min(1 + options.recent_nights, len(pairing.base) - _FEWEST_BASE_NIGHTS + 1)
    return tuple(range(1, max(1, most) + 1))
