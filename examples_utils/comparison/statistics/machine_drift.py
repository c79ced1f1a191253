"""Machine drift, as opposed to slower code: the common movement of canary and most of the suite in a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from statistics import median

import numpy as np

from examples_utils.comparison.statistics.levels import Floats, medians
from examples_utils.comparison.statistics.machine_sensitivity import sensitivities

_SMALLEST = (
    0.01  # movements below 1% are removed whatever caused them, as so small a change is never reported
)
_SHARE = 0.6  # of the metrics must have moved along
_MIN_METRICS = 3
_MIN_BASE_RUNS = 5  # from which the noise of a metric between runs is estimated
_NOTICED = 2.0  # standard deviations from which a small movement is removed
_CANARY_SHARE = 0.4  # a canary that moved by less than this share of the suite's movement does not confirm it
_CANARY_SIGNIFICANT = 2.0  # standard deviations; the share above requires more of a large movement
_CANARY_FLOOR = 0.003  # no canary is steadier than 0.3% from run to run
_MAD = 1.4826  # from median absolute deviation to standard deviation
_MEDIAN_TO_MEAN = 1.2533  # standard error of a median ÷ that of a mean
_STEADIEST = 0.3  # lower bound of a metric's noise, as a share of the median noise
_EXACT = 1e-4  # lower bound of a standard deviation: a suite of counts has none at all
_UNEVEN = np.array([0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6])  # shares of the movement
_UNEVEN_PRIOR = np.where(_UNEVEN == 0, 0.5, 0.5 / (len(_UNEVEN) - 1))
_TAILS = 8.0  # degrees of freedom of the t distribution that admits single regressed metrics
_TIMES = {"ns", "us", "µs", "ms", "s", "sec", "seconds", "min", "h"}
_RATE = re.compile(r"/\s*(s|sec|second|min|h)\b|^(fps|qps|it/s)$|per second", re.IGNORECASE)
_SPEED_WORDS = re.compile(r"throughput|latency|time|duration|rate|fps|qps|speed|seconds", re.IGNORECASE)


@dataclass(frozen=True)
class Movement:
    """For each run `(runs,)`, in logarithms of slowness relative to the base runs.

    `suite` is the median movement of the metrics and `share` the share of them that moved along by at least half of
    it, as far as their noise shows. `confirmed` is whether that is most of them and the canary moved along too.
    `shift` is what to subtract from the metrics: 0, or a movement that is confirmed or too small to matter;
    `deviation` is its standard deviation, and `unevenness` that with which metrics follow beyond their own noise.
    `canary` maps kernels to their movement `(runs,)`, NaN where they did not run. `sensitivity` `(metrics,)` is by how
    much of the machine's movement each metric moves, as far as earlier runs show it.
    """

    suite: Floats
    share: Floats
    confirmed: np.ndarray
    shift: Floats
    deviation: Floats
    unevenness: Floats
    canary: Mapping[str, Floats]
    sensitivity: Floats


def machine_movement(
    slowness: Floats,
    base_runs: int,
    canaries: Sequence[Mapping[str, Sequence[float]]],
    noise: Floats,
    recent: int = 0,
) -> Movement:
    """Estimates the common movement.

    `slowness` `(metrics, runs)` holds the levels of all metrics that follow the machine's speed, as logarithms, the
    higher the slower, NaN where there is none; the first `base_runs` runs are the base. `canaries` are the seconds
    of each kernel for each run. `noise` `(metrics,)` is the variance of the difference of two runs due to their
    repetitions alone; with enough base runs, it is estimated from these. The last `recent` base runs may be those
    after a step: sensitivities are not learned from them.
    """
    runs = slowness.shape[1]
    if len(slowness) < _MIN_METRICS or not base_runs:
        nothing, one = np.zeros(runs), np.ones(len(slowness))
        return Movement(nothing, nothing, np.zeros(runs, bool), nothing, nothing, nothing, {}, one)
    moved = _against_base(slowness, base_runs)
    usable = np.isfinite(moved)
    enough = usable.sum(axis=0) >= _MIN_METRICS
    suite = np.where(enough, medians(moved.T), 0.0)
    variance = _variance(moved, suite, base_runs, noise)
    lag = np.maximum(np.abs(suite) / 2, np.sqrt(variance)[:, None])
    went_along = usable & (moved * np.sign(suite) >= np.abs(suite) - lag)
    share = went_along.sum(axis=0) / np.maximum(usable.sum(axis=0), 1)
    kernels = sorted({kernel for canary in canaries for kernel in canary})
    canary = {
        kernel: _against_base(_canary_levels(canaries, kernel)[None], base_runs)[0] for kernel in kernels
    }
    agrees = np.zeros(runs, bool)
    for kernel, movement in canary.items():
        unrest = _canary_noise(canaries, kernel, movement, suite, base_runs)
        wanted = np.maximum(_CANARY_SIGNIFICANT * unrest, _CANARY_SHARE * np.abs(suite))
        agrees |= np.nan_to_num(movement) * np.sign(suite) >= wanted
    confirmed = agrees & enough & (np.abs(suite) >= _SMALLEST) & (share >= _SHARE)
    slow = np.flatnonzero(confirmed[: max(0, base_runs - recent)])
    sensitivity = sensitivities(moved[:, slow], suite[slow], variance)
    follow = moved - (sensitivity - 1)[:, None] * suite
    variance = _variance(follow, suite, base_runs, noise)
    shift, deviation, unevenness = np.zeros(runs), np.zeros(runs), np.zeros(runs)
    small = enough & (np.abs(suite) < _SMALLEST)
    for run in np.flatnonzero(confirmed | small):
        there = usable[:, run]
        movement = _centre(follow[there, run], variance[there])
        if confirmed[run] or abs(movement[0]) >= _NOTICED * movement[1]:
            shift[run], deviation[run], unevenness[run] = movement
    return Movement(suite, share, confirmed, shift, deviation, unevenness, canary, sensitivity)


def speed_sensitivity(metric: str, unit: str | None, direction: str | None) -> int:
    """Returns +1 for a metric that rises as the machine slows down, −1 for one that falls, 0 for one unaffected.

    Times and rates follow; bytes, shares and counts do not. Without a unit, the metric's name decides.
    """
    if direction not in ("lower", "higher"):
        return 0
    follows = _SPEED_WORDS.search(metric) if unit is None else unit in _TIMES or _RATE.search(unit)
    return (1 if direction == "lower" else -1) if follows else 0


def _variance(moved: Floats, suite: Floats, base_runs: int, noise: Floats) -> Floats:
    """Returns the variance of a metric's movement `(metrics,)` in a run without any change."""
    if base_runs < _MIN_BASE_RUNS:
        return noise
    own = moved[:, :base_runs] - suite[:base_runs]
    seen = np.where(np.isfinite(own), own**2, 0.0).sum(axis=1) / np.maximum(
        np.isfinite(own).sum(axis=1) - 1, 1
    )
    variance: Floats = np.maximum(seen, noise / 2)
    return variance


def _centre(moved: Floats, variance: Floats) -> tuple[float, float, float]:
    """Returns the movement of one run, its standard deviation, and that with which metrics follow it.

    A median weighted by 1 ÷ standard deviation; how unevenly metrics follow is averaged over a grid of shares of the
    movement, weighted by their likelihood.
    """
    variance = np.maximum(variance, max(_EXACT**2, _STEADIEST**2 * float(np.median(variance))))
    uneven = 0.0
    for _ in range(2):
        weights = 1 / (variance + uneven)
        centre = _weighted_median(moved, np.sqrt(weights))
        candidates = (_UNEVEN * centre) ** 2
        spread = (variance[:, None] + candidates) * (_TAILS - 2) / _TAILS
        distance = (moved[:, None] - centre) ** 2 / spread
        likelihood = -0.5 * np.log(spread) - 0.5 * (_TAILS + 1) * np.log1p(distance / _TAILS)
        likelihood = likelihood.sum(axis=0)
        share = _UNEVEN_PRIOR * np.exp(likelihood - likelihood.max())
        uneven = float(candidates @ share / share.sum())
    return centre, _MEDIAN_TO_MEAN / float(np.sqrt(weights.sum())), float(np.sqrt(uneven))


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])


def _against_base(values: Floats, base_runs: int) -> Floats:
    against: Floats = values - medians(values[:, :base_runs])[:, None]
    return against


def _canary_levels(canaries: Sequence[Mapping[str, Sequence[float]]], kernel: str) -> Floats:
    return np.array([log(median(canary[kernel])) if canary.get(kernel) else np.nan for canary in canaries])


def _canary_noise(
    canaries: Sequence[Mapping[str, Sequence[float]]],
    kernel: str,
    movement: Floats,
    suite: Floats,
    base_runs: int,
) -> Floats:
    """Returns the standard deviation `(runs,)` of a kernel's movement without any change.

    Between runs, what the suite's movement does not explain; within a run, from its repetitions.
    """
    unexplained = np.abs(np.where(np.abs(suite) >= _SMALLEST, movement - suite, movement))[:base_runs]
    between = _MAD * medians(unexplained) if base_runs > 2 else 0.0
    within = np.zeros(len(canaries))
    for run, canary in enumerate(canaries):
        if len(seconds := canary.get(kernel, ())) > 1:
            middle = median(seconds)  # for so few values, several times as fast as NumPy's
            deviation = _MAD * median(abs(one - middle) for one in seconds) / middle
            within[run] = _MEDIAN_TO_MEAN * deviation / sqrt(len(seconds))
    noise: Floats = np.maximum(np.maximum(np.nan_to_num(between), within), _CANARY_FLOOR)
    return noise
