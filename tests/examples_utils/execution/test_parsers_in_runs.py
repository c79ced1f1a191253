"""Entries with a parser, the record of their metrics, and the commands `parse` and `validate-results`."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

SAMPLES = Path(__file__).parents[2] / "benchmark_parsers/samples"


def with_samples(workplace) -> None:
    for sample in SAMPLES.iterdir():
        shutil.copy(sample, workplace.folder)


def test_the_figures_of_a_parser_are_results_metrics_and_settings(workplace):
    with_samples(workplace)
    workplace.spec(
        "app:\n  cmd: cat benchmark_app.txt\n  parser: benchmark_app\n"
        "  derived: {per_core: {expr: throughput / 2, unit: samples/sec}}\n  output: [[img/s, throughput]]\n"
    )
    done = workplace.benchmark()
    assert done.exitcode == 0, done.out
    record = done.by_variant["app"]
    assert record["results"]["throughput"] == {"mean": 117.97}
    assert record["results"]["latency_p50"] == {"p50": 134.39}
    assert record["results"]["per_core"] == {"mean": 58.985}
    assert record["metrics"]["throughput"] == {
        "value": 117.97, "unit": "samples/sec", "direction": "higher", "reduction": "mean", "parser": "benchmark_app"
    }  # fmt: skip
    assert record["metrics"]["per_core"]["expr"] == "throughput / 2"
    assert record["metrics"]["per_core"]["direction"] == "higher"
    assert record["settings"]["NUM_STREAMS"] == "2"
    assert record["software"]["reported"] == {"openvino": "2026.4.1-22982-e213a147257-releases/2026/4"}
    assert "img/s 118.0" in done.out


def test_data_says_unit_and_direction_or_its_regular_expression_and_name_do(workplace):
    workplace.spec(
        "r:\n  cmd: 'echo throughput: 5 samples/sec, loss 0.5, took 3 msec'\n  data:\n"
        "    throughput: {regexp: 'throughput: (.*?) samples\\/sec'}\n    time: {regexp: 'took (.*) msec'}\n"
        "    loss: {regexp: 'loss ([\\d.]+)', unit: nats, direction: lower}\n"
    )
    metrics = workplace.benchmark().by_variant["r"]["metrics"]
    assert {name: (m["value"], m["unit"], m["direction"], m["parser"]) for name, m in metrics.items()} == {
        "throughput": (5, "samples/sec", "higher", "regex"),
        "time": (3, "ms", "lower", "regex"),
        "loss": (0.5, "nats", "lower", "regex"),
    }
    assert metrics["time"]["regexp"] == "took (.*) msec"


def test_a_metric_of_data_counts_where_the_parser_has_it_too(workplace):
    with_samples(workplace)
    workplace.spec(
        "h: {cmd: cat hyperfine.json, parser: hyperfine, data: {time: {regexp: '\"mean\": (.*),'}}}\n"
    )
    record = workplace.benchmark().by_variant["h"]
    assert record["metrics"]["time"]["parser"] == "regex"
    assert record["metrics"]["time_user"]["parser"] == "hyperfine"
    assert record["results"]["time"]["mean"] == pytest.approx(0.0115862232)


def test_an_invalid_run_of_loadgen_is_a_failed_variant_that_keeps_its_figures(workplace):
    with_samples(workplace)
    workplace.spec("l: {cmd: cat loadgen_offline_invalid.txt, parser: loadgen}\n")
    done = workplace.benchmark()
    record = done.by_variant["l"]
    assert (done.exitcode, record["status"], record["exitcode"]) == (1, "failed", 1)
    assert "LoadGen reports the run as INVALID (Min duration satisfied: NO)" in record["reason"]
    assert record["metrics"]["throughput"]["value"] == 528909
    assert "1 warning encountered" in " ".join(record["warnings"])


def test_a_failed_command_has_no_figures_but_the_reason(workplace):
    with_samples(workplace)
    workplace.spec("h: {cmd: 'cat hyperfine.json absent', parser: hyperfine}\n")
    record = workplace.benchmark().by_variant["h"]
    assert record["metrics"]["time"] == {
        "value": None, "unit": "ms", "direction": "lower", "reduction": "mean", "parser": "hyperfine",
        "reason": "exited with code 1",
    }  # fmt: skip
    assert record["results"]["time"] == {"mean": None}


@pytest.mark.slow
def test_every_repetition_has_its_own_samples_and_the_whole_their_median(workplace):
    workplace.script(
        "tool.py",
        "import json, pathlib\nf = pathlib.Path('n')\nn = int(f.read_text()) + 1 if f.exists() else 1\n"
        "f.write_text(str(n))\n"
        "print(json.dumps({'results': [{'command': 'c', 'mean': n, 'times': [n, n], 'exit_codes': [0]}]}))\n",
    )
    workplace.spec("t: {cmd: python3 tool.py, parser: hyperfine}\n")
    record = workplace.benchmark("--repeat", "3").by_variant["t"]
    assert record["metrics"]["time"]["value"] == 2000
    assert "samples" not in record["metrics"]["time"]
    repetitions = [part["metrics"]["time"] for part in record["repetitions"]]
    assert [(part["value"], part["samples"]) for part in repetitions] == [
        (1000, [1000, 1000]),
        (2000, [2000, 2000]),
        (3000, [3000, 3000]),
    ]


@pytest.mark.slow
def test_all_that_a_run_writes_is_valid(workplace):
    with_samples(workplace)
    workplace.spec(
        "good: {cmd: cat pytest_benchmark.json, parser: pytest_benchmark}\n"
        "errors: {cmd: cat google_benchmark.json, parser: google_benchmark}\n"
        "regex: {cmd: 'echo t=3 {n}', parameters: {n: '1,2'}, data: {t: {regexp: 't=(.)'}},"
        " derived: {d: {expr: t/n}}}\n"
        "fails: {cmd: 'false', parser: driver, data: {t: {regexp: 't=(.)'}}}\n"
        "skipped: {cmd: 'true', requires: [no_such_program]}\nnothing: {cmd: 'true'}\n"
        "unprepared: {cmd: 'true', pre_run_commands: ['false']}\n"
        "unread: {cmd: 'true', parser: driver, data: {t: {regexp: 't=(.)'}}}\nslow: {cmd: sleep 9, timeout: 0.1}\n"
    )
    for options in ((), ("--repeat", "2", "--additional-metrics"), ("--compile-only",), ("--stop-on-error",)):
        workplace.benchmark(*options)
        files = [str(file) for file in workplace.log.rglob("*_result*.json")]
        done = workplace.command("validate-results", *files)
        assert done.exitcode == 0, done.out
        assert f"{len(files)} files" in done.out
        assert " 0 errors" in done.out


def test_validate_results_tells_all_problems_of_all_files_and_exits_with_2(workplace):
    workplace.spec("a: {cmd: echo hi}\n")
    workplace.benchmark()
    good = workplace.log / "benchmark_results.json"
    (workplace.folder / "cut.json").write_text(good.read_text()[:-9])
    (workplace.folder / "foreign.json").write_text(json.dumps({f"k{n}": n for n in range(500)}))
    done = workplace.command("validate-results", str(good), "cut.json", "foreign.json", "absent.json")
    assert done.exitcode == 2
    assert done.out.count(": error: ") == 102
    assert "foreign.json: … and 400 more" in done.out
    assert done.out.splitlines()[-1] == "4 files, 1 records, 502 errors"


def test_a_suite_is_called_the_same_wherever_it_is_checked_out(workplace):
    (workplace.folder / ".git").mkdir()
    (workplace.folder / "vision").mkdir()
    workplace.spec("a: {cmd: echo hi}\n", "vision/benchmarks.yml")
    record = workplace.benchmark("--spec", "vision").by_variant["a"]
    assert record["suite"] == "vision/benchmarks.yml"


def test_a_parser_s_name_is_checked_before_anything_runs(workplace):
    file = workplace.spec("a:\n  cmd: echo hi\n  parser: benchmrk_app\nb:\n  cmd: x\n  parser: regex\n")
    done = workplace.command("validate")
    assert done.exitcode == 2
    assert (
        f"{file}:3:11: error: a.parser: no parser is called 'benchmrk_app'; did you mean benchmark_app"
        in done.out
    )
    assert f"{file}:6:11: error: b.parser: parser regex needs data" in done.out
    assert workplace.benchmark().exitcode == 2
    assert not workplace.log.exists()


def test_parse_gives_the_figures_of_an_output_as_json(workplace):
    with_samples(workplace)
    done = workplace.command("parse", "--parser", "loadgen", "--stdout", "loadgen_single_stream.txt")
    assert done.exitcode == 0
    parsed = json.loads(done.out)
    assert (parsed["status"], parsed["reason"]) == ("passed", None)
    assert parsed["metrics"]["throughput"]["value"] == 479.55
    assert parsed["settings"]["scenario"] == "SingleStream"
    invalid = workplace.command("parse", "--parser", "loadgen", "--stdout", "loadgen_offline_invalid.txt")
    assert invalid.exitcode == 1
    assert "INVALID" in json.loads(invalid.out)["reason"]


def test_parse_reads_what_an_entry_asks_for_from_stdout_and_then_stderr(workplace):
    workplace.spec(
        "a: {cmd: x, data: {t: {regexp: 't=(\\d)', reduction_type: final}}}\n"
        "b: {cmd: x, parser: timm_benchmark}\n"
    )
    workplace.script("out", "t=1\n")
    workplace.script("err", "t=2\n")
    spec = ("--spec", "benchmarks.yml", "--benchmark", "a")
    done = workplace.command("parse", *spec, "--stdout", "out", "--stderr", "err")
    assert json.loads(done.out)["metrics"]["t"]["value"] == 2
    failed = workplace.command("parse", *spec, "--stdout", "out", "--exitcode", "3")
    assert failed.exitcode == 1
    assert json.loads(failed.out)["metrics"]["t"]["reason"] == "exited with code 3"
    own = workplace.command("parse", "--benchmark", "b", "--stdout", str(SAMPLES / "timm_benchmark.txt"))
    assert json.loads(own.out)["metrics"]["throughput"]["value"] == 12.55


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stdout", "out"], "name the --parser, or a --spec and --benchmark"),
        (["--parser", "regex", "--stdout", "out"], "name the --parser, or a --spec and --benchmark"),
        (["--parser", "loadgn", "--stdout", "out"], "did you mean loadgen?"),
        (["--parser", "loadgen", "--stdout", "absent"], "absent: cannot be read"),
        (["--parser", "loadgen", "--stdout", "."], "cannot be read"),
        (["--parser", "loadgen", "--stdout", "out", "--stderr", "absent"], "absent: cannot be read"),
        (["--benchmark", "c", "--stdout", "out"], "no such benchmark"),
        (["--benchmark", "*", "--stdout", "out"], "name one entry"),
        (["--parser", "loadgen"], "--stdout"),
    ],
)
def test_a_wrong_request_to_parse_is_refused_with_what_to_do(workplace, arguments, message):
    workplace.spec("a: {cmd: x}\nb: {cmd: x}\n")
    workplace.script("out", "\n")
    done = workplace.command("parse", *arguments)
    assert done.exitcode == 2
    assert message in done.err


@pytest.mark.slow
def test_a_real_benchmark_app_is_read(workplace):
    openvino = pytest.importorskip("openvino")
    program = Path(sys.executable).with_name("benchmark_app")
    if not program.exists():
        pytest.skip("OpenVINO is installed without benchmark_app")
    from openvino import opset13 as ops

    source = ops.parameter([1, 3, 8, 8], dtype=np.float32, name="x")
    openvino.save_model(openvino.Model([ops.relu(source)], [source], "tiny"), "tiny.xml")
    workplace.spec(
        f"app:\n  cmd: '{program} -m tiny.xml -niter 40 -nireq 1 -hint none'\n  parser: benchmark_app\n"
    )
    done = workplace.benchmark()
    record = done.by_variant["app"]
    assert record["status"] == "passed", record["reason"]
    metrics = record["metrics"]
    assert metrics["iterations"]["value"] == 40
    assert (
        0 < metrics["latency_min"]["value"] <= metrics["latency"]["value"] <= metrics["latency_max"]["value"]
    )
    in_flight = metrics["throughput"]["value"] * metrics["latency"]["value"] / 1000
    assert 0 < in_flight < 1.5  # one request at a time, so the figures must fit each other
    assert record["settings"]["Model batch size"] == "1"
    assert record["software"]["reported"]["openvino"].startswith(openvino.__version__.split("-")[0])
