"""A comparison as JUnit XML: one test suite per benchmark, one test case per metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples_utils.comparison.text import change_text, head_lines, interval_text, why
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.results.junit import clean
from examples_utils.results.tables import format_metric

if TYPE_CHECKING:
    from junitparser import TestCase

# No verdict: they neither passed nor failed.
_OPEN = (Verdict.UNCERTAIN, Verdict.MISSING, Verdict.NOT_COMPARABLE)
_BAD = (Verdict.REGRESSED, Verdict.FAILED)


def comparison_junit(comparison: Comparison) -> str:
    """Returns the file's text. Regressed and failed are failures; uncertain, missing and not comparable are skipped."""
    from junitparser import JUnitXml, TestSuite

    document = JUnitXml("comparison")
    by_benchmark: dict[tuple[str, str], list[MetricVerdict]] = {}
    for one in comparison.judged:
        by_benchmark.setdefault((one.key.suite, one.key.benchmark), []).append(one)
    for (suite_name, benchmark), verdicts in by_benchmark.items():
        suite = TestSuite(clean(benchmark))
        suite.add_property("suite", clean(suite_name))
        suite.add_testcases([_case(one, comparison) for one in verdicts])
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return text.decode("utf-8") + "\n"


def _case(one: MetricVerdict, comparison: Comparison) -> TestCase:
    from junitparser import Failure, Skipped, TestCase

    case = TestCase(clean(f"{one.key.variant} {one.key.metric}"), clean(one.key.benchmark), 0.0)
    message = clean(_message(one))
    if one.verdict in _BAD:
        failure = Failure(message)
        failure.text = clean("\n".join([_message(one), *head_lines(comparison)]))
        case.result = [failure]
    elif one.verdict in _OPEN:
        case.result = [Skipped(message)]
    else:
        case.system_out = message
    return case


def _message(one: MetricVerdict) -> str:
    unit = f" {one.unit}" if one.unit else ""
    parts = [one.verdict.value]
    if one.base is not None and one.new is not None:
        parts[0] += f": {format_metric(one.base)} to {format_metric(one.new)}{unit}"
    if change_text(one):
        parts[0] += f" ({change_text(one)}{f', {interval_text(one)}' if interval_text(one) else ''})"
    return "; ".join([*parts, why(one)] if why(one) else parts)
