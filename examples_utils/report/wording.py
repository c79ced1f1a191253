"""What only the page and the comment write: headline, evidence, machines and their differences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from examples_utils.comparison.text import counted
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
# No document can hold these, and a terminal would not show them either.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def headline(comparison: Comparison) -> str:
    """The page in a few words, such as ``2 figures regressed, 1 failed``."""
    counts = Counter(one.verdict for one in comparison.judged)
    failed = len({one.key.of_variant for one in comparison.judged if one.verdict is Verdict.FAILED})
    regressed = counts[Verdict.REGRESSED]
    said = []
    if regressed:
        said.append(f"{counted('figure', regressed)} regressed")
    if failed:
        said.append(f"{counted('variant', failed)} failed")
    if said:
        return ", ".join(said)
    return "Nothing regressed" if comparison.judged else "No figure to compare"


def evidence(one: MetricVerdict) -> str:
    """Why a verdict is no noise: the corrected test, and how much was measured."""
    said = [] if one.q is None else [f"q {small(one.q)}"]
    if one.new_values:
        base = f" against {one.base_values} of {counted('run', one.base_runs)}" if one.base_values else ""
        said.append(f"{counted('repetition', one.new_values)}{base}")
    if one.threshold is not None:
        said.append(f"threshold {one.threshold * 100:.3g}%")
    return ", ".join(said)


def small(probability: float) -> str:
    """A p-value: below a ten thousandth its digits mean nothing."""
    return f"{probability:.2g}" if probability >= 1e-4 else "< 0.0001"


def machine_line(machine: Mapping[str, Any]) -> str:
    """The machine in a line: processor, cores, memory and accelerators, as far as they are known."""
    memory = machine.get("memory_bytes")
    said = [str(machine.get("hostname") or ""), str(machine.get("cpu") or "")]
    said.append(f"{machine['cores']} cores" if machine.get("cores") else "")
    said.append(f"{memory / 2**30:.0f} GiB" if isinstance(memory, int | float) else "")
    said += map(str, machine.get("accelerators") or ())
    return ", ".join(filter(None, said))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What differs between two fingerprints or settings, each as ``name: old → new``."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    return [
        f"{name}: {old.get(name, 'none')} → {new.get(name, 'none')}"
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]


def printable(text: str) -> str:
    """Text as a page can hold it: without colours of a terminal, and with a mark for control characters."""
    return _CONTROL.sub("\ufffd", _ANSI.sub("", text.replace("\r\n", "\n")))


def _leaves(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    leaves: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            leaves += _leaves(value, f"{prefix}{name}.")
        elif value is not None:
            leaves.append((f"{prefix}{name}", str(value)))
    return leaves
