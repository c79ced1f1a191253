"""The variants of a benchmark: every combination of its parameters, or the rows of its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any


@dataclass(frozen=True)
class Variant:
    """One setting of a benchmark's parameters; `params` keeps the order of the spec."""

    benchmark: str
    name: str
    params: tuple[tuple[str, str], ...]


class VariantError(ValueError):
    """Parameters that give no valid list of variants; `steps` leads to the place inside `parameters`."""

    def __init__(self, message: str, *steps: str | int) -> None:
        super().__init__(message)
        self.steps = steps


def expand(benchmark: str, parameters: Any) -> list[Variant]:
    """Returns the variants in the order in which they run. `parameters` is as in the spec, or None.

    Raises:
        VariantError: Rows of unequal length, a duplicate value, or a table without rows.
    """
    return [
        Variant(benchmark, variant_name(benchmark, dict(row)), tuple(row.items()))
        for row in parameter_rows(parameters)
    ]


def variant_name(benchmark: str, params: Mapping[str, str]) -> str:
    """Returns the benchmark's name, then `_key_value` for the keys in sorted order."""
    return benchmark + "".join(f"_{key}_{params[key]}" for key in sorted(params))


def parameter_names(parameters: Any) -> tuple[str, ...]:
    """Returns the names of the parameters, in the order of the spec. Raises VariantError for a duplicate."""
    if not parameters:
        return ()
    if isinstance(parameters, dict):
        return tuple(parameters)
    header = [_text(name) for name in parameters[0]]
    for index, name in enumerate(header):
        if name in header[:index]:
            raise VariantError(f"the parameter {name} is in the header twice", 0, index)
    return tuple(header)


def parameter_rows(parameters: Any) -> list[dict[str, str]]:
    """Returns one mapping of parameter to value per variant. Raises VariantError as `expand` does."""
    if not parameters:
        return [{}]
    rows = _combinations(parameters) if isinstance(parameters, dict) else _table(parameters)
    names = [variant_name("", row) for row in rows]
    if len(set(names)) < len(names):
        twice = next(row for index, row in enumerate(rows) if names[index] in names[:index])
        shown = ", ".join(f"{key}={value}" for key, value in twice.items())
        raise VariantError(f"two variants would have the same name: {shown}; remove one")
    return rows


def _combinations(parameters: Mapping[str, Any]) -> list[dict[str, str]]:
    """Returns all combinations; the first key varies fastest."""
    values = {name: _values(name, given) for name, given in parameters.items()}
    return [
        dict(zip(values, reversed(combination), strict=True))
        for combination in product(*reversed(list(values.values())))
    ]


def _values(name: str, given: Any) -> list[str]:
    values = [_text(value) for value in given] if isinstance(given, list) else _text(given).split(",")
    values = [value.strip() for value in values]
    for index, value in enumerate(values):
        if value in values[:index]:
            raise VariantError(f"the value {value!r} is given twice; remove one", name)
    return values


def _table(rows: list[list[Any]]) -> list[dict[str, str]]:
    """Returns the rows of a table with a header."""
    header = parameter_names(rows)
    if len(rows) < 2:
        raise VariantError("the table has a header but no row of values")
    for index, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise VariantError(f"row {index} has {len(row)} values for {len(header)} parameters", index)
    return [dict(zip(header, (_text(value).strip() for value in row), strict=True)) for row in rows[1:]]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
