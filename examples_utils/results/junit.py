"""`benchmark_results.xml`: JUnit, one suite per benchmark and one test case per variant."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from examples_utils.results.file_tail import tail
from examples_utils.results.record import FAILED, NOT_RUN, SKIPPED, VariantResult

if TYPE_CHECKING:
    from junitparser import TestCase

_TAIL_BYTES = 4096
# XML 1.0 cannot hold other control characters, not even as references.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def results_junit(results: Sequence[VariantResult], log_folder: Path) -> str:
    """Returns the file's text. It quotes the ends of logs in the log folder, and of no other files."""
    from junitparser import JUnitXml, TestSuite

    document = JUnitXml("benchmarks")
    for benchmark in dict.fromkeys(result.benchmark_name for result in results):
        suite = TestSuite(clean(benchmark))
        suite.add_testcases(
            _cases((result for result in results if result.benchmark_name == benchmark), log_folder)
        )
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return text.decode("utf-8")


def _cases(results: Iterable[VariantResult], log_folder: Path) -> list[TestCase]:
    from junitparser import Failure, Skipped, TestCase

    cases = []
    for result in results:
        case = TestCase(clean(result.variant_name), clean(result.benchmark_name), result.duration_s or 0.0)
        if result.status == FAILED:
            failure = Failure(clean(result.reason or "failed"))
            failure.text = clean(
                f"{result.reason}\nexit code {result.exitcode}\n{_stderr_tail(result, log_folder)}"
            )
            case.result = [failure]
        elif result.status == SKIPPED:
            case.result = [Skipped(clean(result.reason or SKIPPED))]
        elif result.status == NOT_RUN:
            case.result = [Skipped(clean(f"not run: {result.reason}"))]
        cases.append(case)
    return cases


def _stderr_tail(result: VariantResult, log_folder: Path) -> str:
    file = Path(result.log_paths.get("err", ""))
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # such as a circle of links
        if file.resolve().is_relative_to(log_folder.resolve()):
            return tail(file, _TAIL_BYTES)
    return ""


def clean(text: str) -> str:
    """Returns the text without the characters that XML cannot contain."""
    return _NOT_IN_XML.sub("\ufffd", text)
