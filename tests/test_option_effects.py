"""Every option has an effect: the tests of those that have no better place, and where the others are tested."""

import ast
import csv
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmark_parsers.driver import DriverParser
from driver.data import images_of, open_source
from driver.model import build, compiled_model, example_batch, weights_of
from measurement.options import OPTIONS, parse_flags
from measurement.settings import Settings, resolve
from models import Weights, input_spec
from tests.report_lines import figure

ROOT = Path(__file__).parents[1]

# option -> the test that shows what it does
EFFECTS = {
    "config": "tests/test_run_benchmark.py::test_a_configuration_is_taken_with_its_overrides_for_the_cpu",
    "model": "tests/test_option_effects.py::test_the_model_that_is_named_is_built",
    "weights": "tests/models/test_model_weights.py::test_a_saved_model_is_read_back",
    "random_weights": "tests/test_run_benchmark.py::test_photographs_are_decoded_during_the_run",
    "norm_type": "tests/test_option_effects.py::test_norms_are_as_asked",
    "norm_eps": "tests/test_option_effects.py::test_norms_are_as_asked",
    "norm_num_groups": "tests/test_option_effects.py::test_norms_are_as_asked",
    "batchnorm_momentum": "tests/test_option_effects.py::test_norms_are_as_asked",
    "efficientnet_expand_ratio": "tests/test_option_effects.py::test_blocks_are_as_asked",
    "efficientnet_group_dim": "tests/test_option_effects.py::test_blocks_are_as_asked",
    "input_image_padding": "tests/test_option_effects.py::test_images_and_model_are_padded_to_four_channels",
    "list_layers": "tests/test_parallel_runs.py::test_layers_are_listed_one_a_line_and_nothing_else",
    "data": "tests/test_option_effects.py::test_the_kind_of_data_selects_what_is_handed_over",
    "images": "tests/test_option_effects.py::test_images_and_labels_are_those_that_are_named",
    "labels": "tests/test_option_effects.py::test_images_and_labels_are_those_that_are_named",
    "cache_images": "tests/test_option_effects.py::test_cached_images_are_decoded_before_and_by_nobody_later",
    "dataloader_worker": "tests/test_option_effects.py::test_so_many_workers_decode",
    "dataloader_rebatch_size": "tests/test_option_effects.py::test_a_worker_takes_so_many_successive_images",
    "normalization_location": "tests/test_option_effects.py::test_pixels_are_normalised_where_it_is_asked_for",
    "eight_bit_io": "tests/test_option_effects.py::test_pixels_are_normalised_where_it_is_asked_for",
    "micro_batch_size": "tests/test_run_benchmark.py::test_no_images_are_needed_for_generated_data",
    "device_iterations": "tests/test_run_benchmark.py::test_no_images_are_needed_for_generated_data",
    "replicas": "tests/test_parallel_runs.py::test_their_host_calls_are_reported_live_and_their_metrics_together",
    "pipeline_splits": "tests/test_parallel_runs.py::test_the_stages_and_their_settings_are_in_the_report",
    "iterations": "tests/measurement/test_loop_and_report.py::"
    "test_warm_up_and_the_first_two_host_calls_are_in_no_figure",
    "duration": "tests/measurement/test_loop_and_report.py::"
    "test_a_duration_ends_the_run_after_the_host_call_that_fills_it",
    "warmup": "tests/measurement/test_loop_and_report.py::"
    "test_warm_up_and_the_first_two_host_calls_are_in_no_figure",
    "compile_only": "tests/test_artefacts.py::"
    "test_the_compile_time_and_the_effective_settings_are_reported_and_no_figures",
    "profile": "tests/test_artefacts.py::"
    "test_the_ten_most_expensive_layers_follow_the_report_and_a_trace_is_written",
    "profile_path": "tests/test_artefacts.py::"
    "test_the_ten_most_expensive_layers_follow_the_report_and_a_trace_is_written",
    "precision": "tests/backends/test_contract.py::test_the_precision_really_used_is_reported",
    "backend": "tests/test_option_effects.py::test_the_backend_that_is_named_runs",
    "device": "tests/backends/test_registry.py::test_auto_on_cuda_never_falls_back_to_the_cpu",
    "threads": "tests/backends/test_contract.py::test_threads_are_as_asked_and_one_a_core_else",
    "streams": "tests/test_option_effects.py::test_so_many_streams_compute_concurrently",
    "model_cache_path": "tests/test_artefacts.py::"
    "test_a_second_start_takes_the_model_from_the_cache_and_builds_nothing",
}

SMALL = ["--model", "timm/test_efficientnet.r160_in1k", "--random-weights", "--data", "generated"]


@pytest.mark.slow
def test_every_option_that_works_here_has_a_test_of_its_effect() -> None:
    assert set(EFFECTS) == {option.key for option in OPTIONS if not option.ipu_only}
    for key, place in EFFECTS.items():
        file, _, test = place.partition("::")
        assert test in names_of_tests(ROOT / file), f"{key}: {place}"


def names_of_tests(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}


def settings_of(*argv: str) -> Settings:
    return resolve(parse_flags(argv, "x", ""), None, "cpu", "torch")[0]


def built(*argv: str) -> nn.Module:
    return build(settings_of(*argv), Weights("random"))[0]


def layers_of(module: nn.Module, kind: type[nn.Module]) -> list[Any]:
    return [layer for layer in module.modules() if isinstance(layer, kind)]


@pytest.mark.engine
class TestModel:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [("resnet18", "ResNet"), ("mobilenet", "EfficientNet"), ("timm/test_vit", "VisionTransformer")],
    )
    def test_the_model_that_is_named_is_built(self, name: str, kind: str) -> None:
        assert type(built("--model", name)).__name__ == kind

    def test_norms_are_as_asked(self) -> None:
        usual = layers_of(built(), nn.BatchNorm2d)
        assert {(norm.eps, norm.momentum) for norm in usual} == {(1e-5, 0.1)}
        changed = layers_of(built("--norm-eps", "1e-3", "--batchnorm-momentum", "0.3"), nn.BatchNorm2d)
        assert {(norm.eps, norm.momentum) for norm in changed} == {(1e-3, 0.3)}
        group = layers_of(
            built("--norm-type", "group", "--norm-num-groups", "8", "--norm-eps", "1e-3"), nn.GroupNorm
        )
        assert {(norm.eps, norm.num_groups) for norm in group} == {(1e-3, 8)}
        assert len(group) == len(changed) == len(usual) == 20
        without = built("--norm-type", "none")
        assert layers_of(without, nn.BatchNorm2d) == layers_of(without, nn.GroupNorm) == []

    @pytest.mark.parametrize(("model", "eps"), [("resnet18", 1e-5), ("efficientnet-lite0", 1e-3)])
    def test_epsilon_is_the_models_own_where_none_is_asked_for_also_in_group_norms(
        self, model: str, eps: float
    ) -> None:
        batch = layers_of(built("--model", model), nn.BatchNorm2d)
        flags = ("--norm-type", "group", "--norm-num-groups", "8")
        group = layers_of(built("--model", model, *flags), nn.GroupNorm)
        assert len(batch) == len(group) > 0
        assert {norm.eps for norm in batch + group} == {eps}

    def test_blocks_are_as_asked(self) -> None:
        flags = ("--efficientnet-expand-ratio", "4", "--efficientnet-group-dim", "16")
        block = built("--model", "efficientnet-b0", *flags).get_submodule("blocks.2.1")
        assert block.conv_pw.out_channels == 4 * block.conv_pw.in_channels
        assert block.conv_dw.in_channels // block.conv_dw.groups == 16
        usual = built("--model", "efficientnet-b0").get_submodule("blocks.2.1")
        assert usual.conv_pw.out_channels == 6 * usual.conv_pw.in_channels
        assert usual.conv_dw.in_channels == usual.conv_dw.groups

    def test_images_and_model_are_padded_to_four_channels(self) -> None:
        flags = (*SMALL, "--input-image-padding")
        settings = settings_of(*flags)
        example = example_batch(settings, input_spec(settings.model))
        assert example.shape == (1, 4, 160, 160)
        with torch.no_grad():
            padded = built(*flags)(torch.from_numpy(example))
            plain = built(*SMALL)(torch.from_numpy(example[:, :3].copy()))
        torch.testing.assert_close(padded, plain)

    @pytest.mark.parametrize("eight_bit", [False, True])
    def test_pixels_are_normalised_where_it_is_asked_for(self, eight_bit: bool) -> None:
        def seen(*argv: str) -> torch.Tensor:
            """What reaches the first convolution of the same image."""
            settings, caught = settings_of(*SMALL, *argv), []
            module = build(settings, Weights("random"))[0]
            layers_of(module, nn.Conv2d)[0].register_forward_pre_hook(
                lambda _, given: caught.append(given[0])
            )
            example = example_batch(settings, input_spec(settings.model))
            assert example.dtype == (np.uint8 if "--eight-bit-io" in argv else np.float32)
            normalised_on_the_host = (
                "host" in argv and not eight_bit
            )  # 8-bit pixels are normalised in the model
            assert (example.min() < 0) == normalised_on_the_host
            with torch.no_grad():
                module(torch.from_numpy(example))
            return torch.Tensor(caught[0])

        spec = input_spec(SMALL[1])
        mean, std = torch.tensor(spec.mean).view(3, 1, 1), torch.tensor(spec.std).view(3, 1, 1)
        flags = ["--eight-bit-io"] * eight_bit
        plain = seen(*flags, "--normalization-location", "none")
        assert 0 <= plain.min() < plain.max() <= 1
        for place in ("host", "ipu"):
            found = seen(*flags, "--normalization-location", place)
            torch.testing.assert_close(found, (plain - mean) / std, atol=1e-5, rtol=1e-5)


@pytest.fixture
def decoded(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Who decodes which file: thread and name, in order."""
    from datasets import image_filler

    seen: list[tuple[str, str]] = []
    decode = image_filler.preprocess

    def watched(path: Path, *rest: Any) -> Any:
        seen.append((threading.current_thread().name, path.name))
        return decode(path, *rest)

    monkeypatch.setattr(image_filler, "preprocess", watched)
    return seen


class TestData:
    def source(self, *argv: str) -> Any:
        settings = settings_of("--model", SMALL[1], *argv)
        return open_source(settings, input_spec(settings.model), images_of(settings), "pretrained")

    def test_the_kind_of_data_selects_what_is_handed_over(self, photographs: Path) -> None:
        with self.source("--images", str(photographs), "--micro-batch-size", "2") as real:
            first, second = (real.next().micro_batches[0].copy() for _ in range(2))
            assert not np.array_equal(first, second)
        with self.source("--data", "generated") as generated:
            assert generated.next().micro_batches[0] is generated.next().micro_batches[0]
        # What synthetic data means to an engine: tests/backends/test_contract.py.

    @pytest.mark.slow
    def test_images_and_labels_are_those_that_are_named(self, photographs: Path, tmp_path: Path) -> None:
        labels = tmp_path / "mine.csv"
        with labels.open("w", newline="") as file:
            csv.writer(file).writerows([["file", "index", "name"], ["coffee.jpg", 7, "cock"]])
        (tmp_path / "one").mkdir()
        (tmp_path / "one" / "coffee.jpg").write_bytes((photographs / "coffee.jpg").read_bytes())
        with self.source("--images", str(tmp_path / "one"), "--labels", str(labels)) as source:
            assert [source.next().labels.item() for _ in range(3)] == [7, 7, 7]
        with self.source("--images", str(photographs), "--labels", str(labels)) as source:
            found = [source.next().labels.item() for _ in range(len(list(photographs.glob("*.jpg"))))]
        assert sorted(set(found)) == [-1, 7]

    def test_cached_images_are_decoded_before_and_by_nobody_later(
        self, photographs: Path, decoded: list[tuple[str, str]]
    ) -> None:
        with self.source("--images", str(photographs), "--cache-images") as source:
            before = len(decoded)
            for _ in range(2 * before):
                source.next()
            assert len(decoded) == before == len(list(photographs.glob("*.jpg")))

    def test_labels_are_not_compared_with_a_model_of_other_classes(self, photographs: Path) -> None:
        settings = settings_of("--model", SMALL[1], "--images", str(photographs))
        others = replace(input_spec(settings.model), num_classes=11821)
        with open_source(settings, others, images_of(settings), "pretrained") as source:
            assert source.next().labels is None

    @pytest.mark.parametrize("workers", [1, 3])
    def test_so_many_workers_decode(self, photographs: Path, workers: int) -> None:
        before = threading.active_count()
        with self.source("--images", str(photographs), "--dataloader-worker", str(workers)) as source:
            source.next()
            assert threading.active_count() - before == workers

    def test_a_worker_takes_so_many_successive_images(
        self, photographs: Path, decoded: list[tuple[str, str]]
    ) -> None:
        flags = ("--images", str(photographs), "--dataloader-worker", "3", "--dataloader-rebatch-size", "4")
        with self.source(*flags) as source:
            for _ in range(12):
                source.next()
        order = sorted(path.name for path in photographs.glob("*.jpg"))
        by_worker: dict[str, list[str]] = {}
        for worker, name in decoded:
            by_worker.setdefault(worker, []).append(name)
        for names in by_worker.values():
            for start in range(0, len(names) - 3, 4):
                place = order.index(names[start])
                expected = [order[(place + step) % len(order)] for step in range(4)]
                assert names[start : start + 4] == expected


@pytest.mark.engine
class TestEngine:
    @pytest.fixture
    def argv(self, model_cache: Path) -> list[str]:
        """A short run of one thread, of a model that is exported once for each engine."""
        return [
            *SMALL,
            "--iterations",
            "1",
            "--warmup",
            "0",
            "--threads",
            "1",
            "--model-cache-path",
            str(model_cache),
        ]

    @pytest.mark.parametrize("backend", ["openvino", "onnxruntime", "torch"])
    def test_the_backend_that_is_named_runs(self, driver, backend: str, argv: list[str]) -> None:
        code, out, err = driver(*argv, "--backend", backend)
        assert code == 0, err
        assert figure(out, "backend").startswith(f"{backend} ")
        assert figure(out, "backend_requested") == backend

    @pytest.mark.parametrize(
        "backend",
        [*(pytest.param(engine, marks=pytest.mark.full) for engine in ("openvino", "onnxruntime")), "torch"],
    )
    def test_the_same_photographs_get_the_same_classes_wherever_they_are_normalised(
        self, photographs: Path, backend: str
    ) -> None:
        count = 8
        command = (
            f"--model efficientnet-lite0 --precision 32.32 --micro-batch-size {count} --backend {backend}"
        )

        def classes(*place: str) -> list[int]:
            """The class of each photograph, one by one."""
            flags = parse_flags([*command.split(), "--images", str(photographs), *place], "x", "")
            settings = resolve(flags, None, "cpu", backend)[0]
            weights, pixels = weights_of(settings), input_spec(settings.model)
            assert weights.kind == "pretrained"
            compiled = compiled_model(settings, pixels, weights)
            with (
                closing(compiled.executable) as executable,
                open_source(settings, pixels, images_of(settings), weights.kind) as source,
            ):
                outputs = executable.run(source.next().micro_batches).outputs
                return outputs.argmax(axis=-1).ravel().tolist()

        on_the_host = classes("--normalization-location", "host")
        assert len(set(on_the_host)) > count / 2
        assert classes("--normalization-location", "ipu") == on_the_host
        assert classes("--eight-bit-io") == on_the_host
        if backend == "torch":  # nowhere: the engines are given the same model as for the host
            assert classes("--normalization-location", "none") != on_the_host

    def test_auto_prints_the_order_that_it_goes_through_and_what_it_took(
        self, driver, argv: list[str]
    ) -> None:
        code, out, err = driver(*argv, "--device", "cpu")
        assert code == 0, err
        assert out.startswith(
            "--backend auto: the first usable of openvino, onnxruntime, torch (cpu)\nRunning "
        )
        assert figure(out, "backend").startswith("openvino ")
        report = DriverParser()
        report.feed(out)
        assert report.parsed().problems == ()
        assert (
            report.parsed().settings["backend_requested"] == "auto"
        )  # as ever, for comparisons with older runs
        assert "--backend auto" not in driver(*argv, "--backend", "torch")[1]

    def test_so_many_streams_compute_concurrently(self, driver, monkeypatch: pytest.MonkeyPatch) -> None:
        # As if there were two cores, so that it can be run on one.
        monkeypatch.setattr("measurement.settings.available_cores", lambda: 2)
        monkeypatch.setattr("backends.openvino.available_cores", lambda: 2)
        argv = [
            *SMALL,
            "--backend",
            "openvino",
            "--device-iterations",
            "4",
            "--iterations",
            "1",
            "--threads",
            "2",
        ]
        for streams in ("1", "2"):
            code, out, err = driver(*argv, "--streams", streams)
            assert code == 0, err
            assert figure(out, "streams") == streams

    def test_requested_16_bits_that_are_not_available_are_reported(self, driver, argv: list[str]) -> None:
        asked = driver(*argv, "--backend", "onnxruntime", "--precision", "16.16")
        assert figure(asked[1], "precision_effective") == "float32"
        assert "no effect with onnxruntime" in asked[2]
        assert "--precision 16.16" in asked[2]
        by_default = driver(*argv, "--backend", "onnxruntime")
        assert "--precision" not in by_default[2]


@pytest.mark.engine
class TestOutput:
    def test_outputs_that_are_no_numbers_are_counted_and_warned_of(self, driver, tmp_path: Path) -> None:
        model = built("--model", SMALL[1])
        broken = {
            key: value * float("nan") if value.is_floating_point() else value
            for key, value in model.state_dict().items()
        }
        torch.save(broken, tmp_path / "nan.pth")
        argv = [
            "--model",
            SMALL[1],
            "--weights",
            str(tmp_path / "nan.pth"),
            "--data",
            "generated",
            "--threads",
            "1",
        ]
        code, out, err = driver(*argv, "--backend", "torch", "--iterations", "2", "--warmup", "0")
        assert code == 0
        assert figure(out, "not_finite_outputs") == "2000"
        assert "2000 outputs are NaN or infinite" in err

    def test_labels_without_weights_to_judge_are_reported(
        self, driver, photographs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        argv = [
            "--model",
            SMALL[1],
            "--images",
            str(photographs),
            "--labels",
            str(photographs / "labels.csv"),
        ]
        code, _, err = driver(*argv, "--backend", "torch", "--iterations", "1", "--threads", "1")
        assert code == 0
        assert "no effect with random weights, which have no top-1: --labels" in err
