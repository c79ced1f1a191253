"""Metrics computed from other metrics and parameters: the `derived` key of an entry."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from benchmark_parsers.reduction import Reduced

_FUNCTIONS = {"abs": abs, "max": max, "min": min, "round": round}
_BRACED = re.compile(r"\{\s*([A-Za-z_]\w*)\s*\}")


@dataclass(frozen=True)
class DerivedSpec:
    """`expr` uses metric and parameter names, bare or in braces; `label` names the result."""

    name: str
    expr: str
    label: str = "mean"
    unit: str | None = None
    direction: str | None = None


def names_in(expr: str) -> set[str]:
    """Returns the names that an expression uses. Raises ValueError, with the reason, for an invalid expression."""
    try:
        tree = ast.parse(_bare(expr), mode="eval")
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"{expr[:60]!r} is not a valid expression: {getattr(error, 'msg', error)}") from None
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(_FUNCTIONS)


def derive(
    derived: DerivedSpec, values: Mapping[str, float | None], parameters: Mapping[str, str]
) -> Reduced:
    """Returns the derived metric's value, or None and the reason. A metric takes precedence over a parameter."""
    from simpleeval import simple_eval  # type: ignore[import-untyped]

    names = {**{name: _number_or_text(text) for name, text in parameters.items()}, **values}
    try:
        missing = sorted(name for name in names_in(derived.expr) if name in values and values[name] is None)
        if missing:
            return Reduced(None, 0, f"it is derived from {', '.join(missing)}, which has no value")
        value = simple_eval(_bare(derived.expr), names=names, functions=_FUNCTIONS)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            shown = repr(value)[:60]
            return Reduced(
                None, 0, f"its expr {derived.expr[:60]!r} gives {shown}, which is not a finite number"
            )
    except Exception as error:
        # An arbitrary expression can fail in any way: number too large, index out of range, ...
        return Reduced(None, 0, f"its expr {derived.expr[:60]!r} cannot be computed: {error}")
    return Reduced(float(value), 1)


def _bare(expr: str) -> str:
    """Removes the braces: specs write names as `{name}` or as `name`."""
    return _BRACED.sub(r"(\1)", expr).strip()


def _number_or_text(text: str) -> float | int | str:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text
