"""Every backend keeps the same promises."""

import copy
import time

import numpy as np
import pytest
import torch
from torch import nn

from measurement.machine import available_cores, has_native_bfloat16
from tests.backends.conftest import BACKENDS, CompileFixture

pytestmark = [pytest.mark.engine, pytest.mark.parametrize("backend", BACKENDS)]


def reference(model: nn.Module, batches: list[np.ndarray]) -> np.ndarray:
    with torch.inference_mode():
        return np.stack([model(torch.from_numpy(batch)).numpy() for batch in batches])


@pytest.mark.parametrize("device_iterations", [1, 5])
def test_outputs_are_those_of_the_eager_model_in_the_order_of_the_input(
    backend: str, device_iterations: int, compiled: CompileFixture, small_model: nn.Module
) -> None:
    run = compiled(backend, precision="32.32", device_iterations=device_iterations)
    expected = reference(small_model, run.batches)
    for _ in range(3):
        outputs = run.executable.run(run.batches).outputs
        assert outputs.dtype == np.float32
        np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


def test_new_pixels_in_the_same_array_are_seen(
    backend: str, compiled: CompileFixture, small_model: nn.Module
) -> None:
    run = compiled(backend, precision="32.32", device_iterations=2)
    run.executable.run(run.batches)
    run.batches[1][:] = 0.5
    outputs = run.executable.run(run.batches).outputs
    np.testing.assert_allclose(outputs, reference(small_model, run.batches), rtol=1e-4, atol=1e-5)


def test_one_array_may_serve_every_micro_batch(backend: str, compiled: CompileFixture) -> None:
    run = compiled(backend, precision="32.32", device_iterations=4)
    outputs = run.executable.run([run.batches[0]] * 4).outputs
    np.testing.assert_allclose(outputs, np.broadcast_to(outputs[:1], outputs.shape), rtol=1e-6)


@pytest.mark.parametrize("device_iterations", [1, 5])
def test_round_trips_are_measured_one_by_one_within_the_host_call(
    backend: str, device_iterations: int, compiled: CompileFixture
) -> None:
    run = compiled(backend, device_iterations=device_iterations)
    run.executable.run(run.batches)
    start_ns = time.perf_counter_ns()
    call = run.executable.run(run.batches)
    took_ns = time.perf_counter_ns() - start_ns
    assert call.round_trip_ns.shape == (device_iterations,)
    assert call.round_trip_ns.dtype == np.int64
    assert not call.round_trip_is_range
    assert call.round_trip_ns.min() > 0
    assert call.round_trip_ns.max() <= took_ns
    assert call.round_trip_ns.sum() <= took_ns * run.executable.effective.in_flight


@pytest.mark.parametrize("device_iterations", [1, 5])
def test_synthetic_data_stays_on_the_device(
    backend: str, device_iterations: int, compiled: CompileFixture, small_model: nn.Module
) -> None:
    run = compiled(backend, precision="32.32", data="synthetic", device_iterations=device_iterations)
    expected = reference(small_model, run.batches[:1])
    other = [np.full_like(batch, 7.0) for batch in run.batches]
    run.batches[0][:] = 3.0  # what the host does with its arrays is no longer of interest
    outputs = run.executable.run(other).outputs
    np.testing.assert_allclose(outputs, np.broadcast_to(expected, outputs.shape), rtol=1e-4, atol=1e-5)


def test_the_precision_really_used_is_reported(backend: str, compiled: CompileFixture) -> None:
    assert compiled(backend, precision="32.32").executable.effective.dtype == "float32"
    uses_bfloat16 = has_native_bfloat16() and backend != "onnxruntime"
    effective = compiled(backend, precision="16.16").executable.effective
    assert effective.dtype == ("bfloat16" if uses_bfloat16 else "float32")


@pytest.mark.parametrize("device_iterations", [1, 5])
def test_threads_are_as_asked_and_one_a_core_else(
    backend: str, device_iterations: int, compiled: CompileFixture
) -> None:
    one = compiled(backend, threads=1, device_iterations=device_iterations).executable.effective
    assert (one.threads, one.streams) == (1, 1)
    default = compiled(backend, device_iterations=device_iterations).executable.effective
    assert default.threads == available_cores()


def test_eight_bit_pixels_are_taken_as_they_are(backend: str, compiled: CompileFixture) -> None:
    from backends import registry
    from measurement.settings import resolve
    from models.surgery import normalize_in_model

    torch.manual_seed(0)
    bare = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    model = normalize_in_model(bare, (0.5, 0.4, 0.3), (0.2, 0.2, 0.3), eight_bit=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16), np.uint8)
    flags = {"eight_bit_io": True, "precision": "32.32", "micro_batch_size": 2, "data": "generated"}
    executable = registry.choose(backend).compile(
        copy.deepcopy(model), pixels, resolve(flags, None, "cpu", backend)[0]
    )
    np.testing.assert_allclose(
        executable.run([pixels]).outputs, reference(model, [pixels]), rtol=1e-4, atol=1e-5
    )
    executable.close()
