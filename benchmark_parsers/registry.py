"""Parsers by name: the built-in ones, and those that other packages bring by an entry point.

A package brings one with, in its ``pyproject.toml``::

    [project.entry-points.benchmark_parsers]
    mytool = "mypackage.parsing:MyToolParser"

What it names is called without arguments for each output and gives a ``benchmark_parsers.parsed.Parser``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmark_parsers.parsed import HIGHER, LOWER, Metric, Parsed, Parser
from benchmark_parsers.samples import few
from benchmark_parsers.units import NEVER_NEGATIVE

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "benchmark_parsers"
_PERCENTILE = re.compile(r"p\d+(\.\d+)?")
# The parser of an entry's own regular expressions, which needs the entry: see benchmark_parsers.regex.
REGEX = "regex"

# Imported when used.
_BUILT_IN = {
    "driver": "DriverParser",
    "poplar": "PoplarParser",
    "timm_benchmark": "TimmBenchmarkParser",
    "benchmark_app": "BenchmarkAppParser",
    "perf_analyzer": "PerfAnalyzerParser",
    "loadgen": "LoadGenParser",
    "pytest_benchmark": "PytestBenchmarkParser",
    "hyperfine": "HyperfineParser",
    "google_benchmark": "GoogleBenchmarkParser",
}


class ParserError(Exception):
    """There is no such parser, or it cannot be loaded. The text says which and why."""


class UnknownParserError(ParserError):
    """No parser has this name; ``known`` holds those that do."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no parser is called {name!r}")
        self.known = known


def known_parsers() -> tuple[str, ...]:
    """All names, those of other packages last."""
    return tuple(dict.fromkeys([REGEX, *_BUILT_IN, *sorted(point.name for point in _entry_points())]))


def check_parser(name: str) -> None:
    """Raises ParserError if ``make_parser`` would."""
    if name not in _BUILT_IN:
        _factory(name)


def make_parser(name: str) -> Parser:
    """A fresh parser. It never raises, whatever it is fed: its faults become problems of what it parsed.

    Raises:
        UnknownParserError: no parser has this name.
        ParserError: the package that brings it cannot be imported, or what it names cannot be called.
    """
    return _Guarded(name, _factory(name))


@lru_cache(maxsize=64)
def _factory(name: str) -> Callable[[], Any]:
    if name in _BUILT_IN:
        factory: Callable[[], Any] = getattr(import_module(f"benchmark_parsers.{name}"), _BUILT_IN[name])
        return factory
    points = [point for point in _entry_points() if point.name == name]
    if not points:
        raise UnknownParserError(name, known_parsers())
    if len({point.value for point in points}) > 1:
        origins = " and ".join(sorted(_origin(point) for point in points))
        raise ParserError(f"parser {name!r} is brought by {origins}; uninstall one of them")
    try:
        factory = points[0].load()
    except (Exception, SystemExit) as error:
        raise ParserError(
            f"parser {name!r} of {_origin(points[0])} cannot be imported: {type(error).__name__}: {error}"
        ) from None
    if not callable(factory):
        raise ParserError(f"parser {name!r} of {_origin(points[0])} is no class or function")
    return factory


@lru_cache(maxsize=1)
def _entry_points() -> tuple[EntryPoint, ...]:
    # Slow to import, and needed only where a name is not one of ours.
    from importlib.metadata import entry_points

    return tuple(entry_points(group=ENTRY_POINTS))


def _origin(point: EntryPoint) -> str:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else "a package without a name"
    return f"{package} ({point.value})"


class _Guarded:
    """Holds the faults of a parser, so that they fail one variant and not the run."""

    def __init__(self, name: str, factory: Callable[[], Any]) -> None:
        self._name = name
        self._fault: str | None = None
        self._parser: Any = None
        self._call(lambda: setattr(self, "_parser", factory()))

    def feed(self, block: str) -> None:
        """Takes whole lines; after a fault they are passed over."""
        if self._fault is None:
            self._call(lambda: self._parser.feed(block))

    def parsed(self) -> Parsed:
        """What was found, with every figure checked."""
        found: list[Any] = []
        if self._fault is None:
            self._call(lambda: found.append(self._parser.parsed()))
        if self._fault is not None:
            return Parsed(problems=(f"parser {self._name} {self._fault}",))
        if not isinstance(found[0], Parsed):
            return Parsed(problems=(f"parser {self._name} gives {_shown(found[0])}, which is no Parsed",))
        return self._checked(found[0])

    def _call(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except (Exception, SystemExit) as error:
            self._fault = f"raised {type(error).__name__}: {error}"

    def _checked(self, parsed: Parsed) -> Parsed:
        """Without the figures that cannot be stored, which become problems."""
        try:
            faults = {name: _fault(metric) for name, metric in parsed.metrics.items()}
            good = {str(name): _plain(parsed.metrics[name]) for name, fault in faults.items() if not fault}
            texts = [
                {str(key): str(value) for key, value in mapping.items()}
                for mapping in (parsed.settings, parsed.versions)
            ]
            problems = (
                *map(str, parsed.problems),
                *(f"{name}: {fault}" for name, fault in faults.items() if fault),
            )
            if not (good or problems):
                problems = (f"parser {self._name} found no figure",)
            return replace(
                parsed,
                metrics=good,
                settings=texts[0],
                versions=texts[1],
                problems=problems,
                warnings=tuple(map(str, parsed.warnings)),
            )
        except (Exception, SystemExit) as error:
            text = f"{type(error).__name__}: {error}"
            return Parsed(problems=(f"parser {self._name} gives what cannot be stored: {text}",))


def _fault(metric: Any) -> str | None:
    if not isinstance(metric, Metric):
        return f"{_shown(metric)} is no Metric"
    value = metric.value
    if not _is_finite(value):
        return f"{_shown(value)} is not a finite number"
    if metric.direction not in (HIGHER, LOWER, None):
        return f"its direction is {_shown(metric.direction)}, not {HIGHER}, {LOWER} or None"
    if metric.unit is not None and not isinstance(metric.unit, str):
        return f"its unit is {_shown(metric.unit)}, which is no text"
    if metric.unit in NEVER_NEGATIVE and (smallest := min((value, *metric.samples))) < 0:
        return f"{smallest:g} {metric.unit} is negative"
    return None


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return False
    try:
        return math.isfinite(value)
    except Exception:  # a whole number that is too large, a tensor of several elements: each raises its own
        return False


def _plain(metric: Metric) -> Metric:
    """As records hold it: numbers of other libraries, such as numpy's, as Python's own, and no more samples than that.

    What is not finite is left out, and of a summary what records do not know.
    """
    samples = [float(figure) for figure in metric.samples]
    summary = {str(key): float(figure) for key, figure in metric.summary.items()}
    return replace(
        metric,
        value=float(metric.value),
        unit=metric.unit or None,
        reduction=str(metric.reduction) or "value",
        samples=few([figure for figure in samples if math.isfinite(figure)]),
        summary={
            key: int(figure) if key == "count" else figure
            for key, figure in summary.items()
            if math.isfinite(figure) and _is_summary(key, figure)
        },
    )


def _is_summary(key: str, figure: float) -> bool:
    smallest = {"count": 1, "std": 0, "mean": -math.inf, "min": -math.inf, "max": -math.inf}
    return figure >= smallest[key] if key in smallest else _PERCENTILE.fullmatch(key) is not None


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # such as of a whole number of thousands of digits
        text = f"an unprintable {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."
