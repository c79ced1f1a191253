"""Derived metrics are arithmetic on metrics and parameters, and nothing else."""

from __future__ import annotations

import pytest

from benchmark_parsers.derived import DerivedSpec, derive, names_in


def value_of(expr: str, metrics: dict[str, float | None] | None = None, params: dict[str, str] | None = None):
    return derive(DerivedSpec("d", expr), metrics or {}, params or {})


@pytest.mark.parametrize(
    ("expr", "value"),
    [
        ("{latency_s} * 1000.", 500),
        ("latency_s*1000", 500),
        ("throughput / n", 25),
        ("max(n, latency_s)", 4),
        ("-n ** 2", -16),
        ("sum([n, latency_s, 1])", 5.5),
        ("sum(({throughput}, {n})) / 2", 52),
        ("round(latency_s * 7, 1) + abs(-n) % 3", 4.5),
    ],
)
def test_names_stand_for_metrics_and_parameters_bare_or_in_braces(expr, value):
    assert value_of(expr, {"latency_s": 0.5, "throughput": 100}, {"n": "4"}).value == value


def test_a_metric_hides_a_parameter_of_the_same_name():
    assert value_of("n", {"n": 1.0}, {"n": "2"}).value == 1


@pytest.mark.parametrize(
    "expr",
    [
        "1 / 0",
        "n + 1",
        "'a'",
        "n > 1",
        "9 ** 9 ** 9",
        "10 ** 400",
        "10 ** 5000",
        "'a'[7]",
        "1e308 * 10",
        "n.__class__",
        "[1, 2]",
        "unknown",
        "x" + "+x" * 5000,
    ],
)
def test_what_cannot_be_computed_gives_a_reason_instead_of_an_exception(expr):
    result = value_of(expr, params={"n": "text", "x": "1"})
    assert result.value is None
    assert repr(expr)[:10] in result.reason


def test_code_is_never_executed(tmp_path):
    trap = tmp_path / "trap"
    assert value_of(f"__import__('os').mkdir('{trap}')").value is None
    assert not trap.exists()


def test_a_metric_without_a_value_has_no_derived_value():
    assert "latency" in value_of("latency * 2", {"latency": None}).reason


@pytest.mark.parametrize("expr", ["1 +", "a b", "import os", "(" * 500])
def test_an_expression_that_is_none_is_refused(expr):
    with pytest.raises(ValueError, match="is not a valid expression"):
        names_in(expr)


def test_the_names_of_an_expression_leave_the_functions_out():
    assert names_in("max({a}, b) + round(c)") == {"a", "b", "c"}


@pytest.mark.parametrize(
    "expr",
    [
        "9**9**9**9",
        "n**n**n",
        "round(5, -10**9)",
        "round(5, -1000000000)",
        "10**9**9 // 3",
        "2**0.5**-99999",
        "10**(10**10)",
    ],
)
def test_huge_powers_take_no_time(expr):
    result = value_of(expr, params={"n": "99999"})
    assert result.value is None or abs(result.value) < 1e9


@pytest.mark.parametrize(
    "expr",
    [
        "'a' * 10**9", "'a'.upper()", "n.real", "[1] * 10**9", "(1, 2)", "sum([x for x in (1, 2)])", "1 if n else 2",
        "n < 3", "lambda: 1", "open(n)", "abs(x=1)", "f'{n}'", "1j", "True", "n[0]", "1 << 10**9", "~1", "not n",
        "max(*[1])", "(abs)(1)(2)", "{1: 2}", "...",
    ],
)  # fmt: skip
def test_only_arithmetic_with_numbers_is_accepted(expr):
    with pytest.raises(ValueError, match="is not arithmetic"):
        names_in(expr)


@pytest.mark.parametrize("text", ["1_000", "0x10", "1:30", "no", "inf", "nan", ""])
def test_a_parameter_that_is_no_number_is_named(text):
    assert f"n is {text!r}, not a number" in value_of("n * 2", params={"n": text}).reason
