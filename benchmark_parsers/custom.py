"""Metrics computed by a user's own Python function from the whole output."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

CustomMetric = Callable[[str, str, int], Mapping[str, Any]]

# Registration by import is the contract that users' files were written for; nothing else here is global.
_REGISTERED: dict[str, CustomMetric] = {}


def register_custom_metric(name: str, function: CustomMetric) -> None:
    """Adds the metric ``name``, computed by ``function(stdout, stderr, exitcode)`` for every variant.

    The function returns a dictionary of reduction name to value, stored under ``name`` in the results.
    """
    if not callable(function):
        raise TypeError(f"custom metric {name!r} is given {function!r}, which is not callable")
    _REGISTERED[name] = function


def registered_custom_metrics() -> dict[str, CustomMetric]:
    """A copy of what is registered."""
    return dict(_REGISTERED)


def compute_custom_metric(
    function: CustomMetric, stdout: str, stderr: str, exitcode: int
) -> tuple[dict[str, Any] | None, str | None]:
    """The metric's dictionary, or None and the reason; never raises for a fault of the user's function."""
    try:
        figures = function(stdout, stderr, exitcode)
    except (Exception, SystemExit) as error:
        return None, f"it raised {type(error).__name__}: {error}"
    if not isinstance(figures, Mapping):
        return None, f"it returned {figures!r}, not a dictionary"
    try:
        values = {str(key): _plain(value) for key, value in figures.items()}
        json.dumps(values, allow_nan=False)
        for value in values.values():
            if isinstance(value, int):
                float(value)  # raises for one that is too large to be shown or compared
    except Exception as error:
        return None, f"what it returned cannot be stored: {type(error).__name__}: {error}"
    return values, None


def _plain(value: Any) -> Any:
    """Numbers of other libraries, such as numpy's, as Python's own."""
    return value.item() if hasattr(value, "item") else value
