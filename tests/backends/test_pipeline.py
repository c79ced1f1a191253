"""A model in stages computes what the whole model computes, and its stages run concurrently."""

import copy
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from backends import registry
from backends.base import BackendError, Effective, Stage
from backends.pipeline import PipelineExecutable, compile_pipeline
from measurement.machine import cores_in_use
from measurement.settings import Settings, resolve
from models.surgery import normalize_in_model, split
from tests.backends.conftest import BACKENDS
from tests.patience import HANG_S

cores = cores_in_use()


class Residual(nn.Module):
    """Two values cross a cut inside it: what was computed last, and what is added at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2)
        self.conv1, self.conv2, self.conv3 = (nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        kept = self.stem(pixels)
        inner = self.conv3(self.conv2(self.conv1(kept)).relu()).relu()
        return self.head(inner + kept)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return Residual().eval()


def settings_of(backend: str, splits: Sequence[str], **flags: object) -> Settings:
    """Settings as the driver makes them, without its refusal of more stages than this machine has cores."""
    given = {"data": "generated", "micro_batch_size": 2, "device_iterations": 6, "threads": 1, **flags}
    return replace(resolve(given, None, "cpu", backend)[0], pipeline_splits=tuple(splits))


@contextmanager
def pipeline(
    backend: str, model: nn.Module, splits: Sequence[str], pixels: np.ndarray, **flags: object
) -> Iterator[PipelineExecutable]:
    settings = settings_of(backend, splits, **flags)
    own = [cores[stage % len(cores)] for stage in range(settings.stages)]
    engine = registry.choose(backend, "cpu")
    engine.load()
    executable = compile_pipeline(
        engine,
        split(copy.deepcopy(model), splits),
        pixels,
        settings,
        [(core,) for core in own],
    )
    try:
        yield executable
    finally:
        executable.close()
        executable.close()


def random_pixels(calls: int = 6) -> list[np.ndarray]:
    return list(np.random.default_rng(1).standard_normal((calls, 2, 3, 32, 32), np.float32))


def reference(model: nn.Module, batches: Sequence[np.ndarray]) -> np.ndarray:
    with torch.inference_mode():
        return np.stack([model(torch.from_numpy(batch)).numpy() for batch in batches])


def assert_equal(outputs: np.ndarray, expected: np.ndarray, relative: float = 1e-5) -> None:
    assert np.abs(outputs - expected).max() <= relative * np.abs(expected).max()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def splits(backend: str) -> list[str]:
    """Cuts through the residual block; OpenVINO reserves a core for each stage, so there it may be one."""
    return ["conv1", "conv3"] if backend != "openvino" or len(cores) > 2 else ["conv2"]


@pytest.mark.engine
class TestOutputs:
    def test_they_equal_those_of_the_uncut_model_in_the_order_of_the_input(
        self, backend: str, model: nn.Module, splits: list[str]
    ) -> None:
        batches = random_pixels()
        with pipeline(backend, model, splits, batches[0], precision="32.32") as executable:
            for _ in range(3):
                assert_equal(executable.run(batches).outputs, reference(model, batches))
            batches[2][:] = 0.5  # new pixels in the same array
            assert_equal(executable.run(batches).outputs, reference(model, batches))
            assert executable.effective.dtype == "float32"

    def test_normalisation_of_8_bit_pixels_belongs_to_the_first_stage(
        self, backend: str, model: nn.Module, splits: list[str]
    ) -> None:
        whole = normalize_in_model(model, (0.5, 0.4, 0.3), (0.2, 0.2, 0.3), eight_bit=True)
        batches = list(np.random.default_rng(0).integers(0, 256, (6, 2, 3, 32, 32), np.uint8))
        expected = reference(whole, batches)
        flags = {"eight_bit_io": True}
        with pipeline(backend, whole, splits, batches[0], precision="32.32", **flags) as executable:
            assert_equal(executable.run(batches).outputs, expected)
        if backend == "onnxruntime":  # which has no 16-bit arithmetic on a CPU
            return
        with pipeline(backend, whole, splits, batches[0], precision="16.16", **flags) as executable:
            assert_equal(executable.run(batches).outputs, expected, relative=0.05)

    def test_synthetic_data_stays_in_the_first_stage(self, model: nn.Module) -> None:
        batches = random_pixels()
        expected = reference(model, batches[:1])
        flags = {"precision": "32.32", "data": "synthetic"}
        with pipeline("torch", model, ["conv2"], batches[0], **flags) as executable:
            batches[0][:] = 3.0  # what the host does with its arrays is no longer of interest
            outputs = executable.run(batches).outputs
        assert_equal(outputs, np.broadcast_to(expected, outputs.shape))

    def test_one_micro_batch_in_a_host_call_works_too(self, model: nn.Module) -> None:
        batches = random_pixels(1)
        flags = {"precision": "32.32", "device_iterations": 1}
        with pipeline("torch", model, ["conv2"], batches[0], **flags) as executable:
            assert_equal(executable.run(batches).outputs, reference(model, batches))
            assert executable.effective.in_flight == 1

    def test_pipelines_find_their_cores_after_an_executable_with_as_many_threads_was_closed(
        self, model: nn.Module
    ) -> None:
        batches = random_pixels()
        engine = registry.choose("openvino", "cpu")
        engine.load()
        executable = engine.compile(copy.deepcopy(model), batches[0], settings_of("openvino", ()))
        executable.run(batches)
        executable.close()
        for _ in range(2):
            with pipeline("openvino", model, ["conv2"], batches[0], precision="32.32") as stages:
                assert_equal(stages.run(batches).outputs, reference(model, batches))


class TestEffect:
    @pytest.mark.engine
    def test_settings_of_every_stage_are_reported(
        self, backend: str, model: nn.Module, splits: list[str]
    ) -> None:
        with pipeline(backend, model, splits, random_pixels()[0]) as executable:
            effective = executable.effective
        stages = len(splits) + 1
        assert effective.threads == stages
        assert effective.in_flight == stages
        assert effective.details["pipeline_splits"] == " ".join(splits)
        assert effective.details["threads_per_stage"] == ", ".join(["1"] * stages)
        if backend != "openvino":  # which pins its own threads
            own = [str(cores[stage % len(cores)]) for stage in range(stages)]
            assert effective.details["stage_cores"] == "; ".join(own)

    @pytest.mark.slow
    def test_closing_ends_the_threads_of_all_stages(self, model: nn.Module) -> None:
        with pipeline("torch", model, ["conv1", "conv2"], random_pixels()[0]) as executable:
            assert len(stage_threads()) == 3
            executable.run(random_pixels())
        assert stage_threads() == []


class FakeBackend:
    """Stages that pass their input on and report to `observe(stage, micro_batch, begins)`."""

    name, device_kind = "fake", "cpu"

    def __init__(self, observe: Callable[[int, int, bool], None]) -> None:
        self.observe, self.stages = observe, 0

    def compile_stage(self, stage: nn.Module, examples: Sequence[Any], settings: Settings) -> Stage:
        self.stages += 1
        return FakeStage(self.stages - 1, self.observe)


class FakeStage:
    effective = Effective("fake", "0", "CPU", "float32", 1, 1, 1)

    def __init__(self, number: int, observe: Callable[[int, int, bool], None]) -> None:
        self.number, self.observe, self.calls = number, observe, -1  # the first run is that of compiling

    def run(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        if self.calls >= 0:
            self.observe(self.number, self.calls, True)
        for source, target in zip(inputs, outputs, strict=True):
            target[:] = source
        if self.calls >= 0:
            self.observe(self.number, self.calls, False)
        self.calls += 1

    def close(self) -> None:
        """Nothing to give back."""


@contextmanager
def fake_pipeline(observe: Callable[[int, int, bool], None], stages: int = 3) -> Iterator[PipelineExecutable]:
    modules = [nn.Identity() for _ in range(stages)]
    settings = settings_of("torch", ["x"] * (stages - 1))
    executable = compile_pipeline(
        FakeBackend(observe), modules, np.zeros((2, 4), np.float32), settings, [cores] * stages
    )
    try:
        yield executable
    finally:
        executable.close()


def numbered() -> list[np.ndarray]:
    return [np.full((2, 4), number, np.float32) for number in range(6)]


class TestConcurrency:
    def test_a_stage_begins_the_next_micro_batch_while_its_follower_computes_this_one(self) -> None:
        begun = [threading.Event() for _ in range(6)]

        def observe(stage: int, micro_batch: int, begins: bool) -> None:
            if stage == 0 and begins:
                begun[micro_batch].set()
            if stage == 1 and begins and micro_batch < 5:
                # Stages that took turns would never get past this.
                assert begun[micro_batch + 1].wait(HANG_S)

        with fake_pipeline(observe, stages=2) as executable:
            assert executable.run(numbered()).outputs[:, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
        assert all(event.is_set() for event in begun)

    def test_no_stage_runs_ahead_of_its_follower_by_more_than_one_micro_batch(self) -> None:
        lock, ended, ahead = threading.Lock(), [0, 0, 0], []

        def observe(stage: int, micro_batch: int, begins: bool) -> None:
            with lock:
                if begins and stage < 2:
                    ahead.append(micro_batch - ended[stage + 1])
                if not begins:
                    ended[stage] += 1

        with fake_pipeline(observe) as executable:
            for _ in range(20):
                executable.run(numbered())
        # Its own, and one that waits in the other set of arrays.
        assert max(ahead) <= 2

    def test_a_round_trip_lasts_from_the_first_stage_to_the_last_within_the_host_call(self) -> None:
        with fake_pipeline(lambda *_: None) as executable:
            start_ns = time.perf_counter_ns()
            call = executable.run(numbered())
            took_ns = time.perf_counter_ns() - start_ns
        assert call.round_trip_ns.shape == (6,)
        assert call.round_trip_ns.min() > 0
        assert call.round_trip_ns.max() <= took_ns


class TestFailures:
    def test_what_a_stage_dies_of_is_raised_now_and_ever_after(self) -> None:
        def observe(stage: int, micro_batch: int, begins: bool) -> None:
            if (stage, micro_batch) == (1, 3):
                raise RuntimeError("the device is on fire")

        with fake_pipeline(observe) as executable:
            for _ in range(2):
                with pytest.raises(RuntimeError, match="on fire"):
                    executable.run(numbered())
        assert stage_threads() == []

    @pytest.mark.slow
    def test_a_stage_that_cannot_be_compiled_leaves_no_thread_behind(self, model: nn.Module) -> None:
        class Broken(FakeBackend):
            def compile_stage(self, *_: object) -> Stage:
                raise RuntimeError("no such kernel")

        with pytest.raises(RuntimeError, match="no such kernel"):
            compile_pipeline(
                Broken(lambda *_: None),
                split(model, ["conv1"]),
                random_pixels()[0],
                settings_of("torch", ["conv1"]),
                [cores, cores],
            )
        assert stage_threads() == []

    def test_a_cut_that_is_crossed_by_no_tensor_is_refused_by_its_name(self) -> None:
        class Counts(nn.Module):
            def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, int]:
                return pixels, pixels.shape[0]

        with pytest.raises(BackendError, match="--pipeline-splits second: a value that is not a tensor"):
            compile_pipeline(
                FakeBackend(lambda *_: None),
                [Counts(), nn.Identity()],
                random_pixels()[0],
                settings_of("torch", ["second"]),
                [cores, cores],
            )

    def test_streams_inside_a_stage_are_refused(self) -> None:
        from backends.pipeline import Pipelined

        settings = settings_of("openvino", ["conv1"], streams=2)
        with pytest.raises(BackendError, match="--streams 2 with --pipeline-splits conv1"):
            Pipelined(registry.choose("openvino", "cpu"), lambda module: []).check(settings)


def stage_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("pipeline-stage")]
