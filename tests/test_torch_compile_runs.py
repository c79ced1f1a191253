"""torch-compile through the driver, with the options that reach into what is compiled."""

import json
import re
from pathlib import Path

import pytest

from tests.cores import two_cores
from tests.report_lines import figure

pytestmark = pytest.mark.engine

TINY = ["--model", "timm/test_resnet.r160_in1k", "--random-weights", "--backend", "torch-compile"]
SHORT = [*TINY, "--threads", "1", "--iterations", "2", "--warmup", "0"]


def test_eight_bit_synthetic_data_runs_and_is_profiled_kernel_by_kernel(driver, tmp_path: Path) -> None:
    flags = ["--data", "synthetic", "--eight-bit-io", "--profile", "--profile-path", str(tmp_path)]
    code, out, err = driver(*SHORT, *flags)
    assert code == 0, err
    report, line, table = out.partition("\nProfile of 10 micro-batches in separate host calls")
    assert line
    assert figure(report, "backend").startswith("torch-compile ")
    assert figure(report, "backend_requested") == "torch-compile"
    assert figure(report, "data_mode") == "synthetic"
    assert figure(report, "eight_bit_io") == "true"
    assert figure(report, "normalization_location") == "ipu"
    assert figure(report, "threads") == "1"
    assert figure(report, "samples") == "2"
    rows = re.findall(r"^\t.* +[\d.]+ +([\d.]+)%$", table, re.MULTILINE)
    assert len(rows) == 11
    assert [float(share) for share in rows[:10]] == sorted(map(float, rows[:10]), reverse=True)
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert len([event for event in events if event["ph"] == "X"]) >= 10


@two_cores
def test_stages_are_compiled_each_with_its_own_threads(driver) -> None:
    flags = ["--data", "generated", "--pipeline-splits", "layer3", "--device-iterations", "4"]
    code, out, err = driver(*SHORT, *flags)
    assert code == 0, err
    assert figure(out, "backend").startswith("torch-compile ")
    assert figure(out, "stages") == "2"
    assert figure(out, "threads_per_stage") == "1, 1"
    assert figure(out, "stage_cores").count(";") == 1
    assert figure(out, "latency_samples") == "8"
