"""New, removed and renamed variants: one rule for nights and for lists of the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from examples_utils.run_model import Run, VariantKey


@dataclass(frozen=True)
class VariantDiff:
    """`renamed` maps the old key of a variant to its new one; `new` and `gone` are those without a counterpart."""

    renamed: Mapping[VariantKey, VariantKey]
    new: tuple[VariantKey, ...]
    gone: tuple[VariantKey, ...]


def variant_diff(gone: Mapping[VariantKey, str], new: Mapping[VariantKey, str]) -> VariantDiff:
    """Compares variants that are gone with variants that are new, both given with their last command.

    A new variant with the command of a missing one of the same suite is that variant, renamed.
    """
    by_command = {(key.suite, command): key for key, command in gone.items() if command}
    renamed: dict[VariantKey, VariantKey] = {}
    for key, command in new.items():
        if old := by_command.pop((key.suite, command), None):
            renamed[old] = key
    return VariantDiff(
        renamed,
        new=tuple(key for key in new if key not in renamed.values()),
        gone=tuple(key for key in gone if key not in renamed),
    )


def last_commands(runs: Sequence[Run]) -> dict[VariantKey, str]:
    """Returns the command of every variant in the last of the runs, oldest first, that has it."""
    return {key: facts.command for run in runs for key, facts in run.variants.items()}
