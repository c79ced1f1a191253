"""The search for the first commit that is slower, as ``git bisect`` searches, with its skips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from math import log2


class Outcome(str, Enum):
    """What is said of one commit."""

    SLOWER = "slower"
    AS_FAST = "as fast"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Narrowed:
    """``suspects`` holds the first slower commit: it alone, or after it those that could not be judged before it.

    The oldest is first; the last one is slower for certain.
    """

    suspects: tuple[str, ...]


def narrow(commits: Sequence[str], judge: Callable[[str], Outcome]) -> Narrowed:
    """Finds the first slower commit in about log2 of their number steps.

    Args:
        commits: the oldest first, each with the one before it as its parent; the last one is known to be slower, and
            the parent of the first to be as fast as the base.
        judge: measures a commit. It is asked once for each at most.
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
    """About how many commits have to be judged to narrow so many down to one."""
    return max(0, round(log2(commits))) if commits > 0 else 0
