"""Options of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

from examples_utils.problems import RequestError
from examples_utils.spec.threshold import DEFAULT_THRESHOLD


@dataclass(frozen=True)
class CompareOptions:
    """The criteria of a comparison. All shares are fractions: 0.02 is 2%.

    `threshold`: the smallest change that matters; `VariantFacts.threshold` of a variant takes precedence.
    `confidence`: of the intervals; 1 − confidence is the level of the corrected test between runs of one moment.
    `false_alarms`: the level of the corrected test of a night, which is the share of good nights that would raise
    an alarm if every assumption held; the rest up to 1% is left for the assumptions.
    `largest_unseen`: `unchanged` requires that a change of this size lies outside the interval.

    `interleaved`: both sides ran alternately on one machine (`ab`), so that only chance lies between
    them. Otherwise each run has a level of its own: with several runs on a side, its spread is estimated; with one run
    on either side, `run_noise` is its standard deviation; None estimates it from earlier runs, or from the suite.

    `suspicion`: the level at which a metric of a night is rerun, up to `confirmations` times more.
    `window_nights` before the last `recent_nights` are the base of a night: a step is sought before this night
    and before each of the recent ones.

    `resamples` and `seed` belong to the bootstrap: the same values always give the same result.
    Raises RequestError for values that make no sense.
    """

    threshold: float = DEFAULT_THRESHOLD
    confidence: float = 0.95
    false_alarms: float = 0.009
    largest_unseen: float = 0.05
    interleaved: bool = False
    run_noise: float | None = None
    suspicion: float = 0.05
    confirmations: int = 15
    window_nights: int = 14
    recent_nights: int = 2
    resamples: int = 2000
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("threshold", "run_noise"):
            value = getattr(self, name)
            if value is None:
                continue
            _require(name, value, 0 <= value < 1, "a share of at least 0 and below 1")
        for name in ("confidence", "false_alarms", "largest_unseen", "suspicion"):
            _require(name, getattr(self, name), 0 < getattr(self, name) < 1, "a share between 0 and 1")
        for name in ("confirmations", "window_nights"):
            _require(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        _require("recent_nights", self.recent_nights, self.recent_nights >= 0, "at least 0")
        _require("resamples", self.resamples, self.resamples >= 100, "at least 100")

    @property
    def nights_needed(self) -> int:
        """The largest number of earlier nights that `suspects` and `compare_night` use."""
        return self.window_nights + self.recent_nights

    def threshold_of(self, own: float | None) -> float:
        """Returns the threshold of a metric; its variant's `own`, if any, takes precedence."""
        return self.threshold if own is None else own


def _require(name: str, value: float, holds: bool, expected: str) -> None:
    if not holds:
        raise RequestError(f"{name} is {value:g}, but must be {expected} (2% is 0.02)")
