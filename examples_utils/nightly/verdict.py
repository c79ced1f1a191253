"""The verdict of a night: a few lines of text, and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from examples_utils.comparison.formats.json_document import comparison_json, metric_fields
from examples_utils.comparison.onset import Regression
from examples_utils.comparison.text import (
    accepted_line,
    baseline_line,
    by_urgency,
    called_again_line,
    change_text,
    counted,
    improvement_line,
    open_regression_line,
    regression_line,
    title_of,
)
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.history.baseline import Baseline
from examples_utils.history.regressions import ReportedRegression
from examples_utils.history.variant_diff import last_commands, variant_diff
from examples_utils.nightly.open_regressions import OpenList
from examples_utils.nightly.power import Power, power_json, power_line
from examples_utils.run_model import Run, VariantKey

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Night:
    """The result of a night. Without a `comparison` there is no verdict, because the history could not be read.

    `reported` are the regressions, of this night and of earlier ones. `repeated` are the suspects, and how often each
    was rerun. `problems` report what could not be stored or written (history, report).
    """

    run: Run
    log_folder: Path
    failed: bool
    baseline: Baseline | None
    comparison: Comparison | None = None
    reported: OpenList = field(default_factory=OpenList)
    power: Power | None = None
    repeated: Mapping[VariantKey, int] = field(default_factory=dict)
    problems: Sequence[str] = ()
    report: Path | None = None

    @property
    def not_comparable(self) -> list[MetricVerdict]:
        """The metrics that have nights before them, but with other settings, or in another unit."""
        judged = self.comparison.judged if self.comparison else ()
        return [one for one in judged if one.verdict is Verdict.NOT_COMPARABLE]

    @property
    def improvements(self) -> tuple[MetricVerdict, ...]:
        """The metrics that are better, the largest change first."""
        return (
            tuple(one for one in by_urgency(self.comparison) if one.verdict is Verdict.IMPROVED)
            if self.comparison
            else ()
        )

    @property
    def regressed(self) -> bool:
        """Whether a regression is called tonight."""
        return bool(self.reported.called or self.reported.called_again)

    @property
    def accepted(self) -> list[ReportedRegression]:
        """The accepted regressions that began in the nights of the comparison."""
        compared = {run.run_id for run in (*(self.baseline.runs if self.baseline else ()), self.run)}
        return [one for one in self.reported.accepted if one.first_after.run_id in compared]

    @property
    def exitcode(self) -> int:
        """1: failed, regressed or not comparable; 2: the night could not do everything requested; else 0."""
        if self.failed or self.regressed or self.not_comparable:
            return 1
        return 2 if self.problems or self.comparison is None else 0

    @property
    def word(self) -> str:
        """The verdict in a word or two."""
        if self.regressed:
            return "regressed"
        if self.failed:
            return "failed"
        if self.not_comparable:
            return "not comparable"
        if self.comparison is None or self.baseline is None:
            return "no verdict"
        return "no regression" if self.baseline.runs else "baseline begun"


def verdict_lines(night: Night) -> list[str]:
    """Returns the verdict as lines of text, its evidence last."""
    reported = night.reported
    lines = [regression_line(regression) for regression in reported.called]
    lines += [called_again_line(one) for one in reported.called_again]
    lines += [improvement_line(one) for one in night.improvements]
    lines += _not_comparable_lines(night)
    lines += [open_regression_line(one) for one in reported.persisting]
    lines += [accepted_line(one) for one in night.accepted]
    if night.comparison and night.baseline:
        lines += _variant_lines(night.comparison, night.baseline.runs, night.run)
    if night.repeated:
        reruns = ", ".join(f"{key.variant} ({more} times)" for key, more in night.repeated.items())
        lines.append(f"looked slower, so reran before the verdict: {reruns}")
    if night.baseline:
        lines.append(baseline_line(night.baseline))
    if night.power:
        lines.append(power_line(night.power))
    better = f"; {counted('metric', len(night.improvements))} improved" if night.improvements else ""
    return [*lines, f"verdict: {night.word}{better}"]


def _not_comparable_lines(night: Night) -> list[str]:
    """Returns one line per variant and reason, with one metric as an example."""
    first: dict[tuple[VariantKey, str], MetricVerdict] = {}
    for one in night.not_comparable:
        first.setdefault((one.key.of_variant, one.reason), one)
    return [
        f"NOT COMPARABLE {title_of(one.key)}: {reason}"
        + (f" ({one.key.metric} {change_text(one)})" if change_text(one) else "")
        for (_, reason), one in first.items()
    ]


def _variant_lines(comparison: Comparison, earlier: Sequence[Run], night: Run) -> Iterator[str]:
    """Yields the renamed, missing and new variants; nothing without an `earlier` night."""
    if not earlier:
        return
    missing = dict.fromkeys(
        one.key.of_variant
        for one in comparison.judged
        if one.verdict is Verdict.MISSING and one.key.of_variant not in night.variants
    )
    known = last_commands(earlier)
    diff = variant_diff(
        gone={key: known.get(key, "") for key in missing},
        new={key: facts.command for key, facts in night.variants.items() if key not in known},
    )
    for old, key in diff.renamed.items():
        yield f"RENAMED {title_of(old)} to {title_of(key)}, which has its command: its history begins anew"
    if diff.gone:
        yield f"MISSING {', '.join(map(title_of, diff.gone))}: in earlier nights, not in this one"
    if diff.new:
        yield f"NEW {', '.join(map(title_of, diff.new))}: in none of the earlier nights"


def verdict_json(night: Night) -> str:
    """Returns the verdict as a JSON document; `comparison` is as in `compare --format json`, or null."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "verdict": night.word,
        "exitcode": night.exitcode,
        "run_id": night.run.run_id,
        "started_utc": night.run.started_utc,
        "commit": night.run.commit,
        "failed": [
            {**key._asdict(), "reason": facts.reason}
            for key, facts in night.run.variants.items()
            if facts.status == "failed"
        ],
        "regressions": [
            *(_regression(regression) for regression in night.reported.called),
            *(_reported(one, called_again_line(one)) for one in night.reported.called_again),
        ],
        "improvements": [metric_fields(one) for one in night.improvements],
        "standing": [_reported(one, open_regression_line(one)) for one in night.reported.persisting],
        "accepted": [_accepted(one) for one in night.accepted],
        "not_comparable": [
            {**one.key._asdict(), "ratio": one.ratio, "reason": one.reason} for one in night.not_comparable
        ],
        "repeated": [{**key._asdict(), "repetitions_more": more} for key, more in night.repeated.items()],
        "baseline": _baseline(night.baseline),
        "power": power_json(night.power),
        "problems": list(night.problems),
        "log_folder": str(night.log_folder),
        "report": None if night.report is None else str(night.report),
        "comparison": json.loads(comparison_json(night.comparison)) if night.comparison else None,
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _regression(regression: Regression) -> dict[str, Any]:
    one, line = regression.judged, regression_line(regression)
    return one.key._asdict() | _onset(one, regression.last_before, regression.first_after, line)


def _reported(one: ReportedRegression, line: str) -> dict[str, Any]:
    return one.key._asdict() | _onset(one, one.last_before, one.first_after, line)


def _accepted(one: ReportedRegression) -> dict[str, Any]:
    return _reported(one, accepted_line(one)) | (asdict(one.acceptance) if one.acceptance else {})


def _onset(
    size: MetricVerdict | ReportedRegression, before: Run | None, after: Run, line: str
) -> dict[str, Any]:
    return {
        "ratio": size.ratio,
        "low": size.low,
        "high": size.high,
        "since_utc": after.started_utc,
        "since_run_id": after.run_id,
        "last_good_commit": before.commit if before else None,
        "first_bad_commit": after.commit,
        "line": line,
    }


def _baseline(baseline: Baseline | None) -> dict[str, Any] | None:
    if baseline is None:
        return None
    return {
        "run_ids": [run.run_id for run in baseline.runs],
        "wanted": baseline.wanted,
        "left_out": list(baseline.left_out),
    }
