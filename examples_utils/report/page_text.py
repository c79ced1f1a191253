"""Wording of the page and the comment only: headline, evidence, machines and their differences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from examples_utils.comparison.text import counted
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.history.regressions import ReportedRegression
from examples_utils.history.settings import shown_digest

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
# Not allowed in any document, and not shown by a terminal either.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def headline(comparison: Comparison, reported: Sequence[ReportedRegression] = ()) -> str:
    """Returns the headline, such as `2 metrics regressed, 1 variant failed`; `reported` as for `page.report_page`."""
    counts = Counter(one.verdict for one in comparison.judged)
    failed = len({one.key.of_variant for one in comparison.judged if one.verdict is Verdict.FAILED})
    still_worse = len({one.key for one in reported if one.state == "open"})
    parts = (
        ("metric", counts[Verdict.REGRESSED], "regressed"),
        ("variant", failed, "failed"),
        ("metric", still_worse, "still worse"),
    )
    bad = ", ".join(f"{counted(noun, count)} {word}" for noun, count, word in parts if count)
    return bad or ("Nothing regressed" if comparison.judged else "No metric to compare")


def evidence(one: MetricVerdict) -> str:
    """Returns the evidence for a verdict: the corrected test, and the number of repetitions."""
    parts = [] if one.q is None else [f"q {small(one.q)}"]
    if one.new_values:
        base = (
            f" compared with {one.base_values} of {counted('run', one.base_runs)}" if one.base_values else ""
        )
        parts.append(f"{counted('repetition', one.new_values)}{base}")
    if one.threshold is not None:
        parts.append(f"threshold {one.threshold * 100:.3g}%")
    return ", ".join(parts)


def small(probability: float) -> str:
    """Formats a p-value: below a ten thousandth, its digits are meaningless."""
    return f"{probability:.2g}" if probability >= 1e-4 else "< 0.0001"


def machine_line(machine: Mapping[str, Any]) -> str:
    """Returns processor, cores, memory and accelerators of the machine, as far as they are known."""
    memory = machine.get("memory_bytes")
    parts = [str(machine.get("hostname") or ""), str(machine.get("cpu") or "")]
    parts.append(f"{machine['cores']} cores" if machine.get("cores") else "")
    parts.append(f"{memory / 2**30:.0f} GiB" if isinstance(memory, int | float) else "")
    parts += map(str, machine.get("accelerators") or ())
    return ", ".join(filter(None, parts))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Returns the differences between two fingerprints or settings, each as `name: old → new`."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    return [
        f"{name}: {shown_digest(old.get(name, 'none'))} → {shown_digest(new.get(name, 'none'))}"
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]


def printable(text: str) -> str:
    """Returns text without a terminal's colours, and with control characters replaced."""
    return _CONTROL.sub("\ufffd", _ANSI.sub("", text.replace("\r\n", "\n")))


def _leaves(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    leaves: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            leaves += _leaves(value, f"{prefix}{name}.")
        elif value is not None:
            leaves.append((f"{prefix}{name}", str(value)))
    return leaves
