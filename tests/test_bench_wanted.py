"""A figure beyond what is wanted of it is noticed, and not only written down."""

import pytest

from bench.wanted import missed


@pytest.mark.parametrize(
    ("row", "misses"),
    [
        ("| driver / bare loop | 0.969 | 0.900 to 1.000 | ≥ 0.97 | 1 vs. 1 |", True),
        ("| driver / bare loop | 0.970 | 0.900 to 1.000 | ≥ 0.97 | 1 vs. 1 |", False),
        ("| auto / eager | 2.9 | 2 to 4 | ≥ 3 with native bfloat16 | |", True),
        ("| auto / eager | 2.9 | 2 to 4 | (float32 here) | |", False),
        ("| `compare` | 1.18 s | | ≤ 1.0 s | as a process |", True),
        ("| `compare` | 0.87 s | | ≤ 1.0 s | as a process |", False),
        ("| `import sqlalchemy` | 0.27 s | | | |", False),
        ("| measurement | ratio | range | target | medians |", False),
        ("| --- | --- | --- | --- | --- |", False),
        ("a sentence", False),
    ],
)
def test_a_row_is_missed_if_its_figure_is_beyond_its_bound(row: str, misses: bool) -> None:
    assert missed([row]) == ([row] if misses else [])
