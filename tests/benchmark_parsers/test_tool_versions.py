"""Reports of older and newer versions of the tools, and what is read of their parts."""

from __future__ import annotations

import json

import pytest

from benchmark_parsers.parsed import Parsed
from benchmark_parsers.registry import known_parsers
from tests.benchmark_parsers.tool_outputs import (
    ONE_RESULT,
    benchmark_app,
    loadgen,
    perf_analyzer,
    read_output,
    values,
)

APP_2021 = """[Step 1/11] Parsing and validating input arguments
[ INFO ] InferenceEngine:
\tAPI version............. 2.1.2021.4.0-3839
\tBuild................... 2021.4.0-3839-cd81789d294-releases/2021/4
[ INFO ] Read network took 15.63 ms
[ INFO ] Network batch size: 4
[ INFO ] Load network took 131.25 ms
[Step 10/11] Measuring performance (Start inference asynchronously, 4 inference requests, limits: 60000 ms duration)
[Step 11/11] Dumping statistics report
Count:      181728 iterations
Duration:   60001.53 ms
Latency:    1.25 ms
Throughput: 3028.72 FPS
"""
REPORT_2022_1 = """Count:          1413 iterations
Duration:       15008.32 ms
Latency:
    Median:     10.45 ms
    AVG:        10.62 ms
    MIN:        8.79 ms
    MAX:        16.95 ms
Throughput: 94.15 FPS
"""
ENSEMBLE = """  Server: 
    Inference count: 32
    Avg request latency: 3951 usec (overhead 46 usec + queue 31 usec + compute 3874 usec)

  Composing models: 
  detector, version: 
      Inference count: 64
      Avg request latency: 3512 usec (overhead 1 usec + queue 11 usec + compute input 93 usec + compute infer 3370 usec + compute output 23 usec)

  preprocess, version: 2
      Inference count: 32
      Avg request latency: 340 usec (overhead 2 usec + queue 12 usec + compute input 234 usec + compute infer 79 usec + compute output 0 usec)

"""  # noqa: E501, W291
CSV = """Concurrency,Inferences/Second,Client Send,Server Queue,Server Compute Infer,Client Recv,p50 latency,p99 latency
1,69.6,4,51,115,2,839,1248
2,140.5,4,61,115,2,939,1348
"""


def test_benchmark_app_of_2021_reports_its_median_alone():
    found = read_output("benchmark_app", APP_2021)
    assert found.problems == ()
    assert values(found) == pytest.approx(
        {"read_time": 0.01563, "compile_time": 0.13125, "iterations": 181728, "duration": 60.00153,
         "latency_p50": 1.25, "throughput": 3028.72}
    )  # fmt: skip
    assert found.settings["Model batch size"] == "4"
    assert found.settings["measurement"].startswith("Start inference asynchronously, 4 inference requests")
    assert found.versions == {"openvino": "2021.4.0-3839-cd81789d294-releases/2021/4"}


@pytest.mark.parametrize(
    "label", ["Latency (90 percentile): ", "Latency:\n(90 percentile):     ", "90 percentile:"]
)
def test_benchmark_app_s_one_percentile_is_named_as_such(label):
    found = read_output("benchmark_app", APP_2021.replace("Latency:   ", label))
    assert found.problems == ()
    assert found.metrics["latency_p90"].value == 1.25
    assert "latency_p50" not in found.metrics


@pytest.mark.parametrize("gap", [" ", "\t", "\t\t", "      "])
@pytest.mark.parametrize("info", ["", "[ INFO ] "])
def test_benchmark_app_of_2022_is_read_with_and_without_info_and_with_tabs(info, gap):
    lines = [":".join([info + label, *(gap + text.strip() for text in rest)]) for label, *rest in
             (line.split(":") for line in REPORT_2022_1.splitlines())]  # fmt: skip
    found = read_output("benchmark_app", "\n".join(lines) + "\n")
    assert found.problems == ()
    assert {name: value for name, value in values(found).items() if name.startswith("latency")} == {
        "latency_p50": 10.45, "latency": 10.62, "latency_min": 8.79, "latency_max": 16.95
    }  # fmt: skip


def test_lines_of_other_programs_are_no_figures_of_benchmark_app():
    noise = "Count: 3 files\nMin: 7\nMax: 9 ms\nDuration: 5.0 s\nAverage: 1 ms\n"
    expected = read_output("benchmark_app", benchmark_app(50))
    assert read_output("benchmark_app", noise + benchmark_app(50)) == expected
    assert read_output("benchmark_app", benchmark_app(50) + noise) == expected


@pytest.mark.parametrize("text", ["1,234.5 FPS", "1_234 FPS", "12.5 ms", "fast", "-1 FPS", "1.2.3 FPS"])
def test_a_figure_of_benchmark_app_that_is_no_number_fails(text):
    found = read_output("benchmark_app", benchmark_app(50).replace("50 FPS", text))
    assert f"throughput: benchmark_app printed '{text}'" in found.problems[0]
    assert "throughput" not in found.metrics


def test_the_server_s_times_are_those_of_the_ensemble_and_its_models_have_their_own():
    text = perf_analyzer({1: 69.6}).replace("Inferences/Second vs", ENSEMBLE + "Inferences/Second vs")
    found = read_output("perf_analyzer", text)
    assert found.problems == ()
    server = {name: value for name, value in values(found).items() if name.startswith("server")}
    assert server == {
        "server_inferences": 32, "server_latency": 3.951, "server_overhead": 0.046, "server_queue": 0.031,
        "server_compute": 3.874,
        "server_inferences[detector]": 64, "server_latency[detector]": 3.512, "server_overhead[detector]": 0.001,
        "server_queue[detector]": 0.011, "server_compute_input[detector]": 0.093,
        "server_compute_infer[detector]": 3.37, "server_compute_output[detector]": 0.023,
        "server_inferences[preprocess 2]": 32, "server_latency[preprocess 2]": 0.34,
        "server_overhead[preprocess 2]": 0.002, "server_queue[preprocess 2]": 0.012,
        "server_compute_input[preprocess 2]": 0.234, "server_compute_infer[preprocess 2]": 0.079,
        "server_compute_output[preprocess 2]": 0,
    }  # fmt: skip


def test_delayed_requests_of_perf_analyzer_are_a_metric_and_a_warning():
    warning = (
        "[WARNING] Perf Analyzer was not able to keep up with the desired request rate. 96.49% were delayed."
    )
    text = perf_analyzer({1: 69.6}).replace(
        "    Throughput", f"    Delayed Request Count: 336\n    Avg send request rate: 61.5 infer/sec\n    {warning}\n"
        "    Throughput"
    )  # fmt: skip
    found = read_output("perf_analyzer", text)
    assert (found.problems, found.warnings) == ((), (warning,))
    assert (found.metrics["delayed_requests"].value, found.metrics["delayed_requests"].direction) == (
        336,
        "lower",
    )
    assert found.metrics["sent_request_rate"].value == 61.5
    assert found.metrics["throughput"].value == 69.6


@pytest.mark.parametrize("first", ["Concurrency", "Request Rate"])
def test_perf_analyzer_s_csv_is_read(first):
    found = read_output("perf_analyzer", "noise\n" + CSV.replace("Concurrency", first) + "\nmore noise\n")
    load = first.lower().replace(" ", "_")
    assert found.problems == ()
    assert found.metrics[f"throughput_{load}_1"].value == 69.6
    assert found.metrics[f"latency_p99_{load}_2"].value == 1.348
    assert found.metrics[f"server_queue_{load}_2"].value == 0.061


@pytest.mark.parametrize("text", [CSV + CSV, CSV.rpartition(",")[0]])
def test_two_csvs_of_perf_analyzer_or_an_incomplete_one_fail(text):
    assert read_output("perf_analyzer", text).problems


def test_perf_analyzer_s_csv_behind_its_report_is_the_same_result():
    report = perf_analyzer({1: 69.6, 2: 140.5})
    assert read_output("perf_analyzer", report + CSV) == read_output("perf_analyzer", report)
    other = read_output("perf_analyzer", perf_analyzer({1: 50.5}) + CSV)
    assert other.problems or {50.5, 69.6, 140.5} <= set(values(other).values())


def test_loadgen_s_tokens_and_their_times_are_read():
    text = loadgen(354.41).replace("Result is", "Completed tokens per second: 100282.36\nResult is").replace(
        "Mean latency (ns)               : 3119631\n",
        "Mean latency (ns)               : 3119631\nCompleted tokens per second                 : 100282.36\n"
        "Mean First Token latency (ns)               : 200849949\n"
        "99.00 percentile first token latency (ns)   : 900000000\n"
        "Max Time to Output Token (ns)                : 152253501\nMean Time to Output Token (ns)  : 60849949\n"
        "99.90 percentile time to output token (ns)   : 150000000\n",
    )  # fmt: skip
    found = read_output("loadgen", text)
    assert found.problems == ()
    assert {
        name: (metric.value, metric.unit, metric.direction) for name, metric in found.metrics.items()
    } == {
        "throughput": (354.41, "samples/sec", "higher"),
        "token_throughput": (100282.36, "tokens/sec", "higher"),
        "latency": (3.119631, "ms", "lower"),
        "ttft": (200.849949, "ms", "lower"),
        "ttft_p99": (900, "ms", "lower"),
        "tpot_max": (152.253501, "ms", "lower"),
        "tpot": (60.849949, "ms", "lower"),
        "tpot_p99.9": (150, "ms", "lower"),
    }


def test_loadgen_s_estimates_of_early_stopping_are_named_by_what_they_estimate():
    sections = "".join(
        f"{kind} Early Stopping Result:\n * Run successful.\n * Early stopping 99th percentile estimate: {value}\n"
        for kind, value in (("TTFT", 5_000_000), ("TPOT", 6_000_000))
    )
    found = read_output("loadgen", loadgen(5.0).replace("\n\n", f"\n{sections}\n", 1))
    assert found.metrics["ttft_p99_early_stopping"].value == 5
    assert found.metrics["tpot_p99_early_stopping"].value == 6


def test_one_metric_that_two_sections_of_loadgen_give_differently_has_two_names():
    text = loadgen(5.0).replace("Result is", "90th percentile latency (ns) : 8000000\nResult is")
    text = text.replace("Mean latency", "90.00 percentile latency (ns)   : 7000000\nMean latency")
    found = read_output("loadgen", text)
    assert found.problems == ()
    assert found.metrics["latency_p90[section=Summary]"].value == 8
    assert found.metrics["latency_p90[section=Additional Stats]"].value == 7


def old_google_benchmark(*lines: dict[str, object]) -> Parsed:
    """Before 1.5, there were neither `run_name` nor `run_type`."""
    document = {"context": {"num_cpus": 8}, "benchmarks": [{"time_unit": "ms", **line} for line in lines]}
    return read_output("google_benchmark", json.dumps(document))


def test_fitted_complexity_of_old_google_benchmark_is_left_out():
    found = old_google_benchmark(
        {"name": "F/8", "real_time": 1.5, "cpu_time": 1.0},
        {"name": "F_BigO", "cpu_coefficient": 672, "real_coefficient": 672, "big_o": "N"},
        {"name": "F_RMS", "rms": 0.02},
        {"name": "my_BigO", "real_time": 2.5, "cpu_time": 2.0},
    )
    assert found.problems == ()
    assert values(found) == {"F/8": 1.5, "F/8_cpu": 1.0, "my_BigO": 2.5, "my_BigO_cpu": 2.0}


@pytest.mark.parametrize("runs", [0, 3])
def test_aggregates_of_old_google_benchmark_are_no_times_of_their_own(runs):
    found = old_google_benchmark(
        *[{"name": "copy/8", "real_time": 12.0, "cpu_time": 11.0}] * runs,
        {"name": "copy/8_mean", "real_time": 12.0, "cpu_time": 11.0},
        {"name": "copy/8_median", "real_time": 13.0, "cpu_time": 11.0},
        {"name": "copy/8_stddev", "real_time": 0.5, "cpu_time": 0.25},
    )
    assert values(found) == {"copy/8": 12, "copy/8_cpu": 11}
    summary = found.metrics["copy/8"].summary
    assert (summary["count"] == 3) if runs else (summary == {"mean": 12, "p50": 13, "std": 0.5})


def test_a_benchmark_of_old_google_benchmark_that_is_called_like_an_aggregate_is_one():
    found = old_google_benchmark(
        {"name": "sort", "real_time": 1.5},
        {"name": "sort_mean", "real_time": 2.5},
        {"name": "x_cv", "real_time": 3.5},
    )
    assert values(found) == {"sort": 1.5, "sort_mean": 2.5, "x_cv": 3.5}


def test_aggregates_between_1_4_and_1_5_have_a_type_and_no_name_of_their_run():
    found = old_google_benchmark(
        {"name": "a", "run_type": "iteration", "real_time": 4.0},
        {"name": "a", "run_type": "iteration", "real_time": 6.0},
        {"name": "a_stddev", "run_type": "aggregate", "aggregate_name": "stddev", "real_time": 1.4},
        {"name": "a_cv", "run_type": "aggregate", "aggregate_name": "cv", "real_time": 0.28},
    )
    assert values(found) == {"a": 5}


@pytest.mark.parametrize("parser", [name for name in known_parsers() if name != "regex"])
def test_a_parser_that_finds_nothing_reports_what_it_looked_for_and_saw_and_its_versions(parser):
    problem = read_output(parser, "\n\x1b[1mhello\tworld " + "x" * 500).problems[0]
    assert "looked for" in problem
    assert r"saw '\x1b[1mhello\tworld xxx" in problem
    assert len(problem) < 450
    assert "tested with" in problem
    assert "saw no output" in read_output(parser, "").problems[0]


@pytest.mark.parametrize(
    ("parser", "text", "remedy"),
    [
        (
            "hyperfine",
            "command,mean,stddev,median,user,system,min,max\nsleep,0.1,0,0.1,0,0,0.1,0.1\n",
            "--export-json",
        ),
        (
            "hyperfine",
            "Benchmark 1: sleep 0.1\n  Time (mean ± σ):     100.9 ms ±   0.1 ms\n",
            "--export-json",
        ),
        ("google_benchmark", "name,iterations,real_time,cpu_time,time_unit\n", "--benchmark_format=json"),
        (
            "google_benchmark",
            "Benchmark             Time             CPU   Iterations\n",
            "--benchmark_format=json",
        ),
        ("timm_benchmark", "model,infer_samples_per_sec,infer_step_time\n", "--results-format json"),
        ("pytest_benchmark", "name,param:size,min,max,mean,stddev,rounds\n", "--benchmark-json"),
        ("pytest_benchmark", "Name (time in us)        Min      Max\n", "--benchmark-json"),
        (
            "benchmark_app",
            "Execution results\nthroughput;118.0\n",
            "print the output of benchmark_app itself",
        ),
        ("loadgen", ':::MLLOG {"key": "loadgen_version"}\n', "print mlperf_log_summary.txt"),
    ],
)
def test_another_format_of_the_tool_is_named_with_the_remedy(parser, text, remedy):
    found = read_output(parser, text)
    assert remedy in found.problems[0]
    assert found.metrics == {}


@pytest.mark.parametrize("parser", ["hyperfine", "google_benchmark"])
def test_a_file_in_utf_16_behind_other_text_is_named(parser):
    found = read_output(parser, b"building ...\n" + ONE_RESULT[parser].encode("utf-16"))
    assert "iconv" in found.problems[0]
