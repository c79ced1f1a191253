"""The metrics and settings of one output, which may hold several results of the same name."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark_parsers.parsed import Metric

_LONGEST_VALUE = 80


class NamedMetrics:
    """Collects metrics; never replaces one by another.

    Results of the same name are distinguished by those of their facts that differ, as in `time[threads=2]`. Where
    nothing differs, the results are left out and reported as a problem.
    """

    def __init__(self) -> None:
        self._by_name: dict[str, list[tuple[Metric, Mapping[str, Any]]]] = {}
        self._settings: dict[str, dict[str, None]] = {}

    def add(self, name: str, metric: Metric, facts: Mapping[str, Any] | None = None) -> None:
        """Adds a metric; `facts` (JSON values) distinguish it from another of its name, the most specific first."""
        self._by_name.setdefault(name, []).append((metric, facts or {}))

    def add_setting(self, key: str, value: str) -> None:
        """Adds an effective setting; the values of several results are joined by commas."""
        self._settings.setdefault(key, {})[value] = None

    def names(self) -> set[str]:
        """Returns the names that were added."""
        return set(self._by_name)

    def settings(self) -> dict[str, str]:
        """Returns each setting with its values in the order in which they were first added."""
        return {key: ", ".join(values) for key, values in self._settings.items()}

    def metrics(self) -> tuple[dict[str, Metric], tuple[str, ...]]:
        """Returns the metrics by unique names, and a problem if some have none."""
        named = [
            (name + label, metric)
            for name, entries in self._by_name.items()
            for label, (metric, _) in zip(_labels([facts for _, facts in entries]), entries, strict=True)
        ]
        counts = Counter(name for name, _ in named)
        metrics = {name: metric for name, metric in named if counts[name] == 1}
        ambiguous = [name for name, count in counts.items() if count > 1]
        return metrics, (_problem(ambiguous),) if ambiguous else ()


def _labels(all_facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns a label per result, made of the fewest leading facts that distinguish them; equal ones if none do."""
    rows: list[dict[str, str]] = [{} for _ in all_facts]
    for key in dict.fromkeys(key for facts in all_facts for key in facts):
        if _distinct(rows) == len(rows):
            break
        longer = [
            row | ({key: _text(facts[key])} if key in facts else {})
            for row, facts in zip(rows, all_facts, strict=True)
        ]
        if _distinct(longer) > _distinct(rows):
            rows = longer
    return [f"[{','.join(f'{key}={text}' for key, text in row.items())}]" if row else "" for row in rows]


def _distinct(rows: Sequence[Mapping[str, str]]) -> int:
    return len({tuple(row.items()) for row in rows})


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(text) <= _LONGEST_VALUE:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{text[: _LONGEST_VALUE - 12]}…{digest}"


def _problem(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:3]) + (" …" if len(names) > 3 else "")
    return (
        f"contains several results called {shown}, with nothing that distinguishes them: print one of them, or give "
        "each a name of its own"
    )
