"""What the driver prints is what its parser reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_parsers.registry import make_parser
from benchmark_parsers.samples import MAX_SAMPLES
from measurement.loop import TimedCall
from measurement.report import Facts, call_line, compile_summary, summary
from tests.measurement.test_loop_and_report import measured, settings

FACTS = Facts(
    "bfloat16", 0, 1,
    {"backend": "openvino 2026.4.1-22982", "device": "CPU", "threads": "2", "in_flight": "2 micro-batches",
     "build_time": "1.50 s", "compile_time": "11.33 s", "model_cache": "miss", "peak_memory": "913 MiB",
     "cpu": "AMD EPYC, 2 cores", "version_torch": "2.15.0"},
)  # fmt: skip


def parsed(*blocks: str):
    parser = make_parser("driver")
    for block in blocks:
        parser.feed(block)
    return parser.parsed()


def calls(times_us: list[int], maker: str = "") -> list[str]:
    return [call_line(TimedCall(0, 0, us * 1000, np.array([us * 1000])), 2, maker) + "\n" for us in times_us]


@pytest.mark.slow
@given(times_us=st.lists(st.integers(100, 10_000_000), min_size=1, max_size=300), cut=st.integers(1, 50))
def test_every_report_line_is_read_back(times_us, cut):
    found = measured(lambda n: ([1] * 2 + times_us)[n] * 1000, warmup=0, iterations=len(times_us))
    lines = calls(times_us)
    text = summary(settings(warmup=0, iterations=len(times_us)), found, FACTS) + "\n"
    result = parsed(*("".join(lines[i : i + cut]) for i in range(0, len(lines), cut)), text)
    assert result.problems == ()
    mean_s = np.mean(times_us) / 1e6
    metrics = result.metrics
    assert metrics["throughput"].value == pytest.approx(2 / mean_s, abs=0.006)
    assert metrics["latency"].value == pytest.approx(mean_s * 1000, abs=0.0006)
    rates = 2e6 / np.array(times_us)
    assert metrics["throughput"].summary["max"] == pytest.approx(rates.max(), abs=0.006)
    assert metrics["host_call_throughput"].summary["count"] == len(times_us)
    assert metrics["host_call_throughput"].summary["min"] == pytest.approx(rates.min(), abs=0.006)
    step = -(-len(times_us) // MAX_SAMPLES)
    assert metrics["host_call_throughput"].samples == pytest.approx(rates[::step], abs=0.006)
    assert metrics["host_call_latency_max"].samples == pytest.approx(
        np.array(times_us)[::step] / 1000, abs=0.0006
    )


def test_figures_settings_and_versions_are_told_apart():
    result = parsed(summary(settings(iterations=5), measured(iterations=5), FACTS) + "\n")
    times = {name: metric for name, metric in result.metrics.items() if "time" in name}
    spent = {name: times.pop(name) for name in [*times] if name.startswith("cpu_time")}
    assert {(m.unit, m.direction) for m in spent.values()} == {("s", None)}
    assert not any("cpu_time" in name for name in result.settings)
    assert {name: (m.value, m.unit, m.direction) for name, m in times.items()} == {
        "build_time": (1.5, "s", "lower"),
        "compile_time": (11.33, "s", "lower"),
        "time_share_decode_wait": (0.0, "%", None),
        "time_share_compute": (100.0, "%", None),
    }
    # Another reduction than before it was that of the measured phase: the two are not comparable.
    assert (result.metrics["peak_memory"].unit, result.metrics["peak_memory"].reduction) == ("MiB", "max")
    assert result.metrics["host_calls"].value == 5
    assert result.metrics["throughput_median"].reduction == "median"
    assert result.settings["micro_batch_size"] == "2"
    assert result.settings["data_type"] == "torch.bfloat16"
    assert (result.settings["backend"], result.settings["threads"]) == ("openvino", "2")
    assert result.versions == {"openvino": "2026.4.1-22982", "torch": "2.15.0"}
    assert result.settings["model_cache"] == "miss"


def test_a_percentile_of_too_few_samples_is_left_out_and_others_have_their_bounds():
    result = parsed(summary(settings(iterations=59), measured(iterations=59), FACTS) + "\n")
    assert result.problems == ()
    assert sorted(result.metrics["latency_p95"].summary) == ["high", "low"]
    assert "latency_p99" not in result.metrics
    assert not any("n/a" in text for text in result.settings.values())


def test_the_bounds_of_a_percentile_are_in_the_unit_of_its_value():
    head = "m results:\n\tthroughput: 1.00 samples/sec (mean)\n\tlatency avg: 1.000 ms (mean)\n"
    found = parsed(head + "\tlatency_p99: 12.500 ms (95% low: 11.250, 95% high: 14.000)\n").metrics[
        "latency_p99"
    ]
    assert (found.value, found.reduction, found.summary) == (12.5, "p99", {"low": 11.25, "high": 14.0})


def test_host_calls_of_replicas_are_read_behind_their_names():
    lines = calls([1000, 2000], "[replica 1/2] ") + calls([4000], "[instance2/4] ")
    result = parsed(
        "".join(lines), "noise about Throughput: none\n", summary(settings(), measured(), FACTS) + "\n"
    )
    assert result.metrics["host_call_throughput"].samples == (2000, 1000, 500)


def test_a_run_that_only_compiled_has_its_compile_time():
    result = parsed(compile_summary(settings(), FACTS) + "\n")
    assert result.problems == ()
    assert result.metrics["compile_time"].value == 11.33


def test_indented_lines_of_other_programs_are_no_settings():
    text = summary(settings(), measured(), FACTS) + "\n"
    assert parsed(text, "note: a warning\n  cause: something\n    hint: 5 ms\n") == parsed(text)


def test_a_run_that_broke_off_or_two_runs_in_one_output_are_problems():
    whole = summary(settings(), measured(), FACTS) + "\n"
    assert "did not finish" in parsed("".join(calls([1, 2]))).problems[0]
    assert "lack throughput and latency avg" in parsed(whole[: whole.index("\tthroughput")]).problems[0]
    assert "results of 2 runs" in parsed(whole, whole).problems[0]
    assert parsed(whole, whole).metrics == {}
    again = whole.replace("\tthroughput: ", "\tthroughput: 9", 1)
    both = whole + again[again.index("\tthroughput: ") :]
    assert parsed(both).problems == ("contains two values of throughput in one report",)


@pytest.mark.slow
def test_millions_of_host_calls_take_no_more_memory_than_thousands():
    import tracemalloc

    block = "".join(calls(list(range(1000, 8000))))
    parser = make_parser("driver")
    peaks = []
    for rounds in (10, 60):
        tracemalloc.start()
        for _ in range(rounds):
            parser.feed(block)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
    parser.feed(summary(settings(), measured(), FACTS) + "\n")
    found = parser.parsed().metrics["host_call_throughput"]
    assert found.summary["count"] == 70 * 7000
    assert len(found.samples) <= MAX_SAMPLES
    assert found.summary["mean"] == pytest.approx(np.mean(2e6 / np.arange(1000, 8000)), rel=0.01)
