"""The table of the nights on a real machine."""

from __future__ import annotations

from bench.real_check import Checked


def test_a_regression_with_and_one_without_a_ratio_have_their_row():
    called = [
        {"variant": "slow", "metric": "latency", "ratio": 1.07},
        {"variant": "stopped", "metric": "throughput", "ratio": None},
    ]
    verdict = {"verdict": "regressed", "regressions": called, "not_comparable": [], "repeated": []}
    row = Checked("nothing", verdict, minutes=1.0, correct=False).row
    assert "slow latency +7.0%; stopped throughput (a value of 0 or below)" in row
