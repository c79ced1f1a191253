"""How levels vary from run to run: a grid of variances and correlations, weighted by what the whole suite shows.

The runs of one metric carry little information about how much its level varies by itself, those of the other metrics
much more: most metrics of a suite vary alike (a hierarchical model, summed over grids instead of sampled).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

from examples_utils.comparison.statistics.levels import Floats, Ints

# λ, the variance between runs ÷ that of one repetition, and φ, the correlation from one run to the next.
BETWEEN = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0)
CORRELATIONS = (0.0, 0.5, 0.8, 0.95)
CELLS = tuple((between, correlation) for between in BETWEEN for correlation in CORRELATIONS)
# Before the data: levels that vary far more than repetitions are rare, and some suites do not vary at all. Chosen on
# simulated first weeks, so that few nights can show a change, and a single benchmark that drifts raises few alarms.
_LIKELY = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.02])
_STEADY = 0.5
# The spread of λ within a suite, in steps of λ; the share of outlying metrics, and their likelihood.
_WIDTHS = (0.3, 1.0, 2.0)
_ODD_ONES = {0.003: 0.8, 0.03: 0.16, 0.3: 0.04}


def learned_from_others(likelihood: Floats, groups: Ints) -> Floats:
    """Returns for each metric the probability of each cell that the metrics of all other groups suggest.

    `likelihood` and the result are `(metrics, cells)`; `groups` `(metrics,)` are numbers from 0. The metrics of one
    benchmark change together: as a group, so that they do not make each other's change look like variation.
    """
    suites, prior = _suites()
    evidence = np.zeros((int(groups.max(initial=0)) + 1, len(suites)))
    np.add.at(evidence, groups, np.log(likelihood @ suites.T))
    others = evidence.sum(axis=0) - evidence + np.log(prior)
    probable = np.exp(others - others.max(axis=1, keepdims=True))
    learned: Floats = probable @ suites / probable.sum(axis=1, keepdims=True)
    return np.asarray(learned[groups])


@lru_cache(maxsize=1)
def _suites() -> tuple[Floats, Floats]:
    """Returns the possible suites, and their prior probabilities.

    `(suites, cells)`, the shares of their metrics that have each λ and φ: most metrics are near some λ and have the
    same φ, and outlying ones may be anywhere. `(suites,)`: in steady suites, the λ of most metrics is 0.
    """
    position = np.arange(len(BETWEEN))
    anywhere = np.repeat(_LIKELY / _LIKELY.sum() / len(CORRELATIONS), len(CORRELATIONS))
    suites, steady, odds = [], [], []
    for centre, width, same, odd in product(position, _WIDTHS, np.eye(len(CORRELATIONS)), _ODD_ONES):
        near = np.exp(-0.5 * ((position - centre) / width) ** 2) * _LIKELY
        suites.append((1 - odd) * np.outer(near / near.sum(), same).ravel() + odd * anywhere)
        steady.append(centre == 0 and width == min(_WIDTHS))
        odds.append(_ODD_ONES[odd] * _LIKELY[centre])
    prior = np.array(odds)
    for kind, share in ((np.array(steady), _STEADY), (np.logical_not(steady), 1 - _STEADY)):
        prior[kind] *= share / prior[kind].sum()
    return np.stack(suites), prior
