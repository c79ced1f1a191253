"""A model compiled for the IPU keeps the contract of backends/base.py."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from tests.ipu.conftest import Compiled
from tests.poptorch_double import Ipus

Compile = Callable[..., Compiled]


@pytest.mark.parametrize("one_block", [True, False])
def test_outputs_are_those_of_the_model_in_the_order_of_the_input(
    one_block: bool, compiled: Compile, small_model: nn.Module
) -> None:
    eager = copy.deepcopy(small_model)
    run = compiled(micro_batch_size=2, device_iterations=3, precision="32.32")
    with torch.inference_mode():
        expected = eager(torch.from_numpy(run.block).flatten(0, 1)).numpy().reshape(3, 2, 10)
    batches = run.block if one_block else tuple(run.block)
    np.testing.assert_allclose(run.executable.run(batches).outputs, expected, rtol=1e-5, atol=1e-6)


def test_a_host_call_in_one_block_is_handed_over_as_it_lies(
    compiled: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    import poptorch

    addresses = []
    called = poptorch.PoplarExecutor.__call__

    def watched(self: object, pixels: torch.Tensor) -> torch.Tensor:
        addresses.append(pixels.data_ptr())
        return called(self, pixels)

    monkeypatch.setattr(poptorch.PoplarExecutor, "__call__", watched)
    run = compiled(device_iterations=3)
    run.executable.run(run.block)
    assert addresses == [run.block.ctypes.data]


def test_latencies_in_seconds_become_round_trips_in_nanoseconds(compiled: Compile, ipus: Ipus) -> None:
    run = compiled(device_iterations=3)
    call = run.executable.run(run.block)
    assert call.round_trip_is_range
    assert call.round_trip_ns == pytest.approx(np.array(ipus.the("latency")["seconds"]) * 1e9, abs=1)


def test_nothing_is_read_of_what_a_device_never_wrote(compiled: Compile, ipus: Ipus) -> None:
    run = compiled(data="synthetic", micro_batch_size=2, device_iterations=4)
    call = run.executable.run((run.block[0],) * 4)
    assert call.outputs.shape == (0, 2, 10)
    assert not ipus.events("latency")
    low, high, mean = call.round_trip_ns
    assert 0 < low == high == mean


def test_the_executable_is_destroyed_once(compiled: Compile, ipus: Ipus) -> None:
    run = compiled()
    run.executable.close()
    run.executable.close()
    assert len(ipus.events("destroy")) == 1
