"""The search for the first slower commit, as in `git bisect`, with its skips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from math import log2


class Outcome(str, Enum):
    """The outcome for one commit."""

    SLOWER = "slower"
    AS_FAST = "as fast"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Narrowed:
    """`suspects` contains the first slower commit: alone, or last after the commits that could not be measured.

    The oldest is first; only the last one is known to be slower.
    """

    suspects: tuple[str, ...]


def narrow(commits: Sequence[str], judge: Callable[[str], Outcome]) -> Narrowed:
    """Finds the first slower commit in about log2(number of commits) steps.

    Args:
        commits: Oldest first, each the parent of the next; the last one is known to be slower, and
            the parent of the first to be as fast as the base.
        judge: Measures a commit; called at most once for each.
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
    return Narrowed(tuple(commits[fast + 1 : slow + 1]))


def steps_left(commits: int) -> int:
    """Returns about how many commits remain to be measured to narrow `commits` down to one."""
    return max(0, round(log2(commits))) if commits > 0 else 0
