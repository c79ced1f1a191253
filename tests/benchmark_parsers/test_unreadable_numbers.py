"""A text in the place of a number, a unit or an index fails the result with a reason, never with an exception."""

import json

import pytest

from benchmark_parsers.registry import make_parser

DRIVER = "resnet18 results:\n\tthroughput: {} samples/sec (mean)\n\tlatency avg: {} ms (mean) (min: {}, max: 2.0)\n"


def problems(parser: str, text: str) -> tuple[str, ...]:
    made = make_parser(parser)
    made.feed(text)
    return made.parsed().problems


@pytest.mark.parametrize("values", [("7.8.9", 1, 1), (7, "1..2", 1), (7, 1, "0-5")])
def test_a_report_of_the_driver_with_a_broken_number_fails_and_names_the_number(
    values: tuple[object, ...],
) -> None:
    broken = next(value for value in values if isinstance(value, str))
    assert problems("driver", DRIVER.format(*values)) == (
        f"parser driver cannot read the output: {broken!r} is not a number",
    )


@pytest.mark.parametrize("unit", ["", "fortnight", "1", None, ["ns"], {"ns": 1}])
def test_a_google_benchmark_in_an_unknown_unit_of_time_fails_and_names_the_unit(unit: object) -> None:
    line = {"name": "sort", "run_name": "sort", "run_type": "iteration", "real_time": 5.0, "time_unit": unit}
    (problem,) = problems("google_benchmark", json.dumps({"benchmarks": [line]}))
    assert (
        problem
        == f"parser google_benchmark cannot read the output: {str(unit)!r} cannot be converted to 'ms'"
    )


@pytest.mark.parametrize(
    "key", ["family_index", "per_family_instance_index", "repetition_index", "aggregate_name"]
)
def test_an_index_of_google_benchmark_may_be_any_json_value(key: str) -> None:
    line = {"name": "sort", "run_name": "sort", "run_type": "iteration", "real_time": 5.0, key: [{}]}
    assert problems("google_benchmark", json.dumps({"benchmarks": [line]})) == ()
