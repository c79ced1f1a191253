"""Targets of measured values, and the rows of the tables in which both are printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A bound in the unit of the value; without one, the value is only reported. `note` is printed after it."""

    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    def met_by(self, value: float) -> bool:
        """Whether `value` is within the bound."""
        above = self.at_least is None or value >= self.at_least
        return above and (self.at_most is None or value <= self.at_most)

    def text(self, unit: str) -> str:
        """The bound as printed: `≥ 0.97`, `≤ 10 ms`; empty without a bound and a note."""
        bounds = (("≥", self.at_least), ("≤", self.at_most))
        known = [f"{sign} {bound:g} {unit}".strip() for sign, bound in bounds if bound is not None]
        return " ".join([*known, *([f"({self.note})"] if self.note else [])])


NO_TARGET = Target()


@dataclass(frozen=True)
class Row:
    """One row of a table: `value` in `unit`, the range `low` to `high` of its rounds if known, and its target."""

    what: str
    value: float
    low: float | None = None
    high: float | None = None
    target: Target = NO_TARGET
    details: str = ""
    unit: str = ""
    decimals: int = 3

    @property
    def misses(self) -> bool:
        """Whether the value misses its target, as precisely as it is printed."""
        return not self.target.met_by(round(self.value, self.decimals))

    @property
    def line(self) -> str:
        """The row in Markdown."""
        spread = (
            ""
            if self.low is None or self.high is None
            else f"{self._text(self.low)} to {self._text(self.high)}"
        )
        value = f"{self._text(self.value)} {self.unit}".strip()
        return f"| {self.what} | {value} | {spread} | {self.target.text(self.unit)} | {self.details} |"

    def _text(self, value: float) -> str:
        return f"{value:.{self.decimals}f}"


def missed(rows: Iterable[Row]) -> list[Row]:
    """The rows whose value misses its target."""
    return [row for row in rows if row.misses]
