"""The cells of the table at the end of a run."""

import pytest

from examples_utils.results.record import FAILED, PASSED, VariantResult
from examples_utils.results.summary import results_table


def cells(status: str = PASSED) -> dict[str, str]:
    record = VariantResult(
        benchmark_path="b.yml",
        benchmark_name="b",
        variant_name="b",
        params={"batch": "8"},
        command="true",
        results={"latency": {"mean": 2.5}, "latency_p50": {"p50": 2.25}},
        status=status,
        output=[
            ["latency(ms)", "latency"],
            ["p50(ms)", "latency_p50"],
            ["p99(ms)", "latency_p99"],
            ["in flight", "in_flight"],
            ["batch", "batch"],
            ["fixed", "16"],
        ],
        settings={"in_flight": "2 micro-batches"},
    )
    header, _, row = results_table([record], None).splitlines()
    names, values = ([cell.strip() for cell in line.strip("|").split("|")] for line in (header, row))
    return dict(zip(names, values, strict=True))


def test_a_column_shows_a_metric_a_parameter_a_setting_or_a_number() -> None:
    shown = cells()
    assert (shown["latency(ms)"], shown["p50(ms)"]) == ("2.500", "2.250")
    assert shown["in flight"] == "2 micro-batches"  # the load at which the latency was measured
    assert (shown["batch"], shown["fixed"]) == ("8", "16")


@pytest.mark.parametrize(("status", "shown"), [(PASSED, "n/a"), (FAILED, "")])
def test_what_a_passed_variant_does_not_have_is_not_available(status: str, shown: str) -> None:
    assert cells(status)["p99(ms)"] == shown
