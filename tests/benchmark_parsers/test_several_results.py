"""No result is lost: several in one output have names of their own, or the variant fails."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmark_parsers import tool_outputs as tools
from tests.benchmark_parsers.tool_outputs import ONE_RESULT, read_output, values

# Few names and parameters, so that equal ones are frequent; endings as of the parsers' own metrics.
NAMES = st.sampled_from(["a", "a_cpu", "a_user", "b", "a[x=1]", "a_mean", "a_BigO"])
SMALL = st.integers(1, 3)


@pytest.mark.parametrize("parser", ONE_RESULT)
def test_a_second_result_in_one_output_fails_the_variant(parser):
    assert read_output(parser, ONE_RESULT[parser]).problems == ()
    for between in ("", "\n", "some other line\n", "{}\n"):
        found = read_output(parser, ONE_RESULT[parser] + between + ONE_RESULT[parser])
        assert found.problems, between
        assert found.metrics == {}
        assert "print one" in found.problems[0]


@pytest.mark.parametrize("parser", ["hyperfine", "timm_benchmark", "pytest_benchmark", "google_benchmark"])
def test_a_second_document_is_noticed_on_the_line_where_the_first_ends(parser):
    text = ONE_RESULT[parser].rstrip("\n")
    for between in ("", " ", "\ufeff"):
        found = read_output(parser, text + between + text.removeprefix("--result\n"))
        assert "2 JSON documents" in found.problems[0]


def test_a_damaged_document_behind_a_good_one_fails_the_variant():
    good = ONE_RESULT["hyperfine"]
    assert "truncated or invalid" in read_output("hyperfine", good + good[:-9]).problems[0]


def test_benchmark_app_runs_of_which_only_the_reports_were_kept_are_counted():
    report = "".join(line for line in tools.benchmark_app(50).splitlines(True) if "Step" not in line)
    assert "2 runs of benchmark_app" in read_output("benchmark_app", report * 2).problems[0]
    assert "3 runs of benchmark_app" in read_output("benchmark_app", "Throughput: 5.1 FPS\n" * 3).problems[0]


@pytest.mark.parametrize(
    "verdicts", [("VALID", "INVALID"), ("INVALID", "VALID"), ("VALID", "VALID", "INVALID")]
)
def test_a_summary_of_loadgen_that_is_not_valid_fails_wherever_it_stands(verdicts):
    found = read_output("loadgen", "".join(tools.loadgen(5.0, verdict) for verdict in verdicts))
    assert f"{len(verdicts)} summaries of LoadGen" in found.problems[0]
    assert "reports the run as INVALID" in found.problems[1]


@pytest.mark.parametrize("verdict", ["INVALID", "Valid", "VALID*", "UNKNOWN"])
def test_a_verdict_other_than_valid_fails(verdict):
    assert f"as {verdict}" in read_output("loadgen", tools.loadgen(5.0, verdict)).problems[0]


def test_lines_behind_a_summary_of_loadgen_are_no_settings():
    found = read_output("loadgen", tools.loadgen(5.0) + "accuracy: 0.76\nResult is : INVALID\n")
    assert found.problems == ()
    assert set(found.settings) == {"scenario", "mode", "samples_per_query", "target_qps"}


def test_runs_of_hyperfine_are_told_apart_by_parameters_that_the_command_does_not_show():
    runs = [("./build.sh", 10.0, {"branch": "main"}), ("./build.sh", 14.0, {"branch": "fix"})]
    found = read_output("hyperfine", tools.hyperfine(runs))
    assert values(found) == {"./build.sh[branch=main]": 10_000, "./build.sh[branch=fix]": 14_000}
    assert found.problems == ()


def test_a_command_called_like_the_user_time_of_another_keeps_its_figure():
    document = json.loads(tools.hyperfine([("a", 1.0, {}), ("a_user", 2.0, {})]))
    document["results"][0]["user"] = 0.5
    found = read_output("hyperfine", json.dumps(document))
    assert values(found) == {"a": 1000, "a_user[command=a]": 500, "a_user[command=a_user]": 2000}


def test_results_that_nothing_tells_apart_fail_and_are_left_out():
    found = read_output("hyperfine", tools.hyperfine([("a", 1.0, {}), ("b", 2.0, {}), ("a", 2.0, {})]))
    assert values(found) == {"b": 2000}
    assert found.problems == (
        "contains several results called 'a', with nothing that distinguishes them: print one of them, or give each a "
        "name of its own",
    )


def test_one_model_of_timm_at_several_sizes_and_batch_sizes_has_a_name_for_each():
    found = read_output(
        "timm_benchmark", tools.timm([("m", 5.0, 1, 160), ("m", 6.0, 1, 224), ("m", 7.0, 8, 160)])
    )
    assert values(found) == {
        "throughput_m[infer_batch_size=1,infer_img_size=160]": 5,
        "throughput_m[infer_batch_size=1,infer_img_size=224]": 6,
        "throughput_m[infer_batch_size=8,infer_img_size=160]": 7,
    }
    assert found.settings["infer_img_size_m"] == "160, 224"


def test_equal_full_names_of_pytest_are_told_apart_by_their_parameters():
    tests = [("t", "a.py", 0.001, {"size": 1, "kind": "x"}), ("t", "a.py", 0.002, {"size": 2, "kind": "x"})]
    found = read_output("pytest_benchmark", tools.pytest_benchmark(tests))
    assert values(found) == {"a.py::t[size=1]": 1, "a.py::t[size=2]": 2}


def test_a_benchmark_called_like_the_cpu_time_of_another_keeps_its_figure():
    found = read_output("google_benchmark", tools.google_benchmark([("X", 7, 5), ("X_cpu", 3, 2)]))
    assert found.problems == ()
    assert values(found) == {
        "X": 7, "X_cpu[benchmark=X]": 5, "X_cpu[benchmark=X_cpu]": 3, "X_cpu_cpu": 2
    }  # fmt: skip


def test_two_benchmarks_of_google_with_one_name_are_no_repetitions_of_each_other():
    found = read_output("google_benchmark", tools.google_benchmark([("X", 7, 5), ("X", 9, 6)]))
    assert values(found) == {
        "X[family_index=0]": 7, "X[family_index=1]": 9, "X_cpu[family_index=0]": 5, "X_cpu[family_index=1]": 6
    }  # fmt: skip


def test_runs_of_perf_analyzer_are_told_apart_by_their_settings():
    text = tools.perf_analyzer({1: 5.0}) + tools.perf_analyzer({1: 9.0}, batch_size=8)
    found = read_output("perf_analyzer", text)
    assert found.problems == ()
    assert found.metrics["throughput[batch_size=1]"].value == 5
    assert found.metrics["throughput[batch_size=8]"].value == 9


def test_benchmark_app_s_latencies_of_several_shapes_have_names_of_their_own():
    groups = "".join(
        f"[ INFO ] {number}. data : [1,3,{size},{size}]\n[ INFO ]    Median:     {size / 10} ms\n"
        for number, size in enumerate((224, 448), 1)
    )
    text = tools.benchmark_app(50).replace(
        "[ INFO ] Throughput", f"[ INFO ] Latency for each data shape group:\n{groups}[ INFO ] Throughput"
    )
    found = read_output("benchmark_app", text)
    assert found.problems == ()
    assert found.metrics["latency_p50"].value == 20
    assert found.metrics["latency_p50[data : [1,3,224,224]]"].value == 22.4
    assert found.metrics["latency_p50[data : [1,3,448,448]]"].value == 44.8


def holds_all(found, expected: list[float]) -> bool:
    """Whether every expected value came out, each as often as it went in."""
    remaining = sorted(values(found).values())
    for value in expected:
        matching = [other for other in remaining if other == pytest.approx(value)]
        if not matching:
            return False
        remaining.remove(matching[0])
    return True


@given(
    st.lists(
        st.tuples(NAMES, SMALL, st.dictionaries(st.sampled_from("xy"), st.sampled_from("12"))), min_size=1
    )
)
def test_hyperfine_loses_no_result(results):
    found = read_output("hyperfine", tools.hyperfine(results))
    assert found.problems or holds_all(found, [mean_s * 1000 for _, mean_s, _ in results])


@given(st.lists(st.tuples(NAMES, SMALL, SMALL, SMALL), min_size=1))
def test_timm_loses_no_result(results):
    found = read_output("timm_benchmark", tools.timm(results))
    assert found.problems or holds_all(found, [rate for _, rate, _, _ in results])


@given(
    st.lists(
        st.tuples(
            NAMES,
            st.sampled_from(["a.py", "b.py"]),
            SMALL,
            st.none() | st.dictionaries(st.sampled_from("xy"), st.none() | SMALL | st.text(max_size=1)),
        ),
        min_size=1,
    )
)
def test_pytest_benchmark_loses_no_result(results):
    found = read_output("pytest_benchmark", tools.pytest_benchmark(results))
    assert found.problems or holds_all(found, [mean_s * 1000 for _, _, mean_s, _ in results])


@given(st.lists(st.tuples(NAMES, SMALL, SMALL), min_size=1))
def test_google_benchmark_loses_no_result(results):
    found = read_output("google_benchmark", tools.google_benchmark(results))
    assert found.problems or holds_all(found, [time for _, real, cpu in results for time in (real, cpu)])


@given(st.lists(st.tuples(st.dictionaries(SMALL, SMALL, min_size=1), SMALL), min_size=1))
def test_perf_analyzer_loses_no_result(runs):
    found = read_output("perf_analyzer", "".join(tools.perf_analyzer(rates, batch) for rates, batch in runs))
    assert found.problems or holds_all(found, [rate for rates, _ in runs for rate in rates.values()])


@given(
    st.lists(st.sampled_from(["VALID", "INVALID"]), min_size=1, max_size=4),
    st.text(alphabet="ab:\n =", max_size=9),
)
def test_loadgen_passes_one_valid_summary_and_nothing_else(verdicts, between):
    found = read_output("loadgen", f"\n{between}\n".join(tools.loadgen(5.0, verdict) for verdict in verdicts))
    assert (found.problems == ()) == (verdicts == ["VALID"])


@given(st.lists(st.integers(1, 99), min_size=1, max_size=4), st.booleans())
def test_benchmark_app_passes_one_run_and_nothing_else(rates, with_steps):
    text = "".join(map(tools.benchmark_app, rates))
    text = text if with_steps else text.replace("[Step", "Step")
    found = read_output("benchmark_app", text)
    assert (found.problems == ()) == (len(rates) == 1)
    assert found.problems or found.metrics["throughput"].value == rates[0]


@given(repetitions=st.integers(2, 4), names=st.lists(NAMES, min_size=1, max_size=4, unique=True))
def test_old_google_benchmark_s_aggregates_are_no_benchmarks(repetitions, names):
    """Before 1.5, names alone show what is an aggregate."""
    lines = []
    for name in names:
        lines += [{"name": name, "real_time": 10.0, "cpu_time": 9.0, "time_unit": "ms"}] * repetitions
        for aggregate in ("mean", "median", "stddev"):
            time = 0.5 if aggregate == "stddev" else 10.0
            lines.append(
                {"name": f"{name}_{aggregate}", "real_time": time, "cpu_time": time, "time_unit": "ms"}
            )
    found = read_output("google_benchmark", json.dumps({"benchmarks": lines}))
    assert 0.5 not in values(found).values()
    assert found.problems or set(values(found).values()) <= {10.0, 9.0}
