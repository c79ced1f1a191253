"""Merges two readings of one run: it may have been read while it ran, or before it was resumed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey

# Repetitions only accumulate: a variant that has passed may fail in a later one, but not the reverse.
_GROWTH = {"not run": 0, "skipped": 1, "passed": 1, "failed": 2}


@dataclass
class _Part:
    """One reading of one variant."""

    facts: VariantFacts | None
    metrics: dict[MetricKey, Metric] = field(default_factory=dict)

    def size(self) -> tuple[int, int]:
        """How much of the variant had been measured."""
        grown = _GROWTH.get(self.facts.status, 0) if self.facts else -1
        return sum(len(metric.values) for metric in self.metrics.values()), grown


def merge_runs(known: Run, read: Run) -> Run:
    """Merges all that two readings of the same run contain.

    For each variant, the reading with more values counts as a whole; of two with the same number, the later one. A
    metric or log tail that only the other reading has is kept.
    """
    parts, later = _parts(known), _parts(read)
    for key, part in later.items():
        parts[key] = _fuller(parts[key], part) if key in parts else part
    # Facts about the run as a whole are taken from the reading that contains more of it.
    fuller = max(
        known, read, key=lambda run: (sum(len(f.values) for f in run.metrics.values()), len(run.variants))
    )
    return replace(
        fuller,
        started_utc=min(known.started_utc, read.started_utc, key=datetime.fromisoformat),
        canary=max(known.canary, read.canary, key=lambda canary: sum(map(len, canary.values()))),
        variants={key: part.facts for key, part in parts.items() if part.facts},
        metrics={key: metric for part in parts.values() for key, metric in part.metrics.items()},
    )


def _parts(run: Run) -> dict[VariantKey, _Part]:
    parts = {key: _Part(facts) for key, facts in run.variants.items()}
    for key, metric in run.metrics.items():
        parts.setdefault(key.of_variant, _Part(None)).metrics[key] = metric
    return parts


def _fuller(known: _Part, read: _Part) -> _Part:
    fuller, other = (read, known) if read.size() >= known.size() else (known, read)
    facts = fuller.facts or other.facts
    if facts and other.facts and not facts.log_tail:
        facts = replace(facts, log_tail=other.facts.log_tail)
    return _Part(facts, other.metrics | fuller.metrics)
