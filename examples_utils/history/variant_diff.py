"""Which benchmarks a night has lost since the nights before, which it has gained, and which only have another name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from examples_utils.comparison.text import title_of
from examples_utils.comparison.verdicts import Comparison, Verdict
from examples_utils.run_model import Run, VariantKey


def turnover_lines(comparison: Comparison, earlier: Sequence[Run], night: Run) -> Iterator[str]:
    """What is renamed, missing and new, each named; nothing where there is no ``earlier`` night."""
    if not earlier:
        return
    missing = dict.fromkeys(
        one.key.of_variant
        for one in comparison.judged
        if one.verdict is Verdict.MISSING and one.key.of_variant not in night.variants
    )
    known = {key for run in earlier for key in run.variants}
    new = [key for key in night.variants if key not in known]
    renamed = _renamed(missing, new, earlier, night)
    for old, key in renamed.items():
        yield f"RENAMED {title_of(old)} to {title_of(key)}, which has its command: its nights begin anew"
    if gone := [title_of(key) for key in missing if key not in renamed]:
        yield f"MISSING {', '.join(gone)}: in the nights before, not in this one"
    if come := [title_of(key) for key in new if key not in renamed.values()]:
        yield f"NEW {', '.join(come)}: in none of the nights before"


def _renamed(
    missing: dict[VariantKey, None], new: Sequence[VariantKey], earlier: Sequence[Run], night: Run
) -> dict[VariantKey, VariantKey]:
    """A new variant of the same spec with the command that one that is missing had last is that one, renamed."""
    commands: dict[tuple[str, str], VariantKey] = {}
    for old in missing:
        text = next((run.variants[old].command for run in reversed(earlier) if old in run.variants), "")
        if text:
            commands[old.suite, text] = old
    renamed = {}
    for key in new:
        command = (key.suite, night.variants[key].command)
        if command in commands:
            renamed[commands.pop(command)] = key
    return renamed
