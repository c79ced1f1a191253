"""What a run does with commands that work and with all the ways in which they do not."""

from __future__ import annotations

import csv
import json
import os
import shlex
import sys
from pathlib import Path

import pytest
from junitparser import Failure, JUnitXml, Skipped

from benchmark_parsers.result_check import check_results
from tests.examples_utils.conftest import FIGURES, Workplace

PRINT = "echo 'throughput: {0} samples/sec latency: {1} ms'"
ORIGINAL_KEYS = ["benchmark_path", "benchmark_name", "variant_name", "params", "command", "results"]
ORIGINAL_KEYS += ["start_time", "end_time", "compilation_end_time", "test_duration", "exitcode", "log_paths"]
ORIGINAL_KEYS += ["latest_checkpoint_path", "sdk_path", "sdk_version"]
MIXED = f"""
good:
  cmd: "{PRINT.format(100, 2)}"{FIGURES}
exits: {{cmd: "sh -c 'echo oh no >&2; exit 3'"}}
silent:
  cmd: echo hello{FIGURES}
nan:
  cmd: "{PRINT.format("nan", 2)}"{FIGURES}
text:
  cmd: "{PRINT.format("fast", 2)}"{FIGURES}
missing: {{cmd: no-such-program --flag}}
not_executable: {{cmd: ./benchmarks.yml}}
elsewhere: {{cmd: echo hi, requires: [no_such_machine]}}
last:
  cmd: "{PRINT.format(300, 4)}"{FIGURES}
"""


@pytest.fixture
def mixed(workplace: Workplace):
    workplace.spec(MIXED)
    return workplace.benchmark()


@pytest.mark.slow
def test_every_variant_has_a_result_whatever_the_others_did(mixed):
    assert mixed.exitcode == 1
    assert {name: record["status"] for name, record in mixed.by_variant.items()} == {
        "good": "passed", "exits": "failed", "silent": "failed", "nan": "failed", "text": "failed", "missing": "failed",
        "not_executable": "failed", "elsewhere": "skipped", "last": "passed",
    }  # fmt: skip
    assert mixed.by_variant["last"]["results"]["throughput"] == {"mean": 300.0}


@pytest.mark.slow
def test_a_failed_variant_says_why_and_keeps_its_own_exit_code(mixed):
    reasons = {name: (record["exitcode"], record["reason"]) for name, record in mixed.by_variant.items()}
    assert reasons["exits"] == (3, "exited with code 3")
    assert reasons["silent"][0] == 1
    assert "throughput: its regexp matched nothing" in reasons["silent"][1]
    assert reasons["nan"][0] == 1
    assert "'nan'" in reasons["nan"][1]
    assert "'fast'" in reasons["text"][1]
    assert reasons["missing"] == (127, "the command 'no-such-program' was not found")
    assert reasons["not_executable"][0] == 126


@pytest.mark.parametrize(
    ("printed", "quoted"),
    [
        ("error: openvino ended with signal 11", ": openvino ended with signal 11"),
        ("tool: error: first\nfatal: second\nbye", ": second"),
        ("no error: here", ""),
        ("error: " + "x" * 9000, ""),
    ],
)
def test_the_reason_quotes_the_last_error_that_the_command_printed(
    workplace: Workplace, printed: str, quoted: str
) -> None:
    workplace.script("fails.py", f"import sys\nprint({printed!r}, file=sys.stderr)\nsys.exit(1)\n")
    workplace.spec("b: {cmd: python3 fails.py}\n")
    assert workplace.benchmark().by_variant["b"]["reason"] == f"exited with code 1{quoted}"


@pytest.mark.slow
def test_a_figure_that_could_not_be_read_is_null_and_the_others_stay(mixed):
    assert mixed.by_variant["nan"]["results"]["throughput"] == {"mean": None}
    assert mixed.by_variant["nan"]["results"]["latency"] == {"mean": 2.0}


@pytest.mark.slow
def test_the_record_holds_the_original_keys_and_the_machine(mixed):
    record = mixed.by_variant["good"]
    assert list(record)[: len(ORIGINAL_KEYS)] == ORIGINAL_KEYS
    assert record["results"]["total_compiling_time"] == {"mean": None}
    assert record["log_paths"] == {
        "out": str(mixed.log / "good/stdout.log"),
        "err": str(mixed.log / "good/stderr.log"),
    }
    assert Path(record["log_paths"]["out"]).read_text() == "throughput: 100 samples/sec latency: 2 ms\n"
    assert record["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert record["software"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert len(record["machine_state"]["load_average"]) == 3
    assert set(record["disturbance"]) == {
        "stolen_share", "throttled_share", "memory_stall_share", "thermal_throttles", "major_faults",
    }  # fmt: skip
    assert json.loads((mixed.log / "good/variant_result.json").read_text())["variant_name"] == "good"


@pytest.mark.slow
def test_the_csv_file_has_a_row_a_variant_and_the_union_of_the_metrics(mixed):
    rows = list(csv.DictReader((mixed.log / "benchmark_results.csv").open()))
    assert [row["variant_name"] for row in rows] == list(mixed.by_variant)
    assert rows[0]["throughput"] == "100.0"
    assert rows[0]["latency"] == "2.0"
    assert rows[1]["throughput"] == ""
    assert rows[7]["reason"].startswith("requires no_such_machine")


@pytest.mark.slow
def test_the_junit_file_has_names_failures_with_stderr_and_skips(mixed):
    cases = {
        case.name: case
        for suite in JUnitXml.fromfile(str(mixed.log / "benchmark_results.xml"))
        for case in suite
    }
    assert list(cases) == list(mixed.by_variant)
    assert cases["good"].classname == "good"
    assert not cases["good"].result
    assert isinstance(cases["exits"].result[0], Failure)
    assert "oh no" in cases["exits"].result[0].text
    assert isinstance(cases["elsewhere"].result[0], Skipped)


@pytest.mark.slow
def test_the_run_ends_with_a_table_and_a_line_a_variant(mixed):
    assert "PASSED good::good\n" in mixed.out
    assert "FAILED exits::exits - exited with code 3\n" in mixed.out
    assert "SKIPPED elsewhere::elsewhere - requires no_such_machine" in mixed.out
    assert "6 failed, 2 passed, 1 skipped" in mixed.out
    header = next(line for line in mixed.out.splitlines() if line.startswith("| variant"))
    assert "samples/sec" in header
    assert "latency(ms)" in header
    row = next(line for line in mixed.out.splitlines() if line.startswith("| last"))
    assert len(row) == len(header)
    assert row.split("|")[2].strip() == "300.0"


@pytest.mark.slow
def test_the_logs_hold_what_was_said(mixed):
    assert "PASSED good::good" in (mixed.log / "console.log").read_text()
    journal = (mixed.log / "output.log").read_text()
    assert "INFO" in journal
    assert "FAILED exits::exits" in journal


def test_all_passed_is_exit_code_0_also_with_skips(workplace):
    workplace.spec("a: {cmd: 'true'}\nb: {cmd: 'true', requires: [poprun_of_another_planet]}\n")
    assert workplace.benchmark().exitcode == 0


def test_variants_run_in_order_with_the_first_parameter_fastest(workplace):
    workplace.spec("b:\n  cmd: echo {batchsize} {n}\n  parameters: {batchsize: '1, 4', n: '3,5'}\n")
    done = workplace.benchmark()
    assert [record["params"] for record in done.results["b"]] == [
        {"batchsize": b, "n": n} for n in ("3", "5") for b in ("1", "4")
    ]
    assert done.results["b"][1]["variant_name"] == "b_batchsize_4_n_3"


def test_live_output_is_shown_unless_quiet(workplace):
    workplace.spec("b: {cmd: 'printf only-the-child-says-this'}\n")
    assert "only-the-child-says-this" in workplace.benchmark("--logging", "ERROR").out
    assert "only-the-child-says-this" not in workplace.benchmark("--logging", "ERROR", "--quiet").out


def test_a_command_gets_its_quotes_and_pipes_as_words(workplace):
    program = "import sys; print(sys.argv[1:])"
    workplace.spec(f'b:\n  cmd: >-\n    python3 -c "{program}" \'a b\' | "c|d" $NOT_SET_ANYWHERE\n')
    done = workplace.benchmark()
    assert (
        Path(done.by_variant["b"]["log_paths"]["out"]).read_text()
        == "['a b', '|', 'c|d', '$NOT_SET_ANYWHERE']\n"
    )
    assert shlex.split(done.by_variant["b"]["command"])[2] == program


def test_shell_true_gives_the_command_to_a_shell(workplace):
    workplace.spec(
        "b: {cmd: 'echo a b | tr a-z A-Z && echo $HOME_OF_TEST', shell: true, env: {HOME_OF_TEST: x}}\n"
    )
    done = workplace.benchmark()
    assert Path(done.by_variant["b"]["log_paths"]["out"]).read_text() == "A B\nx\n"


def test_a_script_is_found_beside_its_spec_and_runs_there(workplace, tmp_path, monkeypatch):
    (tmp_path / "suite/elsewhere").mkdir(parents=True)
    (tmp_path / "suite/show.py").write_text("import os, sys; print(os.getcwd(), sys.argv[0], sys.prefix)")
    workplace.spec(
        "a: {cmd: python3 show.py}\nb: {cmd: python3 ../show.py, location: elsewhere}\n", "suite/s.yml"
    )
    done = workplace.benchmark("--spec", "suite/s.yml")
    suite = tmp_path / "suite"
    outs = [Path(done.by_variant[name]["log_paths"]["out"]).read_text().split() for name in "ab"]
    assert outs[0] == [str(suite), str(suite / "show.py"), sys.prefix]
    assert outs[1][0] == str(suite / "elsewhere")


def test_a_location_of_another_checkout_means_the_folder_of_the_spec(workplace, tmp_path):
    workplace.spec("a: {cmd: pwd, location: public_examples/vision/cnns/pytorch}\n")
    assert Path(workplace.benchmark().by_variant["a"]["log_paths"]["out"]).read_text().strip() == str(
        tmp_path
    )


def test_throughput_counts_once_for_each_mpi_process(workplace, tmp_path):
    stand_in = tmp_path / "mpirun"
    stand_in.write_text("#!/bin/sh\necho 'throughput: 10 samples/sec latency: 3 ms'\n")
    stand_in.chmod(0o755)
    workplace.spec(f"m:\n  cmd: ./mpirun --tag-output --np 4 python3 x.py -n 7{FIGURES}")
    results = workplace.benchmark().by_variant["m"]["results"]
    assert results["throughput"] == {"mean": 40.0}
    assert results["latency"] == {"mean": 3.0}


def test_derived_metrics_work_beside_any_reduction(workplace):
    workplace.spec(
        "d:\n  cmd: printf 'lat 0.5\\nlat 0.25\\n'\n  parameters: {n: 4}\n"
        "  data: {latency_s: {regexp: 'lat (.*)', reduction_type: min}}\n"
        "  derived:\n    latency: {expr: '{latency_s} * 1000.'}\n    p99: {expr: latency / n, reduction_type: p99}\n"
    )
    results = workplace.benchmark().by_variant["d_n_4"]["results"]
    assert results["latency_s"] == {"min": 0.25}
    assert results["latency"] == {"mean": 250.0}
    assert results["p99"] == {"p99": 62.5}


def test_figures_in_stderr_count_after_those_in_stdout(workplace):
    workplace.spec(
        "d:\n  cmd: sh -c 'echo v=1 >&2; echo v=2'\n"
        "  data: {first: {regexp: v=(.), reduction_type: value}, last: {regexp: v=(.), reduction_type: final}}\n"
    )
    results = workplace.benchmark().by_variant["d"]["results"]
    assert (results["first"]["value"], results["last"]["final"]) == (2, 1)


def test_poplar_log_lines_give_the_compile_time(workplace):
    log = "2023-01-05T10:00:00.000000Z Starting compilation\\n2023-01-05T10:00:09.500000Z Graph compiled\\n"
    workplace.spec(f'p: {{cmd: "sh -c \'printf \\"{log}\\" >&2\'"}}\n'.replace("\\n", "\\\\n"))
    record = workplace.benchmark().by_variant["p"]
    assert record["results"]["total_compiling_time"] == {"mean": 9.5}
    assert record["compilation_end_time"] == "9.5"


TENSORFLOW = """
import os, sys
print("2023-01-05 10:00:00.000000: I Poplar version: 3.4", file=sys.stderr)
if os.environ.get("TF_CPP_VMODULE") == "poplar_compiler=1":
    for second, mark in ((2, "Begin Poplar graph construction."), (3, "End Poplar graph construction."),
                         (3, "Begin compiling Poplar engine m"), (7, "End compiling Poplar engine m")):
        print(f"2023-01-05 10:00:0{second}.000000: I poplar_compiler.cc:1700] {mark}", file=sys.stderr)
"""


@pytest.mark.slow
def test_tensorflow_logs_its_compile_time_unless_its_own_level_is_set(workplace, monkeypatch):
    workplace.script("tf.py", TENSORFLOW)
    workplace.spec("a: {cmd: python3 tf.py}\nown: {cmd: python3 tf.py, env: {TF_CPP_VMODULE: x=2}}\n")
    by_variant = workplace.benchmark().by_variant
    assert by_variant["a"]["results"]["total_compiling_time"] == {"mean": 7.0}
    assert by_variant["own"]["results"]["total_compiling_time"] == {"mean": None}
    monkeypatch.setenv("TF_CPP_VMODULE", "x=2")
    assert workplace.benchmark().by_variant["a"]["results"]["total_compiling_time"] == {"mean": None}


def test_custom_metrics_are_stored_and_one_that_raises_fails_alone(workplace):
    workplace.script(
        "metrics.py",
        "from examples_utils import register_custom_metric\n"
        "register_custom_metric('lines', lambda out, err, code: {'count': len(out.splitlines())})\n"
        "register_custom_metric('broken', lambda out, err, code: 1 / 0)\n",
    )
    workplace.spec(f'c:\n  cmd: "{PRINT.format(1, 2)}"{FIGURES}')
    done = workplace.benchmark("--custom-metrics-files", "metrics.py")
    record = done.by_variant["c"]
    assert done.exitcode == 0
    assert record["results"]["lines"] == {"count": 1}
    assert record["results"]["broken"] == {"value": None}
    assert any("ZeroDivisionError" in warning for warning in record["warnings"])


def test_a_custom_metric_does_not_take_the_place_of_a_figure_of_the_entry(workplace):
    workplace.script(
        "metrics.py",
        "from examples_utils import register_custom_metric\n"
        "register_custom_metric('throughput', lambda out, err, code: {'mean': 1.0})\n",
    )
    workplace.spec(f'c:\n  cmd: "{PRINT.format(7, 2)}"{FIGURES}')
    done = workplace.benchmark("--custom-metrics-files", "metrics.py")
    record = done.by_variant["c"]
    assert record["results"]["throughput"] == {"mean": 7}
    assert record["warnings"][-1].startswith(
        "custom metric throughput: the variant has a metric of this name"
    )
    assert check_results(done.log / "benchmark_results.json").problems == ()


def test_a_negative_throughput_fails_its_variant_and_a_negative_gain_does_not(workplace):
    workplace.spec(f'''
bad:
  cmd: "{PRINT.format(-5, 2)}"{FIGURES}
good:
  cmd: "{PRINT.format(5, 2)}"{FIGURES}
  derived: {{latency_gain: {{expr: latency - 10}}}}
''')
    done = workplace.benchmark()
    assert done.exitcode == 1
    assert done.by_variant["bad"]["reason"] == "throughput: -5 is negative"
    assert done.by_variant["good"]["results"]["latency_gain"] == {"mean": -8}
    assert check_results(done.log / "benchmark_results.json").problems == ()


def test_output_that_is_no_text_is_no_obstacle(workplace):
    program = "import sys; sys.stdout.buffer.write(b'\\xff\\x00throughput: 5 samples/sec latency: 1 ms\\x1b')"
    workplace.script("noise.py", program)
    workplace.spec(f"b:\n  cmd: python3 noise.py{FIGURES}")
    done = workplace.benchmark("--quiet")
    assert done.by_variant["b"]["results"]["throughput"] == {"mean": 5.0}
    JUnitXml.fromfile(str(done.log / "benchmark_results.xml"))


def test_the_newest_checkpoint_of_a_training_command_is_recorded(workplace, tmp_path):
    workplace.spec("t: {cmd: 'sh -c \"mkdir -p ck/step_1\" --checkpoint-dir ck'}\n")
    assert workplace.benchmark().by_variant["t"]["latest_checkpoint_path"] == str(tmp_path / "ck/step_1")


@pytest.mark.slow
def test_names_that_are_no_file_names_get_folders_of_their_own(workplace):
    values = ["../../escape", "a/b", "a:b", "x" * 400, ".", "é ü"]
    rows = "".join(f"    - [{json.dumps(value)}]\n" for value in values)
    workplace.spec(f"b:\n  cmd: echo {{path}}\n  parameters:\n    - [path]\n{rows}")
    done = workplace.benchmark()
    folders = {Path(record["log_paths"]["out"]).parent for record in done.results["b"]}
    assert len(folders) == len(values)
    assert all(folder.parent == done.log for folder in folders)


def test_two_specs_may_have_a_benchmark_of_the_same_name(workplace):
    first, second = (
        workplace.spec("b: {cmd: echo 1}\n", "one.yml"),
        workplace.spec("b: {cmd: echo 2}\n", "two.yml"),
    )
    done = workplace.benchmark("--spec", str(first), str(second))
    assert [Path(record["log_paths"]["out"]).read_text() for record in done.results["b"]] == ["1\n", "2\n"]


def test_a_run_in_a_used_log_folder_keeps_the_earlier_results(workplace):
    workplace.spec("first: {cmd: echo 1}\n")
    workplace.benchmark()
    workplace.spec("second: {cmd: echo 2}\n")
    done = workplace.benchmark()
    assert list(done.results) == ["second"]
    assert len(list(done.log.glob("earlier_runs/*/first/variant_result.json"))) == 1


def test_a_log_folder_that_holds_other_things_keeps_them(workplace):
    """As with --log-dir ., where the spec, its scripts and other runs' folders lie."""
    workplace.log = workplace.folder
    workplace.spec("a: {cmd: echo 1}\n")
    (workplace.folder / "a").mkdir()
    workplace.script("a/mine.txt", "mine")
    workplace.command("benchmark", "--log-dir", "logs/other")
    for _ in range(2):
        assert list(workplace.benchmark().results) == ["a"]
    assert (workplace.folder / "benchmarks.yml").exists()
    assert (workplace.folder / "a/mine.txt").read_text() == "mine"
    assert (workplace.folder / "logs/other/a/variant_result.json").exists()
    assert len(list(workplace.folder.glob("earlier_runs/*/a/variant_result.json"))) == 1


@pytest.mark.slow
def test_characters_that_cannot_be_stored_or_executed_fail_one_variant(workplace):
    workplace.spec('a: {cmd: "echo \\0"}\nb: {cmd: echo b, env: {"A=B": x}}\nc: {cmd: echo c}\n')
    done = workplace.benchmark()
    assert [record["status"] for record in done.by_variant.values()] == ["failed", "failed", "passed"]


@pytest.mark.slow
def test_a_table_for_a_terminal_folds_and_loses_nothing(mixed):
    from examples_utils.results.record import VariantResult
    from examples_utils.results.summary import results_table

    name = "a_very_long_name_" * 12
    record = VariantResult.from_json(mixed.by_variant["last"] | {"variant_name": name})
    folded = results_table([record], 60)
    assert max(map(len, folded.splitlines())) <= 60
    assert "".join(line.split("│")[1].strip() for line in folded.splitlines() if "│" in line).endswith(name)
    assert name in results_table([record], None)
