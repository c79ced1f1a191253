"""Kept models, compiling without running, and profiles, as the driver's users meet them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import HANG_S
from tests.report_lines import figure

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[1]
TINY = ["--model", "timm/test_efficientnet.r160_in1k", "--data", "generated", "--threads", "1"]
QUICK = [*TINY, "--iterations", "2", "--warmup", "0"]
RANDOM = [*QUICK, "--random-weights"]


def started(text: str) -> tuple[str, str]:
    """Whether the model was in the cache, and the seconds that were spent on building it."""
    return figure(text, "model_cache"), figure(text, "build_time")


class TestModelCache:
    @pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
    def test_a_second_start_takes_the_model_from_the_cache_and_builds_nothing(
        self, driver, backend: str, tmp_path: Path
    ) -> None:
        argv = [*RANDOM, "--backend", backend]
        assert figure(driver(*argv)[1], "model_cache") == "off"
        argv += ["--model-cache-path", str(tmp_path / "new" / "cache")]
        assert figure(driver(*argv)[1], "model_cache") == "miss"
        code, out, _ = driver(*argv, "--device-iterations", "2")
        assert code == 0
        assert started(out) == ("hit", "0.00 s")
        assert figure(out, "samples") == "4"

    def test_a_second_start_on_generated_data_loads_neither_torch_nor_timm(
        self, driver, tmp_path: Path
    ) -> None:
        argv = ["--model", "mobilenet-v3-small", *RANDOM[2:], "--backend", "openvino"]
        argv += ["--model-cache-path", str(tmp_path)]
        assert figure(driver(*argv)[1], "model_cache") == "miss"
        code = (
            f"import sys, run_benchmark; run_benchmark.main({argv!r}); "
            "print('loaded:', {'torch', 'torchvision', 'timm'} & set(sys.modules))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert started(done.stdout) == ("hit", "0.00 s")
        assert "loaded: set()" in done.stdout

    def test_the_content_of_a_weights_file_distinguishes_models_and_its_name_does_not(
        self, driver, tmp_path: Path
    ) -> None:
        from safetensors.torch import save_file

        from models import build_model

        names = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
        for seed, path in enumerate(names):
            module = build_model(TINY[1], weights="random", seed=seed).module
            save_file(module.state_dict(), path)
        argv = [*QUICK, "--backend", "onnxruntime", "--model-cache-path", str(tmp_path / "cache")]

        def run(weights: Path) -> str:
            return figure(driver(*argv, "--weights", str(weights))[1], "model_cache")

        assert [run(names[0]), run(names[1]), run(names[0])] == ["miss", "miss", "hit"]
        names[0].write_bytes(names[1].read_bytes())
        assert run(names[0]) == "hit"  # of the other one's entry

    def test_two_processes_at_once_share_a_cache(self, driver, tmp_path: Path) -> None:
        cache = tmp_path / "cache"
        argv = [*RANDOM, "--backend", "openvino", "--model-cache-path", str(cache)]
        command = [sys.executable, "run_benchmark.py", *argv]
        both = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for process in both:
            out, err = process.communicate(timeout=HANG_S)
            assert process.returncode == 0, err
            assert "ignored" not in err
            assert figure(out, "model_cache") in ("hit", "miss")
        assert len(list(cache.iterdir())) == 1
        assert started(driver(*argv)[1]) == ("hit", "0.00 s")

    def test_a_broken_file_is_ignored_with_one_warning_and_written_anew(self, driver, tmp_path: Path) -> None:
        argv = [*RANDOM, "--backend", "onnxruntime", "--model-cache-path", str(tmp_path)]
        driver(*argv)
        (path,) = tmp_path.iterdir()
        path.write_bytes(path.read_bytes()[:1000])
        code, out, err = driver(*argv)
        assert code == 0
        assert figure(out, "model_cache") == "miss"
        assert err.count(f"warning: {path} is ignored and rewritten") == 1
        assert figure(driver(*argv)[1], "model_cache") == "hit"

    def test_a_folder_that_cannot_be_written_to_is_refused(self, driver, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        code, out, err = driver(*RANDOM, "--model-cache-path", str(tmp_path / "file" / "cache"))
        assert code == 2
        assert re.search(r"error: --model-cache-path .*: cannot be written to .*; give a folder", err)
        assert "throughput" not in out


class TestCompileOnly:
    def test_the_compile_time_and_the_effective_settings_are_reported_and_no_figures(self, driver) -> None:
        code, out, _ = driver(*RANDOM, "--compile-only", "--backend", "onnxruntime")
        assert code == 0
        assert float(figure(out, "compile_time").removesuffix(" s")) > 0
        assert figure(out, "threads") == "1"
        assert figure(out, "precision_effective") == "float32"
        assert "throughput" not in out.lower()
        assert "latency" not in out.lower().replace("hint: latency", "")

    def test_no_photographs_are_needed(self, driver, tmp_path: Path) -> None:
        argv = [*RANDOM, "--data", "real", "--images", str(tmp_path / "none"), "--backend", "torch"]
        assert driver(*argv, "--compile-only")[0] == 0
        assert driver(*argv)[0] == 2

    def test_it_fills_the_cache_for_a_later_run(self, driver, tmp_path: Path) -> None:
        argv = [*RANDOM, "--backend", "onnxruntime", "--model-cache-path", str(tmp_path)]
        assert figure(driver(*argv, "--compile-only")[1], "model_cache") == "miss"
        assert started(driver(*argv)[1]) == ("hit", "0.00 s")


class TestProfile:
    @pytest.mark.parametrize("backend", ["openvino", "onnxruntime", "torch"])
    def test_the_ten_most_expensive_layers_follow_the_report_and_a_trace_is_written(
        self, driver, backend: str, tmp_path: Path
    ) -> None:
        argv = [*RANDOM, "--backend", backend, "--profile", "--profile-path", str(tmp_path / "profile")]
        code, out, _ = driver(*argv)
        assert code == 0
        report, line, after = out.partition("\nProfile of 10 micro-batches in separate host calls")
        assert line
        assert figure(report, "samples") == "2"  # the profiled host calls are not among the measured ones
        assert report.count("Throughput: ") == 2
        assert "throughput" not in after
        rows = re.findall(r"^\t.* +[\d.]+ +([\d.]+)%$", after, re.MULTILINE)
        assert len(rows) == 11
        assert [float(share) for share in rows[:10]] == sorted(map(float, rows[:10]), reverse=True)
        trace = json.loads((tmp_path / "profile" / "trace.json").read_text())
        assert len([event for event in trace["traceEvents"] if event["ph"] == "X"]) >= 10

    def test_without_a_path_each_run_has_a_folder_of_its_own(
        self, driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        _, out, _ = driver(*RANDOM, "--backend", "torch", "--profile")
        (folder,) = (tmp_path / "profile").iterdir()
        assert re.fullmatch(r"timm-test_efficientnet\.r160_in1k-torch-[\d.-]+", folder.name)
        assert f"trace: {(folder / 'trace.json').relative_to(tmp_path)}" in out

    def test_a_trace_that_cannot_be_written_is_named_and_not_blamed_on_the_engine(
        self, driver, tmp_path: Path
    ) -> None:
        (tmp_path / "trace.json").mkdir()
        code, out, err = driver(*RANDOM, "--backend", "torch", "--profile", "--profile-path", str(tmp_path))
        assert code == 1
        assert f"error: {tmp_path / 'trace.json'}: Is a directory" in err.splitlines()
        assert figure(out, "samples") == "2"  # the measurement is not lost

    def test_a_path_without_profile_is_reported_to_have_no_effect(self, driver, tmp_path: Path) -> None:
        _, _, err = driver(*RANDOM, "--backend", "torch", "--profile-path", str(tmp_path / "profile"))
        assert "warning: no effect without --profile: --profile-path" in err
        assert not (tmp_path / "profile").exists()


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--profile", "--compile-only"], "--profile and --compile-only are mutually exclusive"),
        (["--profile", "--replicas", "2"], "--profile with --replicas 2"),
        (["--profile", "--pipeline-splits", "blocks/2"], "--profile with --pipeline-splits blocks/2"),
        (
            ["--model-cache-path", "cache", "--pipeline-splits", "blocks/2"],
            "--model-cache-path with --pipeline-splits blocks/2",
        ),
        (["--profile", "--profile-path", "/dev/null/profile"], "--profile-path /dev/null/profile"),
        (["--profile", "--profile-path", "/proc"], "--profile-path /proc: cannot be written to"),
    ],
)
def test_what_cannot_work_is_refused_with_flag_and_value(
    driver, argv: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = driver(*TINY, "--random-weights", "--backend", "torch", *argv)
    assert code == 2
    assert complaint in err
    assert "throughput" not in out
    assert not list(tmp_path.iterdir())
