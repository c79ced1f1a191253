"""Histories as text that is short and quickly read: whole numbers, differences, deflate, base64."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from examples_utils.report.series import Floats, Series

_DIGITS = 5  # significant digits of a median
_BAND_STEPS = 30  # of half an interval of the usual width: finer than a line in a plot
_MOST_STEPS = 1e9  # of an interval, however wide it is beside the others
_MOST_DECIMALS = 300  # powers of ten end at 308
_MOST_DIGITS = 14  # beyond, whole numbers are no longer exact in a browser


def packed(document: Any) -> str:
    """A JSON document, compressed, in the letters of base64: nothing in it can end a script element."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode("ascii"), 5)).decode("ascii")


def columns(series: Series) -> dict[str, Any]:
    """A history as whole numbers: each night, and each median, as the difference from the one before.

    A median is its number ÷ 10 ** ``decimals``; ``below`` and ``above`` count steps of ``band`` from it.
    """
    decimals = _decimals(series.median)
    scale = 10.0**decimals
    medians = np.rint(series.median * scale).astype(np.int64)
    widths = np.stack([series.median - series.low, series.high - series.median])
    usual = np.median(widths[widths > 0]) if widths.any() else 0.0
    band = float(f"{max(usual / _BAND_STEPS, widths.max(initial=0.0) / _MOST_STEPS):.3g}")
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
    """Six significant digits: what a tooltip shows of a figure."""
    return float(f"{value:.6g}")


def _decimals(values: Floats) -> int:
    """So many that the smallest value keeps its significant digits, as far as the largest one stays exact."""
    magnitudes = np.abs(values[values != 0])
    if not magnitudes.size:
        return 0
    wanted = _DIGITS - 1 - int(np.floor(np.log10(magnitudes.min())))
    possible = _MOST_DIGITS - int(np.floor(np.log10(magnitudes.max())))
    return min(wanted, possible, _MOST_DECIMALS)


def _differences(numbers: Sequence[int] | np.ndarray[Any, np.dtype[np.int64]]) -> list[int]:
    differences: list[int] = np.diff(numbers, prepend=0).tolist()
    return differences
