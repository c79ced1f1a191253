"""The smallest change that matters, as users write it: `2%`, or the share 0.02."""

from __future__ import annotations

import re

from benchmark_parsers.numbers import number_of

DEFAULT_THRESHOLD = 0.02
_PERCENT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*%\s*")
EXPECTED = "a share of the metric above 0% and below 100%, such as 2%"


def parse_threshold(written: str | float) -> float:
    """Returns the threshold as a share: 0.02 for `2%`, `0.02` or 0.02.

    Raises:
        ValueError: It is neither, or not between 0% and 100%. A bare 2 is refused, as it could mean 2% as well as 200%.
    """
    match = _PERCENT.fullmatch(written) if isinstance(written, str) else None
    share = float(match[1]) / 100 if match else number_of(str(written))
    if share is None:
        raise ValueError(f"expected {EXPECTED}; got {written!r}")
    if not 0 < share < 1:
        hint = f"; write {share:g}% if that is meant" if 1 <= share < 100 and not match else ""
        raise ValueError(f"expected {EXPECTED}; got {written!r}{hint}")
    return share
