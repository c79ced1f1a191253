"""Each option of the command line has the effect that its help promises."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples_utils.conftest import FIGURES

TAGGED = "a: {cmd: echo a, tags: [quick, cpu]}\nb: {cmd: echo b, tags: [quick, slow]}\nc: {cmd: echo c}\n"


def names(done) -> list[str]:
    return [
        line.split("::")[1].split()[0]
        for line in done.out.splitlines()
        if re.match(r"(PASSED|FAILED|SKIPPED) ", line)
    ]


def test_help_and_list_import_neither_torch_nor_anything_heavy():
    code = (
        "import sys; from examples_utils.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'yaml', 'rich', 'jsonschema', 'psutil', 'junitparser'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--tag", "quick"], ["a", "b"]),
        (["--tag", "cpu", "slow"], ["a", "b"]),
        (["--exclude-tag", "slow"], ["a", "c"]),
        (["--tag", "quick", "--exclude-tag", "slow"], ["a"]),
        (["--benchmark", "c", "a"], ["c", "a"]),
        (["--benchmark", "[ab]"], ["a", "b"]),
    ],
)
def test_benchmarks_are_chosen_by_name_and_tag(workplace, arguments, expected):
    workplace.spec(TAGGED)
    assert names(workplace.benchmark(*arguments)) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--benchmark", "aa"], "no such benchmark; did you mean a?"),
        (["--tag", "quik"], "did you mean quick?"),
        (["--tag", "none"], "known: "),
        (["--tag", "cpu", "--exclude-tag", "quick"], "leave no benchmark"),
        (["--requirements-file", "absent.txt"], "--requirements-file"),
        (["--custom-metrics-files", "absent.py"], "absent.py: no such file"),
        (["--upload-checkpoints"], "checkpoints are not uploaded"),
        (["--upload-checkpoints", "wandb"], "wandb artifact put"),
        (["--upload-checkpoints", "wandb", "s3"], "aws s3 cp"),
        (["--remove-dirs-after"], "no selected command starts on other hosts"),
        (["--remove-dirs-after", "--no-code-sync"], "nothing is copied"),
        (["--repeat", "0"], "whole number from 1"),
        (["--timeout", "-3"], "number of seconds above 0"),
        (["--timeout", "nan"], "number of seconds above 0"),
        (["--logging", "LOUD"], "choose from"),
        (["--log-dir", "benchmarks.yml"], "cannot be created"),
        (["--resume", "nowhere"], "--resume"),
    ],
)
def test_a_wrong_request_is_refused_with_what_to_do(workplace, arguments, message):
    workplace.spec(TAGGED)
    done = workplace.command("benchmark", *arguments)
    assert done.exitcode == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (workplace.folder / "logs").exists()


def test_specs_are_found_by_pattern_and_in_folders(workplace, tmp_path):
    (tmp_path / "suite").mkdir()
    workplace.spec("a: {cmd: echo a}\n", "suite/one.yml")
    workplace.spec("b: {cmd: echo b}\n", "suite/two.yaml")
    workplace.spec("resnet50: {micro_batch_size: 4}\n", "suite/configs.yml")
    assert names(workplace.benchmark("--spec", "suite")) == ["a", "b"]
    assert names(workplace.benchmark("--spec", str(tmp_path / "su*/*.y*ml"), "--benchmark", "b")) == ["b"]
    assert workplace.benchmark().exitcode == 2  # there is no ./benchmarks.yml


@pytest.mark.slow
def test_convergence_tests_run_only_when_asked_for(workplace):
    workplace.spec("a: {cmd: echo a}\na_conv: {cmd: echo conv}\n")
    assert names(workplace.benchmark()) == ["a"]
    assert names(workplace.benchmark("--include-convergence")) == ["a", "a_conv"]
    assert names(workplace.benchmark("--benchmark", "a_conv")) == ["a_conv"]


def test_datasets_dir_is_expanded_in_what_runs_and_named_in_the_record(workplace, monkeypatch):
    workplace.spec("real: {cmd: echo $DATASETS_DIR/x}\n")
    monkeypatch.setenv("DATASETS_DIR", "/data")
    done = workplace.benchmark()
    assert (done.log / "real" / "stdout.log").read_text() == "/data/x\n"
    assert done.by_variant["real"]["command"] == "echo $DATASETS_DIR/x"


def test_each_profiled_variant_has_its_own_folder_for_the_report(workplace, monkeypatch):
    monkeypatch.setenv("POPLAR_ENGINE_OPTIONS", '{"opt.x": "1", "autoReport.directory": "/elsewhere"}')
    workplace.spec("a: {cmd: 'printenv POPLAR_ENGINE_OPTIONS', parameters: {b: '1,2'}}\n")
    done = workplace.benchmark("--profile", "--repeat", "2")
    reports = set()
    for variant, record in done.by_variant.items():
        for repetition in record["repetitions"]:
            out = Path(repetition["log_paths"]["out"])
            options = json.loads(out.read_text())
            assert options["autoReport.directory"] == str(out.parent / f"{variant}_profile")
            assert (options["opt.x"], options["autoReport.all"]) == ("1", "true")
            stored = json.loads((out.parent / "variant_result.json").read_text())
            assert json.loads(stored["env"]["POPLAR_ENGINE_OPTIONS"]) == options
            reports.add(options["autoReport.directory"])
    assert len(reports) == 4
    dry = workplace.benchmark("--profile", "--repeat", "2", "--dry-run")
    assert all(f'"autoReport.directory": "{report}"' in dry.out for report in reports)


@pytest.mark.slow
def test_our_own_driver_writes_its_profile_into_the_same_folder_unless_it_names_another(workplace):
    workplace.script("run_benchmark.py", "import sys; print(*sys.argv[1:])\n")
    workplace.spec(
        "a: {cmd: python3 run_benchmark.py}\nb: {cmd: python3 run_benchmark.py --profile-path=mine}\n"
        "c: {cmd: cd . && python3 ./run_benchmark.py, shell: true}\n"
    )
    done = workplace.benchmark("--profile")
    files = {name: Path(record["log_paths"]["out"]) for name, record in done.by_variant.items()}
    assert {name: file.read_text() for name, file in files.items()} == {
        "a": f"--profile --profile-path {files['a'].parent / 'a_profile'}\n",
        "b": "--profile-path=mine --profile\n",
        "c": "\n",
    }


@pytest.mark.parametrize("options", ["{", "[1]", "autoReport.all=true"])
def test_engine_options_that_are_not_json_fail_a_profiled_variant_and_no_other(workplace, options):
    workplace.spec(f"a: {{cmd: echo a, env: {{POPLAR_ENGINE_OPTIONS: '{options}'}}}}\nb: {{cmd: echo b}}\n")
    done = workplace.benchmark("--profile")
    assert "not a mapping in JSON" in done.by_variant["a"]["reason"]
    assert done.by_variant["b"]["status"] == "passed"


@pytest.mark.slow
def test_repeat_goes_round_robin_and_the_record_holds_every_repetition(workplace):
    workplace.script(
        "next.sh", 'echo $1 >> order; n=$(wc -l < order); echo "throughput: $n samples/sec latency: 1 ms"\n'
    )
    workplace.spec(f"r:\n  cmd: sh next.sh {{v}}\n  parameters: {{v: 'x,y'}}{FIGURES}")
    done = workplace.benchmark("--repeat", "3")
    assert (workplace.folder / "order").read_text().split() == ["x", "y"] * 3
    record = done.by_variant["r_v_x"]
    figures = [repetition["results"]["throughput"]["mean"] for repetition in record["repetitions"]]
    assert figures == [1, 3, 5]
    assert record["results"]["throughput"] == {"mean": 3}
    assert (done.log / "r_v_x/repetition_2/stdout.log").exists()


def test_a_variant_with_one_failed_repetition_has_failed_and_keeps_the_others_figures(workplace):
    workplace.script(
        "once.sh", "echo x >> n; [ $(wc -l < n) != 2 ] && echo 'throughput: 8 samples/sec latency: 1 ms'\n"
    )
    workplace.spec(f"r:\n  cmd: sh once.sh{FIGURES}")
    record = workplace.benchmark("--repeat", "3").by_variant["r"]
    assert (record["status"], record["exitcode"]) == ("failed", 1)
    assert [repetition["status"] for repetition in record["repetitions"]] == ["passed", "failed", "passed"]
    assert record["results"]["throughput"] == {"mean": 8}


@pytest.mark.slow
def test_shuffle_is_another_order_that_the_seed_decides(workplace):
    workplace.spec("s: {cmd: 'echo {n}', parameters: {n: '1,2,3,4,5,6,7,8'}}\n")
    orders = [names(workplace.benchmark("--shuffle", seed)) for seed in ("1", "1", "2")]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[2]) == [f"s_n_{n}" for n in range(1, 9)]


@pytest.mark.slow
def test_stop_on_error_leaves_the_rest_and_every_file_says_so(workplace):
    workplace.spec("a: {cmd: 'false'}\nb: {cmd: 'echo {n}', parameters: {n: '1,2'}}\n")
    done = workplace.benchmark("--stop-on-error")
    assert done.exitcode == 1
    assert {name: record["status"] for name, record in done.by_variant.items()} == {
        "a": "failed",
        "b_n_1": "not run",
        "b_n_2": "not run",
    }
    assert "NOT RUN b::b_n_1\nNOT RUN b::b_n_2\nFAILED a::a" in done.out
    assert "1 failed, 2 not run" in done.out
    rows = list(csv.DictReader((done.log / "benchmark_results.csv").open()))
    assert [row["status"] for row in rows] == ["failed", "not run", "not run"]
    assert 'skipped message="not run: ' in (done.log / "benchmark_results.xml").read_text()
    assert "1 failed, 2 not run" in workplace.command("collect", str(done.log)).out
    assert workplace.command("benchmark", "--resume", str(done.log)).exitcode == 1
    assert "1 failed, 2 passed" in workplace.command("collect", str(done.log)).out


def test_a_csv_metric_that_no_chosen_benchmark_has_is_told(workplace):
    workplace.spec(f"a:\n  cmd: 'echo \"throughput: 7 samples/sec latency: 2 ms\"'{FIGURES}")
    done = workplace.benchmark("--csv-metrics", "latency", "throughputs")
    assert done.exitcode == 0
    assert "--csv-metrics throughputs: no chosen benchmark has this metric" in done.out
    assert "did you mean throughput?" in done.out
    assert "csv-metrics latency" not in done.out


def test_additional_and_csv_metrics_shape_the_files(workplace):
    workplace.spec(f"a:\n  cmd: 'echo \"throughput: 7 samples/sec latency: 2 ms\"'\n  env: {{X: y}}{FIGURES}")
    done = workplace.benchmark("--additional-metrics", "--csv-metrics", "latency", "throughput")
    row = next(csv.DictReader((done.log / "benchmark_results.csv").open()))
    assert list(row)[6:] == [
        "latency",
        "throughput",
        "test_duration",
        "result",
        "cmd",
        "env",
        "git_commit_hash",
    ]
    assert (row["latency"], row["result"]) == ("2.0", "True")
    again = workplace.command("collect", str(done.log))
    assert again.by_variant["a"]["results"]["result"] == {"result": "True"}


def test_compile_only_reads_no_figures(workplace):
    workplace.spec(
        f"a:\n  cmd: echo{FIGURES}  derived: {{d: {{expr: latency * 2}}}}\ns: {{cmd: echo, shell: true}}\n"
    )
    done = workplace.benchmark("--compile-only")
    assert done.exitcode == 0
    assert Path(done.by_variant["a"]["log_paths"]["out"]).read_text() == "--compile-only\n"
    assert done.by_variant["a"]["results"] == {"total_compiling_time": {"mean": None}}
    assert done.by_variant["s"]["status"] == "skipped"


def test_logging_sets_what_is_shown_and_the_levels_of_poplar(workplace):
    workplace.spec("a: {cmd: printenv POPLAR_LOG_LEVEL}\n")
    assert "results go to" in workplace.benchmark("--logging", "INFO").out
    done = workplace.benchmark("--logging", "ERROR")
    assert "results go to" not in done.out
    assert Path(done.by_variant["a"]["log_paths"]["out"]).read_text() == "ERR\n"


def test_progress_trace_says_that_a_command_still_runs(workplace):
    workplace.script(
        "wait.sh", f"while ! grep -q 'still running' {workplace.log}/console.log; do sleep 0.05; done\n"
    )
    workplace.spec("a: {cmd: sh wait.sh, timeout: 300}\n")
    assert workplace.benchmark("--progress-trace-period", "0.2").exitcode == 0


def test_wandb_that_is_allowed_need_not_be_installed_in_the_runner(workplace, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    workplace.spec("a: {cmd: echo --wandb}\n")
    assert Path(workplace.benchmark().by_variant["a"]["log_paths"]["out"]).read_text() == "\n"
    done = workplace.benchmark("--allow-wandb")
    assert Path(done.by_variant["a"]["log_paths"]["out"]).read_text() == "--wandb\n"


def test_the_default_log_folder_is_a_fresh_one(workplace):
    workplace.spec("a: {cmd: echo a}\n")
    for _ in range(2):
        assert workplace.command("benchmark").exitcode == 0
    folders = sorted((workplace.folder / "logs").iterdir())
    assert len(folders) == 2
    assert all((folder / "benchmark_results.json").exists() for folder in folders)


def test_dry_run_shows_the_commands_and_runs_none(workplace):
    workplace.spec("a: {cmd: 'touch ran_{n}', parameters: {n: '1,2'}, timeout: 5, env: {X: y}}\n")
    done = workplace.benchmark("--dry-run")
    assert done.exitcode == 0
    assert "touch ran_2    # for at most 5 s" in done.out
    assert "X=y" in done.out
    assert not list(workplace.folder.glob("ran_*"))
    assert not workplace.log.exists()


def test_list_shows_a_tree_and_the_same_as_json_and_yaml(workplace):
    workplace.spec(
        "a: {cmd: 'echo {n}', parameters: {n: '1,2'}, tags: [quick], requires: [cuda]}\nb: {cmd: echo}\n"
    )
    tree = workplace.command("list").out
    assert tree.splitlines()[:4] == ["a  [quick]", "  needs cuda", "  a_n_1", "    echo 1"]
    listed = json.loads(workplace.command("list", "--format", "json").out)
    assert listed[1] == {
        "benchmark": "a", "variant": "a_n_2", "params": {"n": "2"}, "command": "echo 2", "tags": ["quick"],
        "requires": ["cuda"],
    }  # fmt: skip
    assert yaml.safe_load(workplace.command("list", "--format", "yaml").out) == listed


TEXTS = st.text(st.characters(min_codepoint=32, blacklist_categories=["Cs"]), max_size=12)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), TEXTS, min_size=1, max_size=3))
def test_a_yaml_listing_says_the_same_as_the_json_listing(workplace, descriptions):
    entries = {f"b_{name}": {"cmd": "echo", "parameters": [["v"], [text]], "tags": [text + "t"]}
               for name, text in descriptions.items() if "option" not in name}  # fmt: skip
    workplace.spec(yaml.safe_dump(entries | {"one": {"cmd": "x"}}, allow_unicode=True))
    listed = json.loads(workplace.command("list", "--format", "json").out)
    assert yaml.safe_load(workplace.command("list", "--format", "yaml").out) == listed


def test_requirements_that_are_met_run_and_others_say_what_is_missing(workplace):
    workplace.spec(
        "ok: {cmd: 'true', requires: ['python>=3.10', 'cores>=1', 'memory>=1MiB', sh, json]}\n"
        "no: {cmd: 'true', requires: ['python>=9.1', 'cores>=4096', 'memory>=900TiB', ipu, no_such_thing]}\n"
    )
    done = workplace.benchmark()
    assert done.by_variant["ok"]["status"] == "passed"
    reason = done.by_variant["no"]["reason"]
    for missing in ("python>=9.1", "cores>=4096", "memory>=900TiB", "an IPU", "no_such_thing"):
        assert missing in reason
    for name in ("csv", "xml", "json"):
        assert "cores" in (done.log / f"benchmark_results.{name}").read_text()


@pytest.mark.slow
def test_a_triton_server_is_required_by_its_program_or_its_package(tmp_path):
    """Without site-packages there is no package, whatever is installed here."""

    def missing(path: str) -> str:
        code = (
            "from examples_utils.spec.requirements import missing_requirements; "
            "from examples_utils.planning.interpreter import chosen_interpreter; "
            "here = chosen_interpreter(None, {}); "
            f"print(missing_requirements(['tritonserver'], {{'PATH': {path!r}}}, here.version, "
            "lambda name: here.has_module(name, {})))"
        )
        root = Path(__file__).parents[3]
        command = [sys.executable, "-S", "-c", code]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout

    assert "requires tritonserver (none on PATH, and no nvidia-pytriton: make setup-triton)" in missing("")
    (tmp_path / "tritonserver").write_text("#!/bin/sh")
    (tmp_path / "tritonserver").chmod(0o755)
    assert missing(str(tmp_path)) == "[]\n"
