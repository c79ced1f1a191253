"""`ab --bisect`: find the first commit that regressed against the base."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import log2
from pathlib import Path

from examples_utils.ab.arms import Arm, ArmPreparer, Revision
from examples_utils.ab.bisection import Outcome, narrow
from examples_utils.ab.endpoint_check import may_be_slower, nothing_to_narrow
from examples_utils.ab.git import commits_between, described, is_ancestor, parent_of
from examples_utils.ab.interleaved_runs import InterleavedRuns, compared, interleaved_runs
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.text import verdict_line
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.problems import RequestError
from examples_utils.run_model import MetricKey, Run

# How often the repetitions are doubled while the result is inconclusive.
_EXTENSIONS = 2


def refuse_what_cannot_be_narrowed(repository: Path, base: Revision, new: Revision) -> None:
    """Raises RequestError unless `base` is an ancestor of the commit `new`, on its line of first parents."""
    for revision in (base, new):
        if revision.in_place:
            raise RequestError(
                f"{revision.flag} {revision.reference}: --bisect goes through commits; name a commit, or commit the "
                f"changes first"
            )
    if base.commit.sha == new.commit.sha:
        raise RequestError(f"--bisect: base and new are the same commit, {base.commit}")
    if not is_ancestor(repository, base.commit.sha, new.commit.sha):
        raise RequestError(
            f"--bisect: {base.title} is not an ancestor of {new.title}, so no range of commits leads to it; take "
            f"their git merge-base as --base"
        )
    first = commits_between(repository, base.commit.sha, new.commit.sha)[0]
    left = parent_of(repository, first)
    if left is None or left.sha != base.commit.sha:
        # The commits before the merge do not contain base, so they may be slower than it for other reasons.
        remedy = (
            f"take {left}, where they part, as --base" if left else "take a commit of that line as --base"
        )
        raise RequestError(
            f"--bisect: {base.title} was merged into {new.title}, and is not on the line of first parents that "
            f"leads there; {remedy}"
        )


def bisect(
    preparer: ArmPreparer, base: Revision, new: Revision, options: CompareOptions
) -> tuple[Comparison, Sequence[Run]]:
    """Bisects from base to new, prints the first slower commit, and returns its comparison with base.

    If new is not slower than base, or the result is inconclusive, returns their comparison without bisecting. The
    returned runs are those of base and new.

    Raises:
        RequestError: Base or new cannot be run.
        Interrupted: The run was asked to stop.
    """
    console = preparer.console
    search = _Search(preparer, options, (preparer.arm(base, "base"), preparer.arm(new, "next")))
    whole = search.compare(new.commit.sha)
    measured = search.measured
    targets = [one.key for one in whole.regressed]
    if not targets:
        console.print("\n" + "\n".join(nothing_to_narrow(whole, measured[0])))
        return whole, [*measured[0], *measured[1]]
    commits = commits_between(preparer.repository, base.commit.sha, new.commit.sha)
    steps = round(log2(len(commits)))
    console.print(
        f"\n{len(commits)} commits lead from base to new; about {steps} will be measured, judged by "
        + ", ".join(sorted({f"{key.variant} {key.metric}" for key in targets}))
    )
    search.restrict(targets)
    suspects = narrow(commits, search.judge)
    console.print("\n" + "\n".join(_found(preparer.repository, commits, suspects, search)))
    return search.comparisons[suspects[-1]], [*measured[0], *measured[1]]


@dataclass
class _Search:
    """The state of the search.

    `targets` are the metrics that decide; empty before the first comparison. `measured` are the runs of base and of
    the commit that was compared last.
    """

    preparer: ArmPreparer
    options: CompareOptions
    arms: tuple[Arm, Arm]
    targets: tuple[MetricKey, ...] = ()
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    outcomes: dict[str, tuple[Outcome, str]] = field(default_factory=dict)
    measured: tuple[Sequence[Run], Sequence[Run]] = ((), ())

    def restrict(self, targets: Iterable[MetricKey]) -> None:
        """Restricts the search to these metrics and their benchmarks."""
        self.targets = tuple(targets)
        names = dict.fromkeys(glob.escape(key.benchmark) for key in self.targets)
        selection = replace(self.preparer.options.selection, benchmarks=tuple(names))
        self.preparer = replace(self.preparer, options=replace(self.preparer.options, selection=selection))
        self.arms = self.preparer.again(self.arms[0]), self.arms[1]

    def judge(self, sha: str) -> Outcome:
        """Measures one commit against base."""
        commit = described(self.preparer.repository, sha)
        self.preparer.console.print(f"\nmeasuring {commit}")
        try:
            self.arms = self.arms[0], self.preparer.moved(self.arms[1], sha)
            outcome, evidence = _outcome(self._targets(self.compare(sha)))
        except RequestError as error:
            outcome, evidence = Outcome.SKIPPED, str(error)
        self.outcomes[sha] = outcome, evidence
        self.preparer.console.print(f"{commit}: {outcome.value}: {evidence}")
        return outcome

    def compare(self, sha: str) -> Comparison:
        """Compares the commit that is checked out now with base."""
        preparer, repeat = self.preparer, self.preparer.options.repeat
        folder = preparer.log_folder / f"{len(self.comparisons):02}_{sha[:12]}"
        with interleaved_runs(self.arms, folder, preparer.console, preparer.check_interruption) as runs:
            runs.run(repeat)
            comparison = self._compared(runs)
            for _ in range(_EXTENSIONS):
                if not self._is_open(comparison):
                    break
                preparer.console.print("inconclusive: doubling the repetitions")
                runs.run(runs.finished_rounds)
                comparison = self._compared(runs)
        self.comparisons[sha] = comparison
        return comparison

    def _compared(self, runs: InterleavedRuns) -> Comparison:
        self.measured = runs.measured()
        return compared(runs, *self.measured, self.options)

    def _is_open(self, comparison: Comparison) -> bool:
        """Whether more repetitions may reveal a regression, of which one is enough."""
        if not self.targets:
            return not comparison.regressed and any(map(may_be_slower, comparison.judged))
        verdicts = {one.verdict for one in self._targets(comparison)}
        return Verdict.UNCERTAIN in verdicts and Verdict.REGRESSED not in verdicts

    def _targets(self, comparison: Comparison) -> list[MetricVerdict]:
        return [one for one in comparison.judged if one.key in self.targets]


def _outcome(targets: list[MetricVerdict]) -> tuple[Outcome, str]:
    """Returns the outcome for a commit, and the metric with the clearest evidence."""
    for verdict in (
        Verdict.REGRESSED,
        Verdict.FAILED,
        Verdict.MISSING,
        Verdict.NOT_COMPARABLE,
        Verdict.UNCERTAIN,
    ):
        for one in targets:
            if one.verdict is verdict:
                return (Outcome.SLOWER if verdict is Verdict.REGRESSED else Outcome.SKIPPED), verdict_line(
                    one
                )
    if not targets:
        return Outcome.SKIPPED, "has none of the metrics"
    return Outcome.AS_FAST, verdict_line(targets[0])


def _found(repository: Path, commits: list[str], suspects: Sequence[str], search: _Search) -> Iterable[str]:
    *open_ones, certain = suspects
    if open_ones:
        yield f"the first slower commit is one of {len(suspects)}, of which these could not be measured:"
        for sha in open_ones:
            yield f"  {described(repository, sha)}: {search.outcomes[sha][1]}"
        yield "the last of them is slower:"
    else:
        yield "the first slower commit:"
    commit = described(repository, certain)
    yield f"  {commit.sha}"
    yield f"  {commit.author}, {commit.author_date}"
    yield f"  {commit.subject}"
    yield "evidence, each compared with base:"
    for sha in commits:
        if sha in search.outcomes:
            outcome, evidence = search.outcomes[sha]
            yield f"  {described(repository, sha)}: {outcome.value}: {evidence}"
