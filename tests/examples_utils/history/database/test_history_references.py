"""A reference names the expected runs, or is refused with the reason."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from examples_utils.history.store import History, HistoryError, open_history
from tests.examples_utils.history.runs import night


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A checkout with three commits on main, the oldest tagged v1."""
    folder = tmp_path_factory.mktemp("checkout")

    def git(*words: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
        done = subprocess.run(
            ["git", "-C", folder, *identity, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    made = []
    for number in range(3):
        git("commit", "-q", "--allow-empty", "-m", str(number))
        made.append(git("rev-parse", "HEAD"))
    git("tag", "v1", made[0])
    return folder, made


@pytest.fixture
def history(tmp_path, commits, monkeypatch):
    """Nights 0 to 4: one of the oldest commit, two of the next, one with changed files, one of a topic."""
    folder, (oldest, middle, newest) = commits
    monkeypatch.chdir(folder)
    with open_history(str(tmp_path / "history.db"), create=True) as history:
        history.add(night(0, commit=oldest, run_id="abcd000011112222"))
        history.add(night(1, commit=middle, run_id="abcd000033334444"))
        history.add(night(2, commit=middle, run_id="beef000055556666"))
        history.add(night(3, commit=newest, run_id="feed000077778888", dirty=True))
        history.add(night(4, commit="e" * 40, run_id="0042000099990000", branch="topic/fast"))
        yield history


@pytest.mark.parametrize(
    ("reference", "nights"),
    [
        ("latest", [4]),
        ("latest~0", [4]),
        ("latest~3", [1]),
        ("branch:main", [3]),
        ("branch:main:3", [3, 2, 1]),
        ("branch:main:14", [3, 2, 1, 0]),
        ("branch:topic/fast:1", [4]),
        ("abcd000033334444", [1]),
        ("abcd00003", [1]),
        ("beef", [2]),
        ("0042", [4]),
        ("HEAD~1", [2, 1]),
        ("v1", [0]),
        ("main~2", [0]),
        ("e" * 40, [4]),
        ("eeeeeee", [4]),
    ],
)
def test_a_reference_names_its_runs_the_newest_first(history: History, reference, nights):
    starts = {summary.run_id: summary.started_utc for summary in history.runs()}
    assert [starts[run_id] for run_id in history.resolve(reference)] == [night(n).started_utc for n in nights]


@pytest.mark.parametrize(
    ("reference", "reported"),
    [
        ("latest~5", "latest~5: .*history.db has 5 runs; history list shows"),
        ("branch:main:0", "branch:main:0: names no run"),
        ("branch:nightly", "branch:nightly: .* has no runs of this branch"),
        ("abcd", "abcd: is a prefix of 2 run ids: abcd0000.*; give more digits"),
        ("bee", "bee: is not a run of .* and not a revision of git here"),
        ("latest~x", "latest~x: is not a run"),
        ("--help", "--help: is not a run"),
        ("", ": is not a run of"),
        ("HEAD", r"HEAD \(commit \w{12}\): all its runs were made with changed files.*: feed000077778888"),
        ("1234567", "commit 1234567: .* has no run of it"),
        ("%", "%: is not a run of"),
    ],
)
def test_a_reference_that_names_no_run_is_refused_with_the_reason(history: History, reference, reported):
    with pytest.raises(HistoryError, match=reported):
        history.resolve(reference)


def test_an_id_is_found_and_a_commit_too_where_there_is_no_checkout(history: History, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert history.resolve("beef") == ["beef000055556666"]
    assert history.resolve("e" * 12) == ["0042000099990000"]
    with pytest.raises(HistoryError, match="not a revision of git here"):
        history.resolve("HEAD")
