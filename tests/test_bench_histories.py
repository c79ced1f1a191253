"""`make bench-histories` reads series, and counts each match once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.histories.score import Score, found_in, score, total
from bench.histories.series import generated, read
from tests.patience import HANG_S

STEP = [100.0, 101.0, 99.0, 100.0, 101.0, 100.0, 99.0, 100.0, 120.0, 121.0, 119.0, 120.0, 121.0, 120.0]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.histories", *arguments]
    return subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=HANG_S, check=False
    )


@pytest.mark.parametrize(
    ("found", "known", "matched"),
    [
        ([10], [13], 1),
        ([10], [14], 0),
        ([10, 11], [10], 1),
        ([10, 14], [13, 16], 2),
        ([], [5], 0),
    ],
)
def test_a_known_change_is_matched_once_within_the_tolerance(
    found: list[int], known: list[int], matched: int
) -> None:
    assert score(found, known, 3) == Score(len(found), len(known), matched)


def test_precision_recall_and_f1_are_those_of_all_series_together() -> None:
    both = total([Score(4, 2, 2), Score(0, 2, 0)])
    assert (both.precision, both.recall, both.f1) == (0.5, 0.5, 0.5)


@pytest.mark.processes
def test_a_file_of_series_gets_a_row(tmp_path: Path) -> None:
    path = tmp_path / "series.json"
    path.write_text(json.dumps([{"name": "step", "values": STEP, "changes": [8]}]))
    done = bench(str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"| {path} | 1 | 1 | 1 | 1.00 | 1.00 | 1.00 |"


@pytest.mark.processes
def test_a_file_that_holds_no_series_is_refused_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "series.json"
    path.write_text('{"values": 1}')
    done = bench(str(path))
    assert done.returncode == 2
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "item",
    [
        {"values": STEP},
        {"values": STEP, "changes": [99]},
        {"values": [0, 1], "changes": []},
        {"values": "x", "changes": []},
    ],
)
def test_a_series_with_a_wrong_value_is_refused(tmp_path: Path, item: dict[str, object]) -> None:
    path = tmp_path / "series.json"
    path.write_text(json.dumps([item]))
    with pytest.raises(ValueError, match=r"series\.json"):
        read(path)


@pytest.mark.slow
def test_generated_series_are_the_same_each_time_and_their_changes_are_found_without_false_ones() -> None:
    series = generated(4)
    assert series == generated(4)
    reached = total(score(found_in(one), one.changes, 3) for one in series)
    assert reached.precision >= 0.95
    assert reached.recall >= 0.85
    assert not any(found_in(one) for one in generated(4, steps=False))
