"""Variances of few repetitions, improved by those of the other metrics of the suite."""

from __future__ import annotations

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from examples_utils.comparison.statistics.levels import Floats, Ints

_MIN_METRICS = 4  # metrics from which a prior is learned
_MAX_FREEDOM = 50.0  # of the prior: metrics of a suite are never all alike


def shrunk_variances(variance: Floats, freedom: Ints) -> tuple[Floats, Floats]:
    """Returns variances shrunk towards those of the suite, and their degrees of freedom `(metrics,)`.

    A variance of d degrees of freedom becomes the mean of itself and a prior of d0, where the prior is fitted to all
    variances by the moments of their logarithms (Smyth 2004, section 6.2). With fewer than four usable metrics, or
    metrics that have nothing in common, they stay unchanged.
    """
    degrees = freedom.astype(float)
    usable = (degrees > 0) & (variance > 0)
    if usable.sum() < _MIN_METRICS:
        return variance, degrees
    half = degrees[usable] / 2
    logs = np.log(variance[usable]) - special.digamma(half) + np.log(half)
    excess = logs.var(ddof=1) - special.polygamma(1, half).mean()
    prior_freedom = min(_MAX_FREEDOM, 2 * _inverse_trigamma(excess)) if excess > 0 else _MAX_FREEDOM
    prior = np.exp(logs.mean() + special.digamma(prior_freedom / 2) - np.log(prior_freedom / 2))
    together = (prior_freedom * prior + degrees * variance) / (prior_freedom + degrees)
    return together, prior_freedom + degrees


def _inverse_trigamma(value: float) -> float:
    """Uses Newton's method on 1/trigamma, which is nearly straight (Smyth 2004, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(20):
        trigamma = float(special.polygamma(1, x))
        x += trigamma * (1 - trigamma / value) / float(special.polygamma(2, x))
    return x
