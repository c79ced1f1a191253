"""A comparison as JSON, as `comparison.schema.json` describes it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from examples_utils.comparison.text import BY_URGENCY, by_urgency
from examples_utils.comparison.verdicts import Comparison, MetricVerdict

SCHEMA_VERSION = 1


def comparison_json(comparison: Comparison) -> str:
    """Returns the document: what concerns all metrics, then one object per metric, the most urgent first."""
    counts = {
        verdict.value: sum(one.verdict is verdict for one in comparison.judged) for verdict in BY_URGENCY
    }
    document = {
        "schema_version": SCHEMA_VERSION,
        "base": comparison.base_title,
        "new": comparison.new_title,
        "differences": list(comparison.differences),
        "machine": asdict(comparison.movement) if comparison.movement else None,
        "run_noise": comparison.run_noise or None,
        "geometric_mean": comparison.geometric_mean,
        "counts": counts,
        "figures": [metric_fields(one) for one in by_urgency(comparison)],
    }
    return json.dumps(_finite(document), indent=2, allow_nan=False) + "\n"


def metric_fields(one: MetricVerdict) -> dict[str, Any]:
    """Returns one metric as plain values: the parts of its key first, then its evidence."""
    fields = asdict(one)
    del fields["key"]
    return {**one.key._asdict(), **fields, "verdict": one.verdict.value}


def _finite(value: Any) -> Any:
    """JSON has no infinity (the ratio to a base of 0): replaced with null."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
