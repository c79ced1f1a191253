"""Output of a comparison to the terminal or a file, and its exit code."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from examples_utils.comparison.formats import formatted
from examples_utils.comparison.text import counted, head_lines
from examples_utils.comparison.verdicts import Comparison, Verdict
from examples_utils.control_characters import write_styled
from examples_utils.problems import RequestError
from examples_utils.results.record import PASSED
from examples_utils.run_model import Run, VariantKey

_NOT_COMPARED = (Verdict.NEW, Verdict.MISSING, Verdict.FAILED, Verdict.NOT_COMPARABLE)
_REASONS = 3  # the most frequent ones, in a message


def check_output(format_name: str, show_all: bool, output: str | None, csv_raw: bool = False) -> None:
    """Refuses invalid output options before anything is measured or compared. Raises RequestError."""
    if show_all and format_name != "table":
        raise RequestError(f"--all: --format {format_name} shows all metrics anyway; leave it out")
    if csv_raw and format_name != "csv":
        raise RequestError(f"--csv-raw: --format {format_name} has no cells of CSV; leave it out")
    if output:
        path = Path(output)
        if path.is_dir() or not path.absolute().parent.is_dir():
            what = "is a folder" if path.is_dir() else f"there is no folder {path.parent}"
            raise RequestError(f"--output {output}: {what}; name a file in an existing folder")


def write_comparison(
    comparison: Comparison, format_name: str, show_all: bool, output: str | None, csv_raw: bool = False
) -> None:
    """Prints the comparison, or writes it to the file `output`. Raises RequestError if that cannot be written."""
    if output is None:
        on_terminal = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if on_terminal else None
        text = formatted(comparison, format_name, show_all, width, on_terminal, csv_raw)
        if on_terminal and format_name == "table":
            write_styled(text)
        else:
            sys.stdout.write(text)
        return
    try:
        text = formatted(comparison, format_name, show_all, csv_raw=csv_raw)
        Path(output).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise RequestError(f"--output {output}: cannot be written: {error.strerror}") from None
    print("\n".join([*head_lines(comparison), f"written to {output}"]))


def exit_code(comparison: Comparison, base: Sequence[Run]) -> int:
    """Returns 1 if a metric regressed, or if a variant failed that had passed in the last run of `base` that has it.

    Returns 3 if nothing could be compared, so that a gate does not pass by accident; otherwise 0.
    """
    newly_failed = any(
        one.verdict is Verdict.FAILED and _had_passed(one.key.of_variant, base) for one in comparison.judged
    )
    if comparison.regressed or newly_failed:
        return 1
    return 3 if nothing_compared(comparison) else 0


def nothing_compared(comparison: Comparison) -> str:
    """Returns why no metric at all could be compared; empty if any was."""
    if any(one.verdict not in _NOT_COMPARED for one in comparison.judged):
        return ""
    reasons = Counter(
        f"{one.verdict.value}: {one.reason.removeprefix(f'{one.verdict.value}: ')}"
        for one in comparison.judged
    ).most_common(_REASONS)
    shown = "; ".join(f"{counted('metric', count)} {reason}" for reason, count in reasons)
    return f"nothing could be compared: {shown or 'neither side has a metric'}"


def _had_passed(variant: VariantKey, base: Sequence[Run]) -> bool:
    known = [run.variants[variant].status for run in base if variant in run.variants]
    return bool(known) and known[-1] == PASSED
