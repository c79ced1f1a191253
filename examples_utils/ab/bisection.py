"""The search for the first slower commit, as in `git bisect`, with its skips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum


class Outcome(str, Enum):
    """The outcome for one commit."""

    SLOWER = "slower"
    AS_FAST = "as fast"
    SKIPPED = "skipped"


def narrow(commits: Sequence[str], judge: Callable[[str], Outcome]) -> tuple[str, ...]:
    """Finds the first slower commit in about log2(number of commits) steps.

    Args:
        commits: Oldest first, each the parent of the next; the last one is known to be slower, and
            the parent of the first to be as fast as the base.
        judge: Measures a commit; called at most once for each.

    Returns:
        The first slower commit: alone, or last after the commits that could not be measured, the oldest first.
    """
    skipped: set[int] = set()
    fast, slow = -1, len(commits) - 1
    while candidates := [index for index in range(fast + 1, slow) if index not in skipped]:
        middle = (fast + slow) / 2
        index = min(candidates, key=lambda candidate: abs(candidate - middle))
        outcome = judge(commits[index])
        if outcome is Outcome.SKIPPED:
            skipped.add(index)
        elif outcome is Outcome.SLOWER:
            slow = index
        else:
            fast = index
    return tuple(commits[fast + 1 : slow + 1])
