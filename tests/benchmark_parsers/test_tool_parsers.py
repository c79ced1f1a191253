"""Every tool's output gives its metrics in our units; other output gives a reason, never a crash."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_parsers.parsed import Parsed
from benchmark_parsers.registry import known_parsers, make_parser

SAMPLES = Path(__file__).with_name("samples")
# Sample, its parser, and some of the figures that a reader finds in it.
FIGURES = {
    "benchmark_app.txt": ("benchmark_app", {
        "throughput": (117.97, "samples/sec", "higher"), "latency": (135.37, "ms", "lower"),
        "latency_p50": (134.39, "ms", "lower"), "latency_max": (152.66, "ms", "lower"),
        "compile_time": (0.1023, "s", "lower"), "duration": (8.13783, "s", None), "iterations": (120, "count", None)}),
    "timm_benchmark.txt": ("timm_benchmark", {
        "throughput": (12.55, "samples/sec", "higher"), "latency": (637.324, "ms", "lower")}),
    "perf_analyzer.txt": ("perf_analyzer", {
        "throughput": (69.6, "samples/sec", "higher"), "latency_p50": (13.936, "ms", "lower"),
        "latency_p99": (21.859, "ms", "lower"), "requests": (348, "count", None)}),
    "perf_analyzer_sweep.txt": ("perf_analyzer", {
        "throughput_concurrency_1": (800, "samples/sec", "higher"),
        "throughput_concurrency_2": (933.3, "samples/sec", "higher"),
        "latency_concurrency_2": (17.1, "ms", "lower"), "server_queue_concurrency_2": (7.1, "ms", "lower"),
        "server_compute_infer_concurrency_1": (9.38, "ms", "lower")}),
    "loadgen_single_stream.txt": ("loadgen", {
        "throughput": (479.55, "samples/sec", "higher"), "latency": (2.083695, "ms", "lower"),
        "latency_p90": (2.099129, "ms", "lower"), "latency_p99.9": (2.162739, "ms", "lower")}),
    "pytest_benchmark.json": ("pytest_benchmark", {}),
    "hyperfine.json": ("hyperfine", {"time": (11.586223200000001, "ms", "lower")}),
    "hyperfine_two_commands.json": ("hyperfine", {
        "short": (11.3785752, "ms", "lower"), "longer": (21.8848404, "ms", "lower"),
        "longer_user": (1.2926, "ms", "lower")}),
    "google_benchmark_aggregates.json": ("google_benchmark", {
        "sum_million": (0.13122437656789585, "ms", "lower"), "sum_million_cpu": (0.13038025362318842, "ms", "lower")}),
}  # fmt: skip
TOOLS = [name for name in known_parsers() if name != "regex"]


def parsed(parser: str, *blocks: str) -> Parsed:
    reader = make_parser(parser)
    for block in blocks:
        reader.feed(block)
    return reader.parsed()


@pytest.mark.parametrize("sample", FIGURES)
def test_a_tools_output_gives_its_figures_in_our_units(sample):
    parser, expected = FIGURES[sample]
    found = parsed(parser, (SAMPLES / sample).read_text())
    assert found.problems == ()
    figures = {name: found.metrics[name] for name in expected}
    assert {name: (metric.unit, metric.direction) for name, metric in figures.items()} == {
        name: (unit, direction) for name, (_, unit, direction) in expected.items()
    }
    for name, metric in figures.items():
        assert metric.value == pytest.approx(expected[name][0], rel=1e-12), name


@pytest.mark.parametrize("sample", FIGURES)
@given(cuts=st.lists(st.integers(0, 60), max_size=5))
def test_it_does_not_matter_where_the_blocks_of_lines_are_cut(sample, cuts):
    parser, _ = FIGURES[sample]
    lines = (SAMPLES / sample).read_text().splitlines(keepends=True)
    edges = [0, *sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    blocks = ["".join(lines[a:b]) for a, b in pairwise(edges)]
    assert parsed(parser, *blocks) == parsed(parser, "".join(lines))


@pytest.mark.parametrize("sample", FIGURES)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_output_gives_a_reason_or_figures_that_the_whole_has_too(sample, share):
    parser, _ = FIGURES[sample]
    text = (SAMPLES / sample).read_text()
    whole, part = parsed(parser, text), parsed(parser, text[: int(len(text.rstrip()) * share)])
    # Of a sweep that was cut off in its second level the first looks like a whole run.
    known = {*whole.metrics, *(name.removesuffix("_concurrency_1") for name in whole.metrics)}
    # A number that was cut off differs from the same figure in another section, whose name is then appended.
    found = {name.partition("[")[0] for name in part.metrics}
    assert part.problems or found <= known
    if sample.endswith(".json"):
        assert part.problems
        assert part.metrics == {}


@pytest.mark.parametrize("parser", TOOLS)
@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "hello\n" * 1000, '{"a": [1, 2', "[1, 2, 3]\n", '{"benchmarks": 3, "results": [], "model": null}\n',
     '{"benchmarks": [3], "results": [null], "model": []}\n', "{" * 100_000, '{"a":' * 100_000, "{\n" * 5000,
     "\ufffd\x00\x1b[0m\n", "Throughput: \nresults:\n"],
)  # fmt: skip
def test_an_empty_or_foreign_output_gives_a_reason(parser, text):
    found = parsed(parser, text)
    assert found.problems
    assert found.metrics == {}
    assert all("raised" not in problem for problem in found.problems)


@pytest.mark.parametrize("parser", TOOLS)
@given(text=st.text())
def test_no_output_makes_a_built_in_parser_raise(parser, text):
    assert all("raised" not in problem for problem in parsed(parser, text).problems)


@pytest.mark.parametrize(
    "figure", ["NaN", "Infinity", "-Infinity", "-1.5", "null", '"fast"', "true", "1e999"]
)
@pytest.mark.parametrize(
    ("parser", "document"),
    [
        ("hyperfine", '{"results": [{"command": "c", "mean": %s}]}'),
        ("pytest_benchmark", '{"benchmarks": [{"name": "t", "stats": {"mean": %s}}]}'),
        (
            "google_benchmark",
            '{"benchmarks": [{"name": "b", "run_name": "b", "real_time": %s, "time_unit": "us"}]}',
        ),
        ("timm_benchmark", '{"model": "m", "infer_samples_per_sec": %s}'),
    ],
)
def test_a_figure_that_is_none_is_a_problem(parser, document, figure):
    found = parsed(parser, document % figure)
    assert found.metrics == {}
    assert found.problems


def test_a_loadgen_run_that_is_invalid_has_failed_and_says_why():
    found = parsed("loadgen", (SAMPLES / "loadgen_offline_invalid.txt").read_text())
    assert len(found.problems) == 1
    assert "INVALID (Min duration satisfied: NO): Increase expected QPS" in found.problems[0]
    assert found.metrics["throughput"].value == 528909
    assert found.warnings == ("LoadGen: 1 warning encountered. See detailed log.",)


def test_loadgens_server_scenario_counts_what_was_completed():
    text = (SAMPLES / "loadgen_single_stream.txt").read_text()
    text = text.replace("Scenario : SingleStream", "Scenario : Server").replace(
        "90.0th percentile latency (ns) : 2099129",
        "Completed samples per second    : 95.50\nScheduled samples per second : 100.25",
    )
    found = parsed("loadgen", text)
    assert found.metrics["throughput"].value == 95.5
    assert found.metrics["scheduled_throughput"].value == 100.25
    assert found.settings["scenario"] == "Server"


def test_settings_are_what_was_in_effect_and_versions_are_apart_from_them():
    found = parsed("benchmark_app", (SAMPLES / "benchmark_app.txt").read_text())
    assert found.settings["INFERENCE_PRECISION_HINT"] == "<Type: 'bfloat16'>"
    assert found.settings["measurement"].startswith("Start inference asynchronously, 2 inference requests")
    assert found.versions == {"openvino": "2026.4.1-22982-e213a147257-releases/2026/4"}
    assert "2026" not in str(found.settings)


def test_benchmark_app_s_microseconds_and_percentiles_are_read():
    text = (SAMPLES / "benchmark_app.txt").read_text()
    text = text.replace("Median:        134.39 ms", "99 percentile:     134.39 us").replace(
        "135.37 ms", "85.37 us"
    )
    found = parsed("benchmark_app", text)
    assert found.metrics["latency"].value == pytest.approx(0.08537)
    assert found.metrics["latency_p99"].value == pytest.approx(0.13439)


def test_timm_s_running_means_are_no_samples_and_a_failed_model_is_a_problem():
    text = (SAMPLES / "timm_benchmark.txt").read_text()
    assert parsed("timm_benchmark", text).metrics["throughput"].samples == ()
    several = (
        '--result\n[{"model": "a", "infer_samples_per_sec": 2.5}, {"model": "b", "error": "out of memory"}]\n'
    )
    found = parsed("timm_benchmark", several)
    assert found.problems == ("b: out of memory",)
    assert found.metrics["throughput_a"].value == 2.5


def test_repetitions_and_rounds_are_the_samples():
    document = json.loads((SAMPLES / "google_benchmark.json").read_text())
    found = parsed("google_benchmark", json.dumps(document))
    runs = [
        b for b in document["benchmarks"] if b["run_name"] == "sort_n/64" and b["run_type"] == "iteration"
    ]
    expected = [run["real_time"] / 1e6 for run in runs]
    assert found.metrics["sort_n/64"].samples == pytest.approx(expected, rel=1e-15)
    assert found.metrics["sort_n/64"].summary["count"] == 3
    assert found.metrics["sort_n/64_width"].value == 64
    assert found.problems == ("broken: no data here",)
    document = json.loads((SAMPLES / "pytest_benchmark.json").read_text())
    found = parsed("pytest_benchmark", json.dumps(document))
    for test in document["benchmarks"]:
        metric = found.metrics[test["name"]]
        assert metric.value == pytest.approx(test["stats"]["mean"] * 1000)
        assert metric.samples == pytest.approx([time_s * 1000 for time_s in test["stats"]["data"]])
        assert metric.summary["std"] == pytest.approx(test["stats"]["stddev"] * 1000)


def test_tests_of_the_same_name_are_told_apart_by_their_files():
    tests = [{"name": "t", "fullname": f"{file}.py::t", "stats": {"mean": 1}} for file in "ab"]
    found = parsed("pytest_benchmark", json.dumps({"benchmarks": tests}))
    assert set(found.metrics) == {"a.py::t", "b.py::t"}


def test_the_json_is_found_between_other_text():
    document = (SAMPLES / "hyperfine.json").read_text()
    around = "{'not': json}\n{}\nBenchmark 1: sleep\n" + document + "\nSummary\n{ more }\n"
    assert parsed("hyperfine", around) == parsed("hyperfine", document)


def test_commands_that_did_not_end_well_under_hyperfine_are_told():
    document = {"results": [{"command": "c", "mean": 1.0, "times": [1.0, 1.0], "exit_codes": [0, 3]}]}
    assert parsed("hyperfine", json.dumps(document)).warnings == ("c: 1 of its runs did not exit with 0",)


def test_a_json_document_beyond_the_bound_is_refused_and_not_kept(monkeypatch):
    monkeypatch.setattr("benchmark_parsers.json_document.LONGEST_DOCUMENT", 1 << 20)
    reader = make_parser("hyperfine")
    reader.feed('{"results": [\n')
    for _ in range(30):
        reader.feed('{"command": "c", "mean": 1.0},\n' * 3000)
    assert "longer than 1 MiB" in reader.parsed().problems[0]


def test_unstable_measurements_of_perf_analyzer_are_told():
    text = (SAMPLES / "perf_analyzer.txt").read_text()
    line = "Failed to obtain stable measurement within 10 measurement windows for concurrency 1. Please try to ..."
    assert parsed("perf_analyzer", f"{text}\n{line}\n").warnings == (line,)


def test_poplar_s_compile_time_is_a_figure_whose_absence_fails():
    log = (
        "2023-01-05 10:00:31.000000Z I: Starting compilation\n2023-01-05 10:01:40.250000Z I: Graph compiled\n"
    )
    assert parsed("poplar", log).metrics["total_compiling_time"].value == 69.25
    assert "POPLAR_LOG_LEVEL" in parsed("poplar", "hello\n").problems[0]


def test_perf_analyzer_s_levels_of_a_request_rate_are_found():
    text = (SAMPLES / "perf_analyzer.txt").read_text()
    assert "Request concurrency: 1\n" in text
    found = parsed(
        "perf_analyzer",
        text.replace("Request concurrency: 1\n", "Request Rate: 35 inference requests per seconds\n"),
    )
    assert found.problems == ()
    assert found.settings["load"] == "request_rate_35"
    assert found.metrics == parsed("perf_analyzer", text).metrics


def test_the_json_is_found_after_any_number_of_lines_of_a_build():
    document = (SAMPLES / "google_benchmark.json").read_text()
    build = "".join(f"[{number}/500] Building CXX object\n[ 50%] Building\n" for number in range(500))
    assert parsed("google_benchmark", build + document) == parsed("google_benchmark", document)


def test_google_benchmark_s_fitted_complexity_is_no_benchmark_without_a_time():
    runs = [
        {"run_name": f"BM_X/{n}", "run_type": "iteration", "real_time": n, "time_unit": "ms"} for n in (8, 64)
    ]
    fitted = [
        {"run_name": "BM_X", "run_type": "aggregate", "aggregate_name": "BigO", "cpu_coefficient": 1.0},
        {"run_name": "BM_X", "run_type": "aggregate", "aggregate_name": "RMS", "rms": 0.01},
    ]
    found = parsed("google_benchmark", json.dumps({"benchmarks": runs + fitted}))
    assert found.problems == ()
    assert {name: metric.value for name, metric in found.metrics.items()} == {"BM_X/8": 8, "BM_X/64": 64}


def google(*lines: dict[str, object]) -> Parsed:
    common = {"run_name": "b", "run_type": "iteration", "time_unit": "us"}
    return parsed("google_benchmark", json.dumps({"benchmarks": [common | line for line in lines]}))


def test_a_counter_of_google_benchmark_that_is_called_like_a_time_keeps_its_figure():
    found = google({"real_time": 7.0, "cpu_time": 5.0, "gpu_time": 3.0})
    assert {name: (metric.value, metric.unit) for name, metric in found.metrics.items()} == {
        "b": (0.007, "ms"), "b_cpu": (0.005, "ms"), "b_gpu_time": (3.0, None)
    }  # fmt: skip
    assert found.metrics["b_gpu_time"].direction is None


def test_a_benchmark_that_was_skipped_has_no_figure_and_is_told():
    skipped = {"run_name": "s", "skipped": True, "skip_message": "no GPU", "real_time": 0.0, "cpu_time": 0.0}
    found = google({"real_time": 7.0}, skipped)
    assert set(found.metrics) == {"b"}
    assert (found.problems, found.warnings) == ((), ("s: omitted: skipped: no GPU",))
    assert google(skipped).metrics == {}
    assert google(skipped).problems == ("parser google_benchmark found no metric",)


def test_repetitions_that_were_skipped_are_no_samples():
    found = google({"real_time": 7.0}, {"real_time": 0.0, "skipped": True}, {"real_time": 9.0})
    assert found.metrics["b"].samples == (0.007, 0.009)
    assert found.warnings == ("b: omitted 1 of its repetitions: skipped: no reason given",)


def test_a_counter_that_is_called_skipped_skips_nothing():
    assert google({"real_time": 7.0, "skipped": 3.0}).metrics["b_skipped"].value == 3


def test_lines_of_a_build_do_not_count_as_a_document_that_is_too_long(monkeypatch):
    monkeypatch.setattr("benchmark_parsers.json_document.LONGEST_DOCUMENT", 1 << 20)
    document = (SAMPLES / "hyperfine.json").read_text()
    build = "[ 50%] Building CXX object\n[3/500] Linking\n[2026-01-05 10:00:00] done\n[12] step\n" * 20_000
    assert parsed("hyperfine", build, document) == parsed("hyperfine", document)


@pytest.mark.parametrize("line", ["[12] step\n", '{"level": "info", "message": "step 12"}\n', "{}\n"])
def test_the_json_is_found_after_any_number_of_lines_that_are_json_themselves(line):
    document = (SAMPLES / "hyperfine.json").read_text()
    assert parsed("hyperfine", line * 500 + document) == parsed("hyperfine", document)


def test_a_whole_number_of_thousands_of_digits_makes_no_parser_of_json_raise():
    document = '{"results": [{"command": "c", "mean": 1%s}]}' % ("0" * 5000)
    found = parsed("hyperfine", document)
    assert found.metrics == {}
    assert "raised" not in found.problems[0]
