"""The kinds of noise of simulated benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Kind:
    """A kind of noise. `repetitions` draws standardised noise of single repetitions for each benchmark.

    `own_drift` and `machine_drift` are standard deviations of the change from one night to the next, of each benchmark
    on its own and of all together. On slow nights the machine is 3 to 8% slower, and each benchmark by that times
    1 ± `uneven`.
    """

    name: str
    repetitions: Callable[[np.random.Generator, tuple[int, ...]], Floats]
    own_drift: float = 0.0
    machine_drift: float = 0.0
    slow_nights: bool = False
    uneven: float = 0.0


def gaussian(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.standard_normal(shape)


def log_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Never faster than a bound, occasionally much slower: skewness 3.7."""
    shape_parameter = 0.8
    mean = np.exp(shape_parameter**2 / 2)
    deviation = mean * np.sqrt(np.expm1(shape_parameter**2))
    standardised: Floats = (rng.lognormal(0.0, shape_parameter, shape) - mean) / deviation
    return standardised


def heavy_tailed(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Student's t with three degrees of freedom."""
    standardised: Floats = rng.standard_t(3, shape) / np.sqrt(3)
    return standardised


def bimodal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """A slow mode, which contains 10 to 50% of the repetitions of a benchmark."""
    share = np.random.default_rng(1).permutation(np.linspace(0.1, 0.5, shape[0]))
    share = share.reshape(-1, *(1,) * (len(shape) - 1))
    slow = rng.random(shape) < share
    mixed = (slow - share) / np.sqrt(share * (1 - share))
    standardised: Floats = np.sqrt(0.99) * mixed + 0.1 * rng.standard_normal(shape)
    return standardised


KINDS = (
    Kind("Gaussian", gaussian),
    Kind("log-normal", log_normal),
    Kind("heavy-tailed", heavy_tailed),
    Kind("bimodal", bimodal),
    Kind("drift, each benchmark its own", gaussian, own_drift=0.02),
    Kind("drift of the whole machine", gaussian, machine_drift=0.02),
    Kind("slow machine", gaussian, slow_nights=True),
    Kind("slow machine, unevenly", gaussian, slow_nights=True, uneven=0.15),
)
