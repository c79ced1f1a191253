"""How much each metric slows down with the machine, as its own earlier slow runs show."""

from __future__ import annotations

import numpy as np

from examples_utils.comparison.statistics.levels import Floats

_SPREADS = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6])  # of sensitivities within a suite
_PRIOR = np.where(_SPREADS == 0, 0.5, 0.5 / (len(_SPREADS) - 1))
_TAILS = 8.0  # degrees of freedom of the t distribution that admits single outlying metrics
_MOST = 3.0  # spreads; a sensitivity further from 1 than this is more likely a change of the metric


def sensitivities(moved: Floats, machine: Floats, variance: Floats) -> Floats:
    """Returns each metric's slowdown ÷ the machine's `(metrics,)`: 1 where nothing is known about it.

    A random slope: the least-squares slope of a metric, shrunk towards 1 by the spread of the suite's slopes, which is
    averaged over a grid (Laird and Ware 1982).

    Args:
        moved: The movement of the metrics `(metrics, runs)` in earlier slow runs, NaN where there is none.
        machine: The movement of the machine `(runs,)` in these runs.
        variance: That of a metric's movement in a run, apart from the machine's `(metrics,)`.
    """
    there = np.isfinite(moved)
    information = there @ machine**2
    known = information > 0
    if known.sum() < 2:
        return np.ones(len(moved))
    slope = np.where(there, moved, 0.0)[known] @ machine / information[known]
    off = (slope - 1)[:, None]
    error = (variance[known] / information[known])[:, None]
    spread = np.maximum(_SPREADS**2 + error, 1e-12)
    scaled = spread * (_TAILS - 2) / _TAILS
    likelihood = (-0.5 * np.log(scaled) - 0.5 * (_TAILS + 1) * np.log1p(off**2 / scaled / _TAILS)).sum(axis=0)
    weights = _PRIOR * np.exp(likelihood - likelihood.max())
    weights /= weights.sum()
    shrunk = (_SPREADS**2 / spread * off) @ weights
    most = _MOST * np.sqrt(_SPREADS**2 @ weights)
    slopes = np.ones(len(moved))
    slopes[known] += np.clip(shrunk, -most, most)
    return slopes
