"""Metrics computed from other metrics and parameters: the `derived` key of an entry."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from benchmark_parsers.numbers import number_of
from benchmark_parsers.reduction import Reduced


def _round(value: float, *digits: int) -> float:
    return round(float(value), *digits)  # a whole number would be rounded by way of a power of ten


_FUNCTIONS = {"abs": abs, "max": max, "min": min, "round": _round, "sum": sum}
_ARITHMETIC = (
    ast.Add, ast.BinOp, ast.Call, ast.Constant, ast.Div, ast.Expression, ast.FloorDiv, ast.List, ast.Load, ast.Mod,
    ast.Mult, ast.Name, ast.Pow, ast.Sub, ast.Tuple, ast.UAdd, ast.UnaryOp, ast.USub,
)  # fmt: skip
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
    _refuse_other_than_arithmetic(tree, expr)
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(_FUNCTIONS)


def derive(
    derived: DerivedSpec, values: Mapping[str, float | None], parameters: Mapping[str, str]
) -> Reduced:
    """Returns the derived metric's value, or None and the reason. A metric takes precedence over a parameter."""
    from simpleeval import DEFAULT_OPERATORS, EvalWithCompoundTypes  # type: ignore[import-untyped]

    names: dict[str, float | None] = {
        name: number for name, text in parameters.items() if (number := _float_or_small_int(text)) is not None
    }
    names |= values
    # Of whole numbers, 9**9**9 would take all memory.
    operators = {**DEFAULT_OPERATORS, ast.Pow: lambda base, exponent: float(base) ** float(exponent)}
    try:
        used = names_in(derived.expr)
        missing = sorted(name for name in used if name in values and values[name] is None)
        if missing:
            return Reduced(None, 0, f"it is derived from {', '.join(missing)}, which has no value")
        if texts := sorted(name for name in used - names.keys() if name in parameters):
            shown = f"{texts[0]} is {parameters[texts[0]][:40]!r}, not a number"
            return Reduced(None, 0, f"its expr {derived.expr[:60]!r} cannot be computed: {shown}")
        evaluator = EvalWithCompoundTypes(names=names, functions=_FUNCTIONS, operators=operators)
        value = evaluator.eval(_bare(derived.expr))
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


def _refuse_other_than_arithmetic(tree: ast.AST, expr: str) -> None:
    """Raises ValueError for what is not arithmetic with numbers: text, methods, comparisons, lists outside of calls."""
    arguments = {
        id(argument) for node in ast.walk(tree) if isinstance(node, ast.Call) for argument in node.args
    }
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        is_number = not isinstance(node, ast.Constant) or type(node.value) in (int, float)
        is_in_place = not isinstance(node, ast.List | ast.Tuple) or id(node) in arguments
        is_known = id(node) not in functions or (isinstance(node, ast.Name) and node.id in _FUNCTIONS)
        if not (isinstance(node, _ARITHMETIC) and is_number and is_in_place and is_known):
            part = ast.get_source_segment(_bare(expr), node) or type(node).__name__
            raise ValueError(
                f"{expr[:60]!r} is not arithmetic: {part[:40]!r}; use numbers, names, + - * / // % ** and "
                f"{', '.join(sorted(_FUNCTIONS))}"
            )


def _float_or_small_int(text: str) -> float | int | None:
    number = number_of(text)
    return number if number is None or abs(number) < 2**53 else float(text)
