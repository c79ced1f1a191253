"""One night against the nights before it: what looks slower and is worth repeating now, and then the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.verdicts import Comparison
from examples_utils.figures import MetricKey, Run


def suspects(history: Sequence[Run], night: Run, options: CompareOptions) -> tuple[MetricKey, ...]:
    """The figures of ``night`` that look worse than those of ``history``, the likeliest first.

    Their variants should be run ``options.confirmations`` times more before anything is said; the figures of these
    repetitions are appended to ``Figure.values`` of the night that ``judge_night`` gets. About ``options.suspicion`` of
    the figures of a good night are suspect.

    ``history`` is oldest first, of the same machine and without this night; of it the last ``options.nights_needed``
    runs that are comparable count, so give at least as many where there are. No figure is suspect that the machine's
    common movement explains.
    """
    raise NotImplementedError


def judge_night(history: Sequence[Run], night: Run, options: CompareOptions) -> Comparison:
    """The verdict on every figure of ``night``, whose suspects have been repeated on the spot.

    For each figure a step is looked for before this night and before each of the last ``options.recent_nights``, so
    that a small one is called when it has lasted; the ratio is that of the likeliest of these steps. The night's own
    level is taken to vary as those of the other nights did (see docs/comparison-method.md). Everything else is as in
    ``compare_runs``. With an empty history every figure is new.
    """
    raise NotImplementedError
