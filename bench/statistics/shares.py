"""Shares of many trials as cells of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import stats  # type: ignore[import-untyped]


def share_of(happened: Sequence[bool]) -> str:
    """The share of the trials in which something happened, and its 95% confidence interval (Clopper and Pearson)."""
    interval = stats.binomtest(int(sum(happened)), len(happened)).proportion_ci()
    return f"{np.mean(happened):.1%} ({interval.low:.1%} to {interval.high:.1%})"


def table_head(explained: str, columns: tuple[str, ...]) -> Iterator[str]:
    """The lines of a section before the rows of its table."""
    yield from (explained, "", f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|")
