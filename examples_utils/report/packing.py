"""Histories in a compact text format that decodes fast: integers, differences, deflate, base64."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from examples_utils.report.series import Floats, Series

_DIGITS = 5  # significant digits of a median
_BAND_STEPS = 30  # per half an interval of the usual width: finer than a line in a plot
_MAX_STEPS = 1e9  # of an interval, however wide compared with the others
_MAX_DECIMALS = 300  # powers of ten end at 308
_MAX_DIGITS = 14  # larger integers are not exact in a browser


def packed(document: Any) -> str:
    """Returns a JSON document, compressed, in base64: nothing in it can end a script element."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode("ascii"), 5)).decode("ascii")


def columns(series: Series) -> dict[str, Any]:
    """Returns a history as integers: each night, and each median, as the difference from the previous one.

    A median is its number ÷ 10 ** `decimals`; `below` and `above` count steps of `band` from it.
    """
    decimals = _decimals(series.median)
    scale = 10.0**decimals
    medians = np.rint(series.median * scale).astype(np.int64)
    widths = np.stack([series.median - series.low, series.high - series.median])
    usual = np.median(widths[widths > 0]) if widths.any() else 0.0
    band = float(f"{max(usual / _BAND_STEPS, widths.max(initial=0.0) / _MAX_STEPS):.3g}")
    below, above = np.rint(widths / band).astype(np.int64) if band else np.zeros(widths.shape, np.int64)
    return {
        "nights": _differences(series.nights),
        "medians": _differences(medians),
        "decimals": decimals,
        "band": band,
        "below": below.tolist(),
        "above": above.tolist(),
        "last": [significant(value) for value in series.last],
    }


def significant(value: float) -> float:
    """Rounds to six significant digits, as a tooltip shows."""
    return float(f"{value:.6g}")


def _decimals(values: Floats) -> int:
    """Returns enough for the smallest value to keep its significant digits, if the largest one stays exact."""
    magnitudes = np.abs(values[values != 0])
    if not magnitudes.size:
        return 0
    wanted = _DIGITS - 1 - int(np.floor(np.log10(magnitudes.min())))
    possible = _MAX_DIGITS - int(np.floor(np.log10(magnitudes.max())))
    return min(wanted, possible, _MAX_DECIMALS)


def _differences(numbers: Sequence[int] | np.ndarray[Any, np.dtype[np.int64]]) -> list[int]:
    differences: list[int] = np.diff(numbers, prepend=0).tolist()
    return differences
