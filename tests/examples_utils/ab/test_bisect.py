"""The first slower commit is found, also past commits that cannot be judged."""

from __future__ import annotations

import json
import re
from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples_utils.ab.bisection import Outcome, narrow
from tests.examples_utils.ab.comparisons import ab, left_behind

pytestmark = pytest.mark.processes


@given(st.data())
def test_the_first_slower_commit_is_among_the_suspects_and_alone_if_its_neighbours_can_be_judged(data):
    count = data.draw(st.integers(1, 60))
    first = data.draw(st.integers(0, count - 1))
    broken = data.draw(st.sets(st.integers(0, max(count - 2, 0)), max_size=5)) - {count - 1}
    asked = []

    def judge(commit: str) -> Outcome:
        index = int(commit)
        asked.append(index)
        if index in broken:
            return Outcome.SKIPPED
        return Outcome.SLOWER if index >= first else Outcome.AS_FAST

    suspects = [int(sha) for sha in narrow([str(index) for index in range(count)], judge)]
    assert first in suspects
    assert suspects == list(range(suspects[0], suspects[-1] + 1))
    assert set(suspects[:-1]) <= broken
    assert len(asked) == len(set(asked))
    assert len(asked) <= ceil(log2(count)) + 1 + len(broken)


@pytest.fixture
def slower(project):
    """Eight commits of which the fifth is slower; gives their hashes."""
    shas = [project.git("rev-parse", "HEAD")]
    for number in range(2, 9):
        project.speed("100.0" if number < 5 else "88.0")
        project.write("notes", f"{number}\n")
        shas.append(project.commit(f"Change {number}"))
    return shas


def test_the_first_slower_commit_is_named_with_its_message_and_the_evidence(workplace, project, slower):
    done = ab(workplace, "--bisect", "--base", slower[0], "--new", "main", "--repeat", "4")
    assert done.exitcode == 1
    found = done.out[done.out.index("the first slower commit:") :]
    assert found.splitlines()[1].strip() == slower[4]
    assert "Ada, 20" in found
    assert "Change 5" in found
    evidence = found[found.index("evidence, each") : found.index("\nbase: ")]
    assert f"{slower[3][:12]} Change 4: as fast: quick throughput unchanged" in evidence
    assert f"{slower[4][:12]} Change 5: slower: quick throughput regressed -1" in evidence
    assert f"new:  {slower[4][:12]} Change 5" in found
    assert left_behind(project) == []
    assert (workplace.log / f"00_{slower[7][:12]}/new/benchmark_results.json").exists()


def test_a_commit_that_cannot_be_run_is_skipped_and_said(workplace, project, slower):
    # The same history again, with a spec that cannot be read just before the slower commit.
    project.git("reset", "-q", "--hard", slower[2])
    project.write("benchmarks.yml", "quick: [\n")
    broken = project.commit("Broken spec")
    project.git("checkout", "-q", slower[2], "--", "benchmarks.yml")
    project.speed("88.0")
    repaired = project.commit("Repaired and slower")
    project.write("notes", "after\n")
    project.commit("After")
    done = ab(workplace, "--bisect", "--base", slower[0], "--new", "HEAD", "--repeat", "4")
    assert done.exitcode == 1
    assert "the first slower commit is one of 2, of which these could not be measured:" in done.out
    assert f"  {broken[:12]} Broken spec: --new {broken[:12]}: benchmarks.yml:2:1: error" in done.out
    assert f"the last of them is slower:\n  {repaired}" in done.out


def test_without_a_regression_there_is_nothing_to_narrow(workplace, project):
    first = project.git("rev-parse", "HEAD")
    project.speed("101.0")
    project.commit("A little faster")
    done = ab(workplace, "--bisect", "--base", first, "--new", "main", "--repeat", "4")
    assert done.exitcode == 0
    assert "nothing to bisect: new is not slower than base" in done.out


def test_the_comparison_of_the_first_slower_commit_is_what_the_file_holds(workplace, project, slower):
    out = workplace.folder / "log.json"
    project.write("data/image", "")
    done = ab(
        workplace, "--bisect", "--base", slower[3], "--new", slower[5], "--repeat", "4", "--format", "json",
        "--output", str(out), "--share", "data",
    )  # fmt: skip
    assert done.exitcode == 1
    assert json.loads(out.read_text())["new"] == f"{slower[4][:12]} Change 5"


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["--base", "main~3"], "--new .: --bisect goes through commits"),
        (["--base", "main", "--new", "HEAD"], "base and new are the same commit"),
        (["--base", "main", "--new", "main~2"], "is not an ancestor of"),
    ],
)
def test_a_way_that_is_none_is_refused(workplace, project, slower, arguments, reported):
    done = ab(workplace, "--bisect", *arguments)
    assert done.exitcode == 2
    assert reported in done.err


def test_a_regression_that_few_repetitions_leave_open_is_not_taken_for_none(workplace, project):
    first = project.git("rev-parse", "HEAD")
    project.speed("97.5")
    slower = project.commit("A little slower")
    done = ab(workplace, "--bisect", "--base", first, "--new", "main", "--repeat", "2", "--threshold", "1%")
    assert "inconclusive: doubling the repetitions" in done.out
    assert f"the first slower commit:\n  {slower}" in done.out
    assert done.exitcode == 1


def test_what_stays_uncertain_is_said_with_the_repetitions_that_would_settle_it(workplace, project):
    project.speed("100.0 * noise.gauss(1, 0.2)")
    project.commit("Noisy")
    project.speed("80.0 * noise.gauss(1, 0.2)")
    project.commit("Slower, perhaps")
    done = ab(workplace, "--bisect", "--base", "HEAD~1", "--new", "HEAD", "--repeat", "1")
    assert done.exitcode == 0
    assert "not slower" not in done.out
    assert "nothing to bisect: no significant regression" in done.out
    assert "  quick throughput uncertain -" in done.out
    assert re.search(r"^--repeat \d+ would settle the uncertain ones$", done.out, re.MULTILINE)


def test_a_new_commit_that_fails_outright_is_said_to_fail(workplace, project):
    first = project.git("rev-parse", "HEAD")
    project.speed("1 / 0")
    project.commit("Broken")
    done = ab(workplace, "--bisect", "--base", first, "--new", "main", "--repeat", "2")
    assert done.exitcode == 1
    assert "not slower" not in done.out
    assert "  new failed: quick: " in done.out


def test_a_base_that_fails_exits_with_1_as_it_does_without_bisect(workplace, project):
    project.speed("1 / 0")
    broken = project.commit("Broken")
    project.speed("100.0")
    project.commit("Repaired")
    done = ab(workplace, "--bisect", "--base", broken, "--new", "main", "--repeat", "2")
    assert done.exitcode == 1
    assert "not slower" not in done.out
    assert "  base failed: quick: " in done.out


@pytest.fixture
def merged(project):
    """Creates a side branch that is merged into the main one at the end; returns their merge base."""
    parted = project.git("rev-parse", "HEAD")
    project.git("checkout", "-q", "-b", "side")
    project.write("side", "1\n")
    project.commit("On the side")
    project.git("checkout", "-q", "main")
    project.speed("80.0")
    project.commit("Slower, without the side")
    project.git("merge", "-q", "--no-ff", "-m", "Merge the side", "side")
    return parted


def test_a_base_that_came_in_by_a_merge_is_refused_with_the_commit_to_take_instead(
    workplace, project, merged
):
    done = ab(workplace, "--bisect", "--base", "side", "--new", "main", "--repeat", "3")
    assert done.exitcode == 2
    assert "was merged into main" in done.err
    assert f"take {merged[:12]} First, where they part, as --base" in done.err
    assert left_behind(project) == []
    done = ab(workplace, "--bisect", "--base", merged, "--new", "main", "--repeat", "3")
    assert done.exitcode == 1
    assert "Slower, without the side" in done.out[done.out.index("the first slower commit:") :]


def test_a_base_of_another_history_that_was_merged_is_refused(workplace, project):
    project.git("checkout", "-q", "--orphan", "import")
    project.commit("Imported")
    project.git("checkout", "-q", "main")
    project.git("merge", "-q", "--allow-unrelated-histories", "-m", "Merge the import", "import")
    done = ab(workplace, "--bisect", "--base", "import", "--new", "main")
    assert done.exitcode == 2
    assert "take a commit of that line as --base" in done.err
