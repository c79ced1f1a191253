"""Metrics computed by a user's Python function from the complete output."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

CustomMetric = Callable[[str, str, int], Mapping[str, Any] | float]

_LONGEST_MESSAGE = 500

# Users' files rely on registration at import time; nothing else here is global.
_REGISTERED: dict[str, CustomMetric] = {}


def register_custom_metric(name: str, function: CustomMetric) -> None:
    """Registers the metric `name`, computed by `function(stdout, stderr, exitcode)` for every variant.

    The function returns a number, stored under `name` and `value` in the results, or a dictionary from reduction name
    to value, stored under `name`.
    """
    if not callable(function):
        raise TypeError(f"custom metric {name!r}: {function!r} is not callable")
    _REGISTERED[name] = function


def registered_custom_metrics() -> dict[str, CustomMetric]:
    """Returns a copy of the registry."""
    return dict(_REGISTERED)


def compute_custom_metric(
    function: CustomMetric, stdout: str, stderr: str, exitcode: int
) -> tuple[dict[str, Any] | None, str | None]:
    """Returns the metric's dictionary, or None and the reason. An exception becomes the reason."""
    try:
        returned = function(stdout, stderr, exitcode)
    except (Exception, SystemExit) as error:
        return None, f"it raised {_described(error)}"
    try:
        if _is_number(returned):
            returned = {"value": returned}
        if not isinstance(returned, Mapping):
            return None, f"it returned {reprlib.repr(returned)}, not a number or a dictionary"
        values = {str(key): _plain(value) for key, value in returned.items()}
        values = json.loads(json.dumps(values, allow_nan=False))  # no types of the user's own
        for value in values.values():
            if isinstance(value, int):
                float(value)  # raises if the number is too large to display or compare
    except Exception as error:
        return None, f"its return value cannot be stored: {_described(error)}"
    return values, None


def _described(error: BaseException) -> str:
    """Type and message, which may hold the whole output, as that of `float(stdout)` does."""
    text = str(error)
    if len(text) > _LONGEST_MESSAGE:
        text = f"{text[:_LONGEST_MESSAGE]}…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_number(value: Any) -> bool:
    return isinstance(_plain(value), int | float) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """Converts numbers of other libraries, such as NumPy, to Python's own types."""
    return value.item() if hasattr(value, "item") else value
