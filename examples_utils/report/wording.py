"""What the page and the comment say of runs, nights and changes, in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark_parsers.times import read_time
from examples_utils.comparison.changes import Change
from examples_utils.comparison.onset import Regression
from examples_utils.comparison.text import interval_text
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.run_model import Run

_COMMIT_DIGITS = 10
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


def relative(one: MetricVerdict) -> str:
    """How much lower or higher a figure is, with its interval: ``5.2% lower (95% interval -6.3% to -4.1%)``."""
    if one.ratio is None:
        return ""
    size = f"{abs(one.ratio - 1):.1%} {'lower' if one.ratio < 1 else 'higher'}"
    interval = interval_text(one)
    return f"{size} (95% interval {interval})" if interval else size


def evidence(one: MetricVerdict) -> str:
    """Why a verdict is no noise: the corrected test, and how much was measured."""
    said = [] if one.q is None else [f"q {small(one.q)}"]
    if one.new_values:
        base = f" against {one.base_values} of {counted('run', one.base_runs)}" if one.base_values else ""
        said.append(f"{counted('repetition', one.new_values)}{base}")
    if one.threshold is not None:
        said.append(f"threshold {one.threshold * 100:.3g}%")
    return ", ".join(said)


def counted(noun: str, count: int) -> str:
    """``1 night``, ``2 nights``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def small(probability: float) -> str:
    """A p-value: below a ten thousandth its digits mean nothing."""
    return f"{probability:.2g}" if probability >= 1e-4 else "< 0.0001"


def since(regression: Regression) -> str:
    """From which night on, and which commits may be the cause."""
    before, first = regression.last_before, regression.first_after
    nights = counted("night", regression.nights) if regression.nights > 1 else "this run is the first"
    commits = commit_range(before, first) if before else ""
    return f"since {date(first.started_utc)} ({nights}){f', {commits}' if commits else ''}"


def step(change: Change, runs: Sequence[Run]) -> str:
    """When a change point was, and which commits may be the cause."""
    commits = commit_range(change.last_before, change.first_after)
    return f"on {date(runs[change.point.index].started_utc)}{f', {commits}' if commits else ''}"


def commit_range(before: Run, after: Run) -> str:
    """The commits between two runs, as git writes ranges; empty where one of them is not known."""
    if not before.commit or not after.commit:
        return ""
    if before.commit == after.commit:
        return f"commit {commit(after)} before and after"
    return f"commits {commit(before)}..{commit(after)}"


def commit(run: Run) -> str:
    """The short commit, with a mark if files were changed."""
    return f"{run.commit[:_COMMIT_DIGITS]}{'+changes' if run.dirty else ''}" if run.commit else ""


def date(started_utc: str) -> str:
    """The day of a time, or the text itself if it is none."""
    return moment(started_utc)[:10]


def moment(started_utc: str) -> str:
    """Day and minute of a time, or the text itself if it is none."""
    try:
        return read_time(started_utc).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return started_utc


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
