"""Command lines for IPUs as users type them, one of them as a process of its own.

They are shortened where the double would take minutes on a CPU: --config resnet50 is for 200 host calls of 11,520
images. Those on synthetic data and for compiling alone are as written.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import blocks
from tests.poptorch_double import Ipus
from tests.report_lines import figure

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]


def test_io_tiles(driver, ipus: Ipus) -> None:
    shortened = "--iterations 2 --micro-batch-size 1 --device-iterations 2 --warmup 0"
    words = f"--config resnet50 --num-io-tiles 64 --dataloader-worker 16 --data generated {shortened}"
    code, out, err = driver(*words.split())
    assert code == 0, err
    options = ipus.the("compile")["options"]
    assert (options["num_io_tiles"], options["execution"]) == (64, "sharded")
    assert figure(out, "data_type") == "torch.float16"
    assert "no effect with --data generated (real data only): --dataloader-worker" in err


def test_pipeline_splits_on_synthetic_data(driver, ipus: Ipus) -> None:
    words = "--model resnet18 --pipeline-splits layer3/0 --device-iterations 4 --data synthetic"
    code, out, err = driver(*words.split())
    assert code == 0, err
    assert ipus.the("compile")["blocks"] == {"layer3.0": 1}
    assert ipus.the("compile")["options"]["synthetic_data"]
    assert figure(out, "num_ipus") == "2"
    assert figure(out, "host_calls") == "100"


@pytest.mark.processes
def test_compile_only(ipus: Ipus, tmp_path: Path) -> None:
    argv = [sys.executable, str(ROOT / "run_benchmark.py"), "--compile-only", "--random-weights"]
    environment = {**os.environ, **ipus.environment}
    done = subprocess.run(argv, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert ipus.the("compile")["options"]["offline_target"] == 2
    assert not ipus.events("call")
    assert figure(done.stdout, "num_ipus") == "1"


def examples() -> list[str]:
    page = (ROOT / "docs" / "ipu.md").read_text()
    (block,) = blocks(page, "console")
    return [line.removeprefix("$ python3 run_benchmark.py ") for line in block.splitlines()]


def test_the_pages_compilation_needs_no_ipu(driver, ipus: Ipus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POPTORCH_DOUBLE_IPUS", "0")
    (words,) = [words for words in examples() if "--compile-only" in words]
    code, out, err = driver(*words.split(), "--random-weights", "--model", "mobilenet-v3-small")
    assert (code, err) == (0, "")
    assert ipus.the("compile")["options"]["offline_target"] == 2
    assert "compiled:" in out


@pytest.mark.parametrize("words", examples())
def test_the_pages_examples_run_in_short(
    words: str, driver, photographs: Path, ipus: Ipus, tmp_path: Path
) -> None:
    """With fewer and smaller host calls, a random MobileNet, and folders of the test's own."""
    argv = [*words.split(), "--iterations", "1", "--warmup", "0", "--random-weights"]
    argv += ["--micro-batch-size", "2", "--device-iterations", "4", "--dataloader-worker", "1"]
    if "--pipeline-splits" not in argv and "group" not in argv:
        argv += ["--model", "mobilenet-v3-small"]
    if "--data" not in argv:
        argv += ["--images", str(photographs)]
    if "--dataloader-rebatch-size" in argv:
        argv += ["--dataloader-rebatch-size", "3"]
    if "--profile" in argv:
        argv += ["--profile-path", str(tmp_path)]
    code, out, err = driver(*argv)
    assert code == 0, err
    half = figure(out, "data_type") == "torch.float16"
    assert half == ("32.32" not in argv)
    assert ("compiled:" if "--compile-only" in argv else "throughput:") in out
