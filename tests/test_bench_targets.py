"""A measured value that misses its target is reported as such."""

import pytest

from bench.targets import Row, Target, missed

AT_LEAST, AT_MOST = Target(at_least=0.97), Target(at_most=1.0)


@pytest.mark.parametrize(
    ("value", "target", "misses"),
    [
        (0.969, AT_LEAST, True),
        (0.970, AT_LEAST, False),
        (0.9699, AT_LEAST, False),  # printed as 0.970
        (1.18, AT_MOST, True),
        (0.87, AT_MOST, False),
        (2.9, Target(at_least=3, note="with native bfloat16"), True),
        (2.9, Target(note="float32 here"), False),
        (2.9, Target(), False),
    ],
)
def test_a_row_is_missed_if_its_value_is_beyond_its_bound(value: float, target: Target, misses: bool) -> None:
    row = Row("driver / bare loop", value, target=target)
    assert missed([row]) == ([row] if misses else [])


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (
            Row("driver / bare loop", 0.9694, 0.9, 1.0, AT_LEAST, "1 vs. 1"),
            "| driver / bare loop | 0.969 | 0.900 to 1.000 | ≥ 0.97 | 1 vs. 1 |",
        ),
        (
            Row("`compare`", 1.18, target=AT_MOST, unit="s", decimals=2, details="as a process"),
            "| `compare` | 1.18 s |  | ≤ 1 s | as a process |",
        ),
        (
            Row("auto / eager", 2.9, target=Target(note="float32 here")),
            "| auto / eager | 2.900 |  | (float32 here) |  |",
        ),
        (Row("`import sqlalchemy`", 0.27, unit="s", decimals=2), "| `import sqlalchemy` | 0.27 s |  |  |  |"),
    ],
)
def test_a_row_is_printed_with_its_unit_its_range_and_its_target(row: Row, line: str) -> None:
    assert row.line == line
