"""CUDA: overlapping micro-batches keep their order, their values and their times."""

import copy
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from backends import registry
from backends.base import Executable
from measurement.settings import resolve
from models.surgery import normalize_in_model

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

TOLERANCE = {"32.32": 1e-5, "16.16": 1e-2}


@contextmanager
def executable(
    model: nn.Module, example: np.ndarray, backend: str = "torch", **flags: object
) -> Iterator[Executable]:
    given = {"data": "generated", "micro_batch_size": len(example), "device_iterations": 8, **flags}
    settings = resolve(given, None, "cuda", backend)[0]
    with closing(
        registry.choose(backend, "cuda").compile(copy.deepcopy(model), example, settings)
    ) as compiled:
        yield compiled


def micro_batches(calls: int = 8, side: int = 32) -> list[np.ndarray]:
    return list(np.random.default_rng(1).standard_normal((calls, 2, 3, side, side), np.float32))


def expected(model: nn.Module, batches: list[np.ndarray]) -> np.ndarray:
    with torch.inference_mode():
        return np.stack([model(torch.from_numpy(batch)).numpy() for batch in batches])


def assert_close(outputs: np.ndarray, reference: np.ndarray, precision: str) -> None:
    assert np.abs(outputs - reference).max() <= TOLERANCE[precision] * np.abs(reference).max()


@pytest.mark.parametrize("precision", ["32.32", "16.16"])
@pytest.mark.parametrize("backend", ["torch", "torch-compile"])
def test_outputs_are_those_of_each_micro_batch_in_order(
    small_model: nn.Module, backend: str, precision: str
) -> None:
    batches = micro_batches()
    with executable(small_model, batches[0], backend, precision=precision) as compiled:
        for _ in range(3):
            assert_close(compiled.run(batches).outputs, expected(small_model, batches), precision)
        assert compiled.effective.in_flight == 3
        assert compiled.effective.details["cuda_graphs"] == "yes"


def test_new_pixels_in_the_same_array_are_computed(small_model: nn.Module) -> None:
    batches = micro_batches()
    with executable(small_model, batches[0], precision="32.32") as compiled:
        compiled.run(batches)
        for batch in batches:
            batch[:] = batch[::-1] * 0.5
        assert_close(compiled.run(batches).outputs, expected(small_model, batches), "32.32")


def test_pixels_of_8_bits_are_converted_on_the_device(small_model: nn.Module) -> None:
    whole = normalize_in_model(small_model, (0.5, 0.4, 0.3), (0.2, 0.2, 0.3), eight_bit=True)
    batches = list(np.random.default_rng(0).integers(0, 256, (8, 2, 3, 32, 32), np.uint8))
    with executable(whole, batches[0], precision="32.32", eight_bit_io=True) as compiled:
        assert_close(compiled.run(batches).outputs, expected(whole, batches), "32.32")


def test_synthetic_data_stays_on_the_device(small_model: nn.Module) -> None:
    batches = micro_batches()
    reference = expected(small_model, batches[:1])
    with executable(small_model, batches[0], precision="32.32", data="synthetic") as compiled:
        batches[0][:] = 3.0
        outputs = compiled.run(batches).outputs
        assert_close(outputs, np.broadcast_to(reference, outputs.shape), "32.32")


@pytest.mark.parametrize("device_iterations", [1, 2, 8])
def test_round_trips_lie_within_their_host_call(small_model: nn.Module, device_iterations: int) -> None:
    batches = micro_batches(device_iterations)
    with executable(small_model, batches[0], device_iterations=device_iterations) as compiled:
        compiled.run(batches)
        start_ns = time.perf_counter_ns()
        call = compiled.run(batches)
        host_call_ns = time.perf_counter_ns() - start_ns
        assert (call.round_trip_ns > 0).all()
        assert (call.round_trip_ns < host_call_ns + 100_000).all()  # two clocks, compared once per host call
        assert (call.transfer_ns > 0).all()
        assert compiled.effective.in_flight == min(3, device_iterations)


@pytest.mark.parametrize("backend", ["torch", "torch-compile"])
def test_a_profile_names_the_layers(small_model: nn.Module, backend: str) -> None:
    batches = micro_batches()
    with executable(small_model, batches[0], backend, profile=True) as compiled:
        assert compiled.profile(batches, 2).layers  # type: ignore[attr-defined]


def test_a_model_that_no_graph_can_hold_runs_without_one_and_reports_it() -> None:
    class Waits(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            logits = pixels.mean(dim=(2, 3))
            return logits * (
                2.0 if float(logits.sum()) > 0 else 1.0
            )  # the host waits for a value of the device

    batches = micro_batches()
    with executable(Waits(), batches[0], precision="32.32") as compiled:
        assert_close(compiled.run(batches).outputs, expected(Waits(), batches), "32.32")
        assert compiled.effective.details["cuda_graphs"].startswith("no (")
