"""A user's own metrics, and what happens when they fail."""

from __future__ import annotations

import numpy
import pytest

from benchmark_parsers.custom import compute_custom_metric, register_custom_metric, registered_custom_metrics


def test_the_function_gets_both_outputs_and_the_exit_code():
    figures, problem = compute_custom_metric(
        lambda out, err, code: {"mean": len(out + err) + code}, "ab", "c", 4
    )
    assert (figures, problem) == ({"mean": 7}, None)


def test_numbers_of_numpy_are_stored_as_plain_numbers():
    assert compute_custom_metric(lambda *_: {"mean": numpy.float32(0.5)}, "", "", 0)[0] == {"mean": 0.5}


def raise_error(*_):
    raise KeyError("gone")


class TwoElements:
    def item(self):
        raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")


@pytest.mark.parametrize(
    "function",
    [
        raise_error,
        lambda *_: exit(3),
        lambda *_: "5",
        lambda *_: True,
        lambda *_: float("inf"),
        lambda *_: {"a": object()},
        lambda *_: {"a": float("nan")},
        lambda *_: {"a": 10**400},
        lambda *_: {"a": TwoElements()},
    ],
)
def test_a_function_that_fails_gives_a_reason(function):
    figures, problem = compute_custom_metric(function, "", "", 0)
    assert figures is None
    assert problem


@pytest.mark.parametrize(
    "function", [lambda out, *_: float(out), lambda out, *_: out, lambda out, *_: [out] * 9]
)
def test_the_reason_does_not_repeat_the_whole_output(function):
    _, problem = compute_custom_metric(function, "no number " * 10_000, "", 0)
    assert "no number" in problem
    assert len(problem) < 1000


def test_the_reason_of_an_error_without_a_message_is_its_type():
    def fail(*_):
        raise MemoryError

    assert compute_custom_metric(fail, "", "", 0) == (None, "it raised MemoryError")


def test_registering_something_that_cannot_be_called_is_refused():
    before = registered_custom_metrics()
    with pytest.raises(TypeError, match="not callable"):
        register_custom_metric("m", 5)
    assert registered_custom_metrics() == before


@pytest.mark.parametrize("number", [5, 2.5, 0])
def test_a_function_that_returns_a_number_gives_that_number(number):
    assert compute_custom_metric(lambda *_: number, "", "", 0) == ({"value": number}, None)
