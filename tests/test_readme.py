"""Every example of the README, and of the driver's page, runs as it is written."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from examples_utils.cli import main as runner
from measurement.options import parse_flags
from tests.pages import ROOT, blocks

README = ROOT / "README.md"
DRIVER_PAGE = ROOT / "docs" / "driver.md"


def commands(page: Path) -> list[str]:
    return [line[2:] for block in blocks(page.read_text(), "console") for line in block.splitlines()]


COMMANDS = commands(README)
DRIVER = [c for c in COMMANDS if c.startswith("python3 run_benchmark.py")]
RUNNER = [c for c in COMMANDS if c.startswith("python3 -m examples_utils")]


def test_there_are_no_other_kinds_of_examples() -> None:
    assert [c for c in COMMANDS if c not in DRIVER + RUNNER] == ["make benchmark", "make test"]
    assert DRIVER
    assert RUNNER


@pytest.mark.parametrize(
    "target",
    [
        *("benchmark", "setup", "test-quick", "test", "test-full", "test-oldest", "lint", "check", "bench"),
        *("setup-triton", "test-serial", "bench-serving"),
    ],
)
def test_the_make_targets_exist(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.engine
@pytest.mark.parametrize("command", [*DRIVER, *commands(DRIVER_PAGE)])
def test_the_drivers_examples_run_as_written(
    command: str,
    driver,
    photographs: Path,
    model_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """In full but for their length, and for the folders that they use."""
    monkeypatch.chdir(ROOT)
    argv = shlex.split(command)[2:]
    given: dict[str, object] = {} if "--help" in argv else parse_flags(argv, "driver", "")
    shorter = ["--iterations", "1", "--warmup", "0", "--threads", "1"]
    if "config" in given:  # whose host calls are long
        shorter += ["--micro-batch-size", "1", "--device-iterations", "1"]
    if "replicas" in given:  # each would export the same model
        request.getfixturevalue("ready_model")
        shorter += ["--micro-batch-size", "2"]
    if given.get("data", "real") == "real":
        shorter += ["--images", str(photographs)]
    if "pipeline_splits" not in given and given.get("backend") != "torch":
        shorter += ["--model-cache-path", str(model_cache)]
    if "profile" in given:
        shorter += ["--profile-path", str(tmp_path)]
    code, out, err = driver(*argv, *shorter)
    assert code == 0, err
    shown = {"--help": "usage:", "--list-layers": "layer3/0", "--compile-only": "compile_time:"}
    assert next((text for flag, text in shown.items() if flag in argv), "throughput:") in out


@pytest.mark.parametrize("command", RUNNER)
def test_the_runners_examples_are_understood(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What they would run; running it is in the runner's own tests."""
    monkeypatch.chdir(ROOT)
    argv = shlex.split(command)[3:]
    if argv[0] == "benchmark":
        argv.append("--dry-run")
    assert runner(argv) == 0
    assert "run_benchmark.py" in capfd.readouterr().out


@pytest.mark.slow
def test_the_example_entry_runs_and_its_figures_are_read(tmp_path: Path) -> None:
    (block,) = blocks(README.read_text(), "yaml")
    (tmp_path / "benchmarks.yml").write_text(block)
    command = [sys.executable, "-m", "examples_utils", "benchmark", "--log-dir", "logs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = yaml.safe_load((tmp_path / "logs" / "benchmark_results.json").read_text())["my_benchmark"]
    assert [variant["results"]["rate"]["mean"] for variant in results] == [1.0, 4.0]


def test_the_results_table_has_the_seven_configurations() -> None:
    spec = yaml.safe_load((ROOT / "benchmarks.yml").read_text())
    quick = [
        name for name, entry in spec.items() if "quick" in entry.get("tags", []) and "options" not in name
    ]
    assert len(quick) == 7
    (table,) = blocks(README.read_text(), "text")
    assert all(name in table for name in quick)
