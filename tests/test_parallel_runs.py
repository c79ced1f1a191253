"""Replicas and pipelines as users meet them: flags in, report lines, exit codes and no process left behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from driver.data import open_source
from driver.model import build
from measurement.machine import available_cores, cores_in_use
from measurement.settings import resolve
from models import Weights, input_spec
from tests.cores import two_cores
from tests.patience import HANG_S
from tests.report_lines import figure
from tests.terminal import on_a_terminal

pytestmark = [pytest.mark.engine, pytest.mark.processes]

ROOT = Path(__file__).parents[1]
MODEL = "timm/test_efficientnet.r160_in1k"
QUICK = [
    "--model",
    MODEL,
    "--random-weights",
    "--backend",
    "torch",
    "--warmup",
    "0",
    "--micro-batch-size",
    "2",
]
GENERATED = [*QUICK, "--data", "generated"]
TWO = ["--replicas", "2"]


@pytest.fixture
def ready(ready_model: list[str]) -> list[str]:
    return [*ready_model, "--data", "generated", "--warmup", "0"]


@two_cores
class TestReplicas:
    def test_their_host_calls_are_reported_live_and_their_metrics_together(self, ready: list[str]) -> None:
        argv = [sys.executable, "run_benchmark.py", *ready, *TWO, "--iterations", "5", "--threads", "1"]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=HANG_S, check=True)
        for number in (1, 2):
            pattern = (
                rf"^\[replica {number}/2\] Throughput: [\d.]+ imgs/sec; Latency range: [\d.]+\.\.[\d.]+ ms$"
            )
            assert len(re.findall(pattern, done.stdout, re.MULTILINE)) >= 5
        # As specs in the field have them.
        assert len(re.findall(r"throughput: *(.*?) samples\/sec", done.stdout)) == 1
        assert len(re.findall(r"latency avg: *(.*?) ms", done.stdout)) == 1
        assert figure(done.stdout, "num_devices") == "2"
        assert figure(done.stdout, "replicas") == "2"
        assert figure(done.stdout, "threads") == "1"
        assert figure(done.stdout, "host_calls") == "10"
        assert figure(done.stdout, "samples") == "20"
        assert figure(done.stdout, "latency_samples") == "10"
        assert figure(done.stdout, "cores_per_replica") == str(available_cores() // 2)
        assert re.fullmatch(r"\d+ MiB \(sum of 2 replicas\)", figure(done.stdout, "peak_memory"))
        assert done.stdout.count("Running ") == 1
        assert "2 replicas, each with 1 threads" in done.stdout

    def test_a_terminal_shows_one_bar_for_all_after_what_runs(self, ready: list[str]) -> None:
        shown = on_a_terminal([sys.executable, "run_benchmark.py", *ready, *TWO, "--iterations", "3"])
        assert re.search(r"^Running .*device iterations\r$", shown, re.MULTILINE)
        assert "/3 host calls" in shown

    def test_photographs_are_shared_out_and_top1_is_of_all(self, driver, photographs: Path) -> None:
        argv = ["--model", "efficientnet-lite0", "--backend", "torch", "--images", str(photographs)]
        once = ["--micro-batch-size", "12", "--iterations", "1", "--warmup", "0", "--cache-images"]
        code, out, err = driver(*argv, *once, *TWO, "--precision", "32.32")
        assert code == 0, err
        assert figure(out, "samples") == "24"
        right, labelled = map(int, re.findall(r"\((\d+) of (\d+) labelled", figure(out, "top1"))[0])
        assert right >= 0.8 * labelled > 0

    @pytest.mark.parametrize("cache", [True, False])
    def test_no_photograph_is_decoded_by_two_replicas_in_one_pass(
        self, photographs: Path, cache: bool
    ) -> None:
        from datasets.images import find_images

        images = find_images(photographs)
        flags = {"model": MODEL, "cache_images": cache, "micro_batch_size": 4, "backend": "torch"}
        settings = resolve(flags, None, "cpu", "torch")[0]
        pixels = input_spec(MODEL)
        of_rank: list[np.ndarray] = []
        for rank, world_size in ((0, 2), (1, 2), (0, 1)):
            with open_source(settings, pixels, images, "random", rank, world_size) as source:
                calls = 1 if world_size == 2 else 2
                taken = [np.copy(source.next().micro_batches[0]) for _ in range(calls)]
                of_rank.append(np.concatenate(taken))
        first, second, whole = of_rank
        assert np.array_equal(first, whole[0::2])
        assert np.array_equal(second, whole[1::2])

    def test_what_all_refuse_is_reported_once_and_as_one_replica_would(self, driver, tmp_path: Path) -> None:
        weights = tmp_path / "weights.pth"
        weights.write_bytes(b"no checkpoint")
        argv = [*GENERATED, "--no-random-weights", "--weights", str(weights)]
        code, out, err = driver(*argv, *TWO)
        assert code == 2
        assert (code, out, err) == driver(*argv)
        assert str(weights) in err


@two_cores
class TestEnds:
    def test_ctrl_c_ends_all_replicas(self, ready: list[str]) -> None:
        with endless_run(ready) as (process, replicas):
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            out, err = process.communicate(timeout=HANG_S)
            assert process.returncode == 130
            assert "results:" not in out
            assert "Traceback" not in err
            assert all_gone(replicas)

    def test_a_replica_that_crashes_is_named_with_its_engine_and_phase(
        self, ready: list[str], tmp_path: Path
    ) -> None:
        with endless_run(ready, tmp_path) as (process, replicas):
            replicas[1].send_signal(signal.SIGSEGV)
            _, err = process.communicate(timeout=HANG_S)
            assert process.returncode == 1
            crash = (
                r"openvino \S+ ended with signal 11 while running; try --backend onnxruntime, and report it"
            )
            assert re.search(rf"^error: replica [12]/2: {crash}$", err, re.MULTILINE)
            assert all_gone(replicas)

    def test_a_replica_that_is_killed_is_named_and_the_others_end(self, ready: list[str]) -> None:
        with endless_run(ready) as (process, replicas):
            replicas[0].kill()
            out, err = process.communicate(timeout=HANG_S)
            assert process.returncode == 1
            assert re.search(r"^error: replica [12]/2 was killed by SIGKILL", err, re.MULTILINE)
            assert "results:" not in out
            assert "Traceback" not in err
            assert all_gone(replicas)

    def test_no_replica_outlives_a_driver_that_is_killed(self, ready: list[str]) -> None:
        with endless_run(ready) as (process, replicas):
            process.kill()
            assert all_gone(replicas)


@contextmanager
def endless_run(
    argv: list[str], cache: Path | None = None
) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A driver that measures two replicas, and these."""
    process = subprocess.Popen(
        [sys.executable, "run_benchmark.py", *argv, *TWO, "--duration", "600"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, **({"XDG_CACHE_HOME": str(cache)} if cache else {})},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        while "[replica" not in process.stdout.readline():
            assert process.poll() is None
        children = psutil.Process(process.pid).children(recursive=True)
        yield process, [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    finally:
        for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
            child.kill()
        process.kill()
        process.communicate()


def all_gone(replicas: list[psutil.Process]) -> bool:
    assert len(replicas) == 2
    return psutil.wait_procs(replicas, timeout=HANG_S)[1] == []


class TestPipeline:
    @two_cores
    def test_the_stages_and_their_settings_are_in_the_report(self, driver) -> None:
        split = ["--pipeline-splits", "blocks/2", "--device-iterations", "4", "--iterations", "3"]
        code, out, err = driver(*GENERATED, *split, "--threads", "1")
        assert code == 0, err
        assert figure(out, "num_devices") == "2"
        assert figure(out, "stages") == "2"
        assert figure(out, "pipeline_splits") == "blocks/2"
        assert figure(out, "threads_per_stage") == "1, 1"
        assert figure(out, "threads") == "2"
        assert figure(out, "latency_samples") == "12"
        assert "without overlap" not in err

    @two_cores
    def test_one_micro_batch_at_a_time_is_warned_of_in_one_line(self, driver) -> None:
        code, out, err = driver(*GENERATED, "--pipeline-splits", "blocks/2", "--iterations", "1")
        assert code == 0, err
        assert len([line for line in err.splitlines() if "without overlap" in line]) == 1
        assert figure(out, "in_flight") == "1 micro-batches"

    @two_cores
    def test_replicas_may_have_stages_of_their_own(self, driver, monkeypatch: pytest.MonkeyPatch) -> None:
        # As if there were twice the cores, so that it can be run on two: the replicas then share them.
        monkeypatch.setattr("measurement.settings.available_cores", lambda: 4)
        monkeypatch.setattr("driver.replicated.cores_in_use", lambda: cores_in_use()[:2] * 2)
        split = ["--pipeline-splits", "blocks/2", "--device-iterations", "4", "--iterations", "2"]
        code, out, err = driver(*GENERATED, *split, *TWO)
        assert code == 0, err
        assert figure(out, "num_devices") == "4"
        assert figure(out, "samples") == "32"
        assert figure(out, "threads_per_stage") == "1, 1"
        assert "2 replicas, each with 2 stages, 2 threads" in out

    @two_cores
    def test_an_unknown_layer_reports_the_near_names_and_how_to_list_them(self, driver) -> None:
        code, _, err = driver(*GENERATED, "--pipeline-splits", "block/2")
        assert code == 2
        assert re.search(
            r"--pipeline-splits block/2: no such layer. Did you mean blocks/2.*--list-layers", err
        )

    def test_layers_are_listed_one_a_line_and_nothing_else(self, driver) -> None:
        from models.surgery import list_layers

        code, out, _ = driver("--list-layers", "--model", MODEL, "--norm-type", "none")
        assert code == 0
        settings = resolve({"model": MODEL, "norm_type": "none"}, None, "cpu", "torch")[0]
        built = build(settings, Weights("random"))[0]
        assert out.splitlines() == list_layers(built)
        assert {"blocks/0", "blocks/2", "conv_head"} <= set(out.split())


class TestRefusals:
    @pytest.mark.parametrize(
        ("argv", "complaint"),
        [
            (["--replicas", "4096"], "--replicas 4096: each needs a core of its own"),
            (
                ["--pipeline-splits", *[f"blocks/{n}" for n in range(4096)]],
                "4097 stages need a core each",
            ),
            (["--pipeline-splits"], "--pipeline-splits"),
        ],
    )
    def test_what_the_cores_cannot_carry_is_refused_with_its_remedy(
        self, driver, argv: list[str], complaint: str
    ) -> None:
        code, _, err = driver(*GENERATED, *argv)
        assert code == 2
        assert complaint in err

    @two_cores
    def test_compile_only_compiles_one_copy_and_reports_it(self, driver) -> None:
        code, out, err = driver(*GENERATED, *TWO, "--compile-only")
        assert code == 0
        assert "no effect with --compile-only (one copy is compiled): --replicas 2" in err
        assert "compiled:" in out
