"""Parsers by name: built-in ones, and those that other packages provide through an entry point.

A package provides one in its `pyproject.toml`:

    [project.entry-points.benchmark_parsers]
    mytool = "mypackage.parsing:MyToolParser"

The object is called without arguments for each output and returns a `benchmark_parsers.parsed.Parser`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmark_parsers.numbers import UnreadableError
from benchmark_parsers.parsed import HIGHER, LOWER, Metric, Parsed, Parser
from benchmark_parsers.samples import few
from benchmark_parsers.units import NEVER_NEGATIVE

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "benchmark_parsers"
_PERCENTILE = re.compile(r"p\d+(\.\d+)?")
# The parser of an entry's own regular expressions, which needs the entry: see benchmark_parsers.regex.
REGEX = "regex"

# Imported on first use.
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
    """The parser does not exist or cannot be loaded. The message names it and the reason."""


class UnknownParserError(ParserError):
    """No parser has this name; `known` lists those that exist."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no parser is called {name!r}")
        self.known = known


def known_parsers() -> tuple[str, ...]:
    """Returns all names, those of other packages last."""
    return tuple(dict.fromkeys([REGEX, *_BUILT_IN, *sorted(point.name for point in _entry_points())]))


def check_parser(name: str) -> None:
    """Raises ParserError if `make_parser` would."""
    if name not in _BUILT_IN:
        _factory(name)


def make_parser(name: str) -> Parser:
    """Returns a fresh parser. It never raises, whatever its input: its exceptions become problems of the result.

    Raises:
        UnknownParserError: no parser has this name.
        ParserError: its package cannot be imported, or its entry point is not callable.
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
        raise ParserError(f"parser {name!r} is provided by {origins}; uninstall one of them")
    try:
        factory = points[0].load()
    except (Exception, SystemExit) as error:
        raise ParserError(
            f"parser {name!r} of {_origin(points[0])} cannot be imported: {type(error).__name__}: {error}"
        ) from None
    if not callable(factory):
        raise ParserError(f"parser {name!r} of {_origin(points[0])} is not a class or function")
    return factory


@lru_cache(maxsize=1)
def _entry_points() -> tuple[EntryPoint, ...]:
    # Slow to import, and needed only for names that are not built in.
    from importlib.metadata import entry_points

    return tuple(entry_points(group=ENTRY_POINTS))


def _origin(point: EntryPoint) -> str:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else "a package without a name"
    return f"{package} ({point.value})"


class _Guarded:
    """Catches a parser's exceptions, so that they fail one variant and not the run."""

    def __init__(self, name: str, factory: Callable[[], Any]) -> None:
        self._name = name
        self._fault: str | None = None
        self._parser: Any = None
        self._call(lambda: setattr(self, "_parser", factory()))

    def feed(self, block: str) -> None:
        """Reads whole lines; after an exception, ignores them."""
        if self._fault is None:
            self._call(lambda: self._parser.feed(block))

    def parsed(self) -> Parsed:
        """Returns the result, with every metric checked."""
        found: list[Any] = []
        if self._fault is None:
            self._call(lambda: found.append(self._parser.parsed()))
        if self._fault is not None:
            return Parsed(problems=(f"parser {self._name} {self._fault}",))
        if not isinstance(found[0], Parsed):
            return Parsed(
                problems=(f"parser {self._name} returned {_shown(found[0])}, which is not a Parsed",)
            )
        return self._checked(found[0])

    def _call(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except UnreadableError as error:
            self._fault = f"cannot read the output: {error}"
        except (Exception, SystemExit) as error:
            self._fault = f"raised {type(error).__name__}: {error}"

    def _checked(self, parsed: Parsed) -> Parsed:
        """Replaces metrics that cannot be stored with problems."""
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
                problems = (f"parser {self._name} found no metric",)
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
            return Parsed(problems=(f"parser {self._name} returned values that cannot be stored: {text}",))


def _fault(metric: Any) -> str | None:
    if not isinstance(metric, Metric):
        return f"{_shown(metric)} is not a Metric"
    value = metric.value
    if not _is_finite(value):
        return f"{_shown(value)} is not a finite number"
    if metric.direction not in (HIGHER, LOWER, None):
        return f"its direction is {_shown(metric.direction)}, not {HIGHER}, {LOWER} or None"
    if metric.unit is not None and not isinstance(metric.unit, str):
        return f"its unit is {_shown(metric.unit)}, which is not text"
    if metric.unit in NEVER_NEGATIVE and (smallest := min((value, *metric.samples))) < 0:
        return f"{smallest:g} {metric.unit} is negative"
    return None


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return False
    try:
        return math.isfinite(value)
    except Exception:  # an integer that is too large, a tensor of several elements: each raises its own type
        return False


def _plain(metric: Metric) -> Metric:
    """Converts numbers of other libraries, such as NumPy, to Python's own types, and limits the samples.

    Drops samples that are not finite, and keys of a summary that the schema does not know.
    """
    samples = [float(value) for value in metric.samples]
    summary = {str(key): float(value) for key, value in metric.summary.items()}
    return replace(
        metric,
        value=float(metric.value),
        unit=metric.unit or None,
        reduction=str(metric.reduction) or "value",
        samples=few([value for value in samples if math.isfinite(value)]),
        summary={
            key: int(value) if key == "count" else value
            for key, value in summary.items()
            if math.isfinite(value) and _is_summary(key, value)
        },
    )


def _is_summary(key: str, value: float) -> bool:
    smallest = {"count": 1, "std": 0, **dict.fromkeys(("mean", "min", "max", "low", "high"), -math.inf)}
    return value >= smallest[key] if key in smallest else _PERCENTILE.fullmatch(key) is not None


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # such as an integer of thousands of digits
        text = f"an unprintable {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."
