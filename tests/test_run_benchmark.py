"""The driver as its users meet it: flags in, report lines and exit codes out."""

import errno
import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from driver.instances.errors import InstanceLost
from driver.instances.group import Alone
from driver.process_result import InstanceResult
from driver.replicated import replica
from measurement.options import parse_flags
from measurement.replica_link import Link
from measurement.settings import resolve
from models import Weights
from tests.cores import two_cores
from tests.fresh_process import FRESH
from tests.patience import HANG_S
from tests.report_lines import figure
from tests.terminal import on_a_terminal

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[1]
QUICK = [
    "--model",
    "mobilenet-v3-small",
    "--random-weights",
    "--iterations",
    "2",
    "--warmup",
    "0",
    "--threads",
    "1",
]


class TestData:
    def test_photographs_are_decoded_during_the_run(self, driver, photographs: Path) -> None:
        code, out, _ = driver(*QUICK, "--data", "real", "--images", str(photographs), "--backend", "torch")
        assert code == 0
        assert figure(out, "samples") == "2"
        assert figure(out, "data_mode") == "real"
        assert figure(out, "num_ipus") == "0"
        assert figure(out, "weights") == "random"
        assert "top1" not in out  # random weights have none
        assert float(figure(out, "time_share_between_host_calls").rstrip("%")) < 100

    def test_photographs_can_be_decoded_before(self, driver, photographs: Path) -> None:
        code, out, _ = driver(*QUICK, "--images", str(photographs), "--cache-images", "--backend", "torch")
        assert code == 0
        assert figure(out, "time_share_decode_wait") == "0.0%"
        assert "between_host_calls" not in out

    @pytest.mark.parametrize("data", ["generated", "synthetic"])
    def test_no_images_are_needed_for_generated_data(self, driver, ready_model: list[str], data: str) -> None:
        code, out, _ = driver(*QUICK, *ready_model, "--data", data, "--device-iterations", "3")
        assert code == 0
        assert figure(out, "samples") == "12"
        assert figure(out, "latency_samples") == "6"

    def test_top1_is_reported_for_labelled_photographs_and_real_weights(
        self, driver, photographs: Path
    ) -> None:
        argv = ["--model", "efficientnet-lite0", "--images", str(photographs), "--micro-batch-size", "20"]
        code, out, _ = driver(
            *argv,
            "--iterations",
            "1",
            "--warmup",
            "0",
            "--precision",
            "32.32",
            "--backend",
            "torch",
            "--threads",
            "1",
        )
        assert code == 0
        right, labelled = re.findall(r"\((\d+) of (\d+) labelled images\)", figure(out, "top1"))[0]
        assert int(right) >= int(labelled) - 1 >= 5


class TestSettings:
    def test_the_command_of_the_first_page_works_as_written(self, driver, photographs: Path) -> None:
        command = "--data real --replicas 1 --micro-batch-size 1 --model resnet18 --device-iteration 1"
        extra = ["--iterations", "2", "--random-weights", "--images", str(photographs), "--backend", "torch"]
        code, out, _ = driver(*command.split(), *extra)
        assert code == 0
        assert out.count("Throughput: ") == 2
        assert "resnet18 results:" in out

    def test_a_configuration_is_taken_with_its_overrides_for_the_cpu(self, driver) -> None:
        argv = [
            "--config",
            "efficientnet-b0-g16-gn",
            "--data",
            "generated",
            "--iterations",
            "1",
            "--backend",
            "torch",
        ]
        code, out, err = driver(*argv, "--micro-batch-size", "1", "--warmup", "0")
        assert code == 0
        assert figure(out, "configuration") == "efficientnet-b0-g16-gn"
        assert figure(out, "eight_bit_io") == "true"
        assert (
            figure(out, "micro_batch_size") == "1"
        )  # the flag's; the configuration has 106, and 8 for the CPU
        assert figure(out, "device_iterations") == "8"  # the override's; the configuration has 128
        assert "no effect on cpu (IPU only): --half-partial, --enable-fast-groupnorm" in err

    def test_help_is_grouped_and_names_units(self, driver) -> None:
        code, out, _ = driver("--help")
        assert code == 0
        assert "backend and engine:" in out
        assert "--duration SECONDS" in out


class TestRefusals:
    @pytest.mark.parametrize(
        ("argv", "complaint"),
        [
            (["--model", "resnet51"], "Did you mean resnet50"),
            (["--backend", "openvin"], "did you mean openvino"),
            (["--config", "resnet5"], "did you mean resnet50"),
            (["--micro-batch-size", "0"], "--micro-batch-size: 0 is too small"),
            (["--micro-batch-size", "many"], "--micro-batch-size: 'many' is not a whole number"),
            (["--weights", "no/such/file.pth"], "--weights no/such/file.pth"),
            (["--replicas", "1000"], "--replicas 1000"),
            (
                ["--model", "resnet18", "--efficientnet-group-dim", "16", "--data", "generated"],
                "--efficientnet-group-dim",
            ),
            (["--images", "/no/such/folder"], "/no/such/folder"),
            (["--labels", "/no/such/labels.csv"], "/no/such/labels.csv"),
        ],
    )
    def test_a_wrong_request_names_the_flag_and_ends_with_2(
        self, driver, photographs: Path, argv: list[str], complaint: str
    ) -> None:
        images = [] if "--images" in argv else ["--images", str(photographs)]
        code, out, err = driver(*argv, *images)
        assert code == 2
        assert complaint in err
        assert "throughput:" not in out

    def test_an_empty_folder_of_images_reports_how_to_get_some(self, driver, tmp_path: Path) -> None:
        code, _, err = driver("--images", str(tmp_path))
        assert code == 2
        assert "datasets/get_images.sh" in err

    def test_odd_images_are_decoded_or_skipped_with_one_warning_that_counts_them(
        self, driver, photographs: Path, tmp_path: Path
    ) -> None:
        from PIL import Image

        whole = (photographs / "chelsea.jpg").read_bytes()
        shutil.copy(photographs / "coffee.jpg", tmp_path)
        (tmp_path / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
        with Image.open(photographs / "flower.jpg") as image:
            image.save(tmp_path / "image.png")
            image.convert("CMYK").save(tmp_path / "cmyk.jpg")
            image.convert("L").save(tmp_path / "grey.jpg")
        code, out, err = driver(
            *QUICK, "--micro-batch-size", "4", "--images", str(tmp_path), "--backend", "torch"
        )
        assert code == 0
        assert figure(out, "samples") == "8"
        warnings = [line for line in err.splitlines() if "truncated.jpg" in line]
        assert len(warnings) == 1
        assert warnings[0].startswith("warning: ")
        assert "1" in warnings[0]

    @pytest.mark.parametrize(
        ("micro_batch_size", "needed"), [("10000000", "5607.6 GiB"), ("12500", "7.0 GiB")]
    )
    def test_a_lack_of_memory_reports_how_much_is_needed_and_ends_with_1(
        self, micro_batch_size: str, needed: str
    ) -> None:
        """More than is free, and more than a limit on the process allows."""
        limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (7 * 2**30, 7 * 2**30))"
        argv = ["--model", "resnet18", "--random-weights", "--data", "generated", "--backend", "torch"]
        argv += ["--micro-batch-size", micro_batch_size, "--precision", "32.32"]
        code = f"{limit}; import sys, run_benchmark; sys.exit(run_benchmark.main({argv!r}))"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 1, done.stderr
        assert needed in done.stderr
        assert "--micro-batch-size" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("backend", ["torch", "onnxruntime", "openvino"])
    def test_what_a_configuration_needs_is_reported_whichever_engine_ran_out_of_memory(
        self, backend: str, tmp_path: Path
    ) -> None:
        """A micro-batch of which the pixels fit, and what the layers hand on does not."""
        argv = ["--model", "resnet18", "--random-weights", "--data", "generated", "--backend", backend]
        argv += ["--micro-batch-size", "1200", "--precision", "32.32", "--threads", "1"]
        process = FRESH.Process(target=run_in_six_gib, args=(argv, tmp_path / "err"))
        process.start()
        process.join()
        err = (tmp_path / "err").read_text()
        assert process.exitcode == 1, err
        assert f"{backend} ran out of memory" in err
        # The pooling behind the stem: 64 channels of 112² in, 64 of 56² out, 4 bytes, 1200 images.
        assert "4,594 MiB for input and output of the largest layer" in err

    @pytest.mark.parametrize(
        "argv", [["--micro-batch-size", "1" + "0" * 20], ["--device-iterations", "1" + "0" * 20]]
    )
    def test_absurd_sizes_are_a_lack_of_memory_and_no_traceback(self, driver, argv: list[str]) -> None:
        code, _, err = driver(*QUICK, "--data", "generated", "--backend", "torch", *argv)
        assert code == 1
        assert argv[0] in err
        assert "GiB" in err

    def test_an_engine_that_fails_is_quoted_and_ends_with_1(
        self, driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from backends.torch import TorchBackend

        def broken(*_: object) -> None:
            raise RuntimeError("the device is on fire")

        monkeypatch.setattr(TorchBackend, "compile", broken)
        code, _, err = driver(*QUICK, "--data", "generated", "--backend", "torch")
        assert code == 1
        assert "error: torch failed with RuntimeError: the device is on fire" in err

    @pytest.mark.parametrize("at", ["barrier", "gather"])
    def test_another_instance_that_is_gone_is_not_blamed_on_the_engine(
        self, driver, at: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Torn(Alone):
            def barrier(self) -> None:
                if at == "barrier":
                    raise InstanceLost("instance 2/2 is gone")

            def gather(self, value: Any) -> list[Any]:
                if at == "gather" and isinstance(value, InstanceResult):
                    raise InstanceLost("instance 2/2 is gone")
                return [value]

        monkeypatch.setattr("driver.command.joined", lambda _: nullcontext(Torn()))
        code, _, err = driver(*QUICK, "--data", "generated", "--backend", "torch")
        assert code == 1
        assert "error: instance 2/2 is gone" in err.splitlines()

    def test_the_files_of_a_replica_are_not_blamed_on_its_engine(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_more_files(*_: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr("driver.replicated.open_source", no_more_files)
        flags = parse_flags([*QUICK, "--data", "generated"], "x", "")
        settings = resolve(flags, None, "cpu", "torch")[0]
        parent, _ = multiprocessing.Pipe()
        with pytest.raises(OSError, match="Too many open files"):
            replica(settings, None, Weights("random"), 0, 1, Link(0, 2, parent))


def run_in_six_gib(argv: list[str], err: Path) -> None:
    """A run of the driver in this process, with its errors in a file."""
    import run_benchmark

    resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
    with err.open("w") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    sys.exit(run_benchmark.main(argv))


@pytest.mark.processes
class TestProcess:
    @pytest.fixture
    def command(self, ready_model: list[str]) -> list[str]:
        return [sys.executable, "run_benchmark.py", *ready_model, "--data", "generated"]

    def test_ctrl_c_ends_with_130_and_no_figures(self, command: list[str]) -> None:
        process = subprocess.Popen(
            [*command, "--duration", "600"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        while "Throughput" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=HANG_S)
        assert process.returncode == 130
        assert "results:" not in out
        assert "Traceback" not in err

    @pytest.mark.parametrize(
        ("closed", "code", "message"),
        [(1, 1, "error: stdout is closed, so no results can be printed"), (2, 0, "")],
    )
    def test_a_closed_stream_is_not_blamed_on_the_engine(
        self, command: list[str], closed: int, code: int, message: str
    ) -> None:
        close = f"import os, sys; os.close({closed}); os.execv(sys.argv[1], sys.argv[1:])"
        argv = [sys.executable, "-c", close, *command, "--iterations", "1"]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert message in done.stderr
        assert "failed with" not in done.stdout + done.stderr

    def test_a_reader_that_has_seen_enough_ends_the_run_quietly(self, command: list[str]) -> None:
        process = subprocess.Popen(
            [*command, "--duration", "600"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=HANG_S) == 1
        assert [line for line in process.stderr.read().splitlines() if not line.startswith("warning: ")] == []

    def test_output_that_cannot_be_written_is_reported(self, command: list[str]) -> None:
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1
        assert "error: the output cannot be written: No space left on device" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("replicas", [1, pytest.param(2, marks=two_cores)])
    def test_a_disk_that_fills_up_in_mid_run_is_not_blamed_on_the_engine(
        self, command: list[str], tmp_path: Path, replicas: int
    ) -> None:
        limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
        argv = [*command[2:], "--threads", "1", "--replicas", str(replicas), "--duration", "600"]
        code = f"{limit}; import sys, run_benchmark; sys.exit(run_benchmark.main({argv!r}))"
        with (tmp_path / "out").open("w") as out:
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=ROOT, stdout=out, stderr=subprocess.PIPE, text=True
            )
        assert done.returncode == 1
        assert "error: the output cannot be written: File too large" in done.stderr
        assert "failed" not in done.stderr
        assert (tmp_path / "out").read_text().count("Throughput: ") > 10

    def test_a_pipe_gets_plain_lines_and_a_terminal_a_progress_bar(self, command: list[str]) -> None:
        argv = [*command, "--iterations", "3"]
        piped = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
        assert "\r" not in piped.stdout + piped.stderr
        assert [line for line in piped.stderr.splitlines() if not line.startswith("warning: ")] == []
        assert piped.stdout.count("Throughput: ") == 3
        assert "/3 host calls" in on_a_terminal(argv)
