"""The variants of a benchmark: every combination of its parameters, or the rows of its table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeVar

from examples_utils.spec.placeholders import placeholders

MAX_VARIANTS = 100_000
MAX_TEXT = 32 << 20
"""Characters of all commands and names: they are in memory, several times."""
_Value = TypeVar("_Value", bound=Hashable)


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

    Each has a name of its own: of several that would share one, all but the first get their number, as in `b_n_1#2`.

    Raises:
        VariantError: As `check_parameters` does.
    """
    check_parameters(parameters)
    rows = _rows(parameters)
    names = [variant_name(benchmark, row) for row in rows]
    if len(set(names)) < len(names):
        names = _numbered(names)
    return [Variant(benchmark, name, tuple(row.items())) for name, row in zip(names, rows, strict=True)]


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


def parameter_values(parameters: Any) -> dict[str, list[str]]:
    """Returns each parameter's values, in the order of the spec: of a table, those of its column."""
    if not parameters:
        return {}
    if isinstance(parameters, dict):
        return {name: _values(given) for name, given in parameters.items()}
    columns = zip(*parameters[1:], strict=True)
    names = parameter_names(parameters)
    return {
        name: [_text(value).strip() for value in column] for name, column in zip(names, columns, strict=True)
    }


def count_variants(parameters: Any) -> int:
    """Returns the number of variants, without making them."""
    if isinstance(parameters, list):
        return len(parameters) - 1
    return math.prod(len(values) for values in parameter_values(parameters).values())


def most_text(command: str, parameters: Any) -> int:
    """Returns how many characters the commands and names of all variants have at most, without making them."""
    longest = {
        name: max(map(len, values), default=0) for name, values in parameter_values(parameters).items()
    }
    used = sum(longest.get(name, 0) for name in placeholders(command))
    return count_variants(parameters or {}) * (len(command) + sum(longest.values()) + used)


def too_much_text(characters: int) -> str:
    """Returns the end of a message about more than `MAX_TEXT`."""
    return f"commands and names of {characters:,} characters; at most {MAX_TEXT:,} are allowed"


def check_parameters(parameters: Any) -> None:
    """Checks parameters without making their variants.

    Raises:
        VariantError: Rows of unequal length, a table without rows, or more than `MAX_VARIANTS`.
    """
    if isinstance(parameters, list):
        _check_table(parameters)
    if (number := count_variants(parameters)) > MAX_VARIANTS:
        raise VariantError(f"makes {number:,} variants; at most {MAX_VARIANTS:,} are allowed")


def equal_variants(parameters: Any) -> str | None:
    """Returns the parameters that several variants share, for a warning; None if all of them differ."""
    if isinstance(parameters, dict):
        for name, values in parameter_values(parameters).items():
            if (value := _first_duplicate(values)) is not None:
                return f"{name}={value}"
        return None
    row = _first_duplicate([tuple(row.items()) for row in _rows(parameters)])
    return None if row is None else ", ".join(f"{name}={value}" for name, value in row)


def _rows(parameters: Any) -> list[dict[str, str]]:
    """Returns one mapping of parameter to value per variant; of combinations, the first key varies fastest."""
    values = parameter_values(parameters)
    if isinstance(parameters, list):
        return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return [
        dict(zip(values, reversed(combination), strict=True))
        for combination in product(*reversed(list(values.values())))
    ]


def _values(given: Any) -> list[str]:
    values = [_text(value) for value in given] if isinstance(given, list) else _text(given).split(",")
    return [value.strip() for value in values]


def _check_table(rows: list[list[Any]]) -> None:
    header = parameter_names(rows)
    if len(rows) < 2:
        raise VariantError("the table has a header but no row of values")
    for index, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise VariantError(f"row {index} has {len(row)} values for {len(header)} parameters", index)


def _numbered(names: Sequence[str]) -> list[str]:
    """Appends `#2`, `#3`, … to the second and later uses of a name."""
    taken, times = set(names), Counter[str]()
    numbered = []
    for name in names:
        times[name] += 1
        own = name
        while times[name] > 1 and (own := f"{name}#{times[name]}") in taken:
            times[name] += 1
        taken.add(own)
        numbered.append(own)
    return numbered


def _first_duplicate(values: Sequence[_Value]) -> _Value | None:
    seen: set[_Value] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
