"""What the turns of both sides say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from examples_utils.ab.interleaved_runs import BASE, NEW, Alternation
from examples_utils.comparison.compare_runs import compare_runs
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.verdicts import Comparison
from examples_utils.run_model import Run


def compared(
    turns: Alternation, base: Sequence[Run], new: Sequence[Run], options: CompareOptions
) -> Comparison:
    """The comparison of what ``turns.runs()`` has read. Raises RequestError if a side is empty."""
    base_title, new_title = (turns.sides[side].revision.title for side in (BASE, NEW))
    return replace(compare_runs(base, new, options), base_title=base_title, new_title=new_title)
