"""Whether more repetitions of a night could still change a verdict."""

from __future__ import annotations

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from examples_utils.comparison.statistics.levels import Floats
from examples_utils.comparison.statistics.step_detection import Steps, looks_of

ROUND = 3  # repetitions of each suspect between two looks at them
_EARLY = 0.1  # share of the level at which a look before the last one suffices (Haybittle 1971, Peto 1976)
_FUTILE = 0.05  # chance of a regression below which more repetitions are not worth their time


def certain(
    q: Floats, level: float, worse: Floats, repetitions: Floats, more: int, least: Floats
) -> np.ndarray:
    """Whether a regression needs no further look `(metrics,)`; `q` are corrected p-values, the rest as below.

    As an early look has a tenth of the level, all early looks together hardly raise the share of false alarms. The
    change must also matter if the repetitions to come showed none: a slow minute at the beginning is no regression.
    """
    called: np.ndarray = (q <= _EARLY * level) & (worse * repetitions / (repetitions + more) >= least)
    return called


def open_ended(
    found: Steps, worse: Floats, repetitions: Floats, more: int, least: Floats, level: float, looks: int
) -> np.ndarray:
    """Whether `more` repetitions of the last run could end with a regression `(metrics,)`.

    This is stochastic curtailment by predictive power (Spiegelhalter, Freedman and Blackburn 1986): the chance, given
    what was measured, that the final test is significant and the change at least `least`.

    Args:
        found: The steps.
        worse: The size of each step, the larger the worse.
        repetitions: Their number after each step so far.
        more: The repetitions to come.
        least: The size below which a change does not matter.
        level: The level of the corrected two-sided test.
        looks: The number of steps that were sought.
    """
    now = found.repetition**2 / repetitions
    later = found.repetition**2 / (repetitions + more)
    fixed = np.maximum(found.deviation**2 - now, 0.0)
    # Benjamini and Hochberg's correction depends on how many changes there are: no more than look like one.
    changed = max(1, int((found.p <= 0.05).sum()))
    tail = 0.5 * level * changed / len(worse) / looks_of(looks)[found.length - 1]
    critical = -special.stdtrit(np.maximum(found.freedom, 1), tail)
    bar = np.maximum(least, critical * np.sqrt(fixed + later))
    spread = np.sqrt(np.maximum(now - later, 1e-300))
    chance: Floats = special.ndtr((worse - bar) / spread)
    return chance >= _FUTILE
