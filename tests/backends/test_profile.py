"""Profiles: every layer's time, in a table that adds up and a trace that viewers open."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from backends.base import ProfilingExecutable
from backends.profiling.onnxruntime import read_profile
from backends.profiling.profile import SHOWN_LAYERS, LayerTime, profile_of, table, write_trace
from backends.profiling.torch import MARK, module_times
from tests.backends.conftest import BACKENDS, CompileFixture

TIMES = st.lists(
    st.builds(LayerTime, st.sampled_from("abcdefghijklmnop"), st.sampled_from("xy"), st.floats(0.5, 1e6)),
    min_size=1,
    max_size=60,
)


@pytest.mark.engine
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("device_iterations", [1, 3])
class TestEngines:
    def test_every_micro_batch_is_profiled_and_the_trace_has_what_viewers_need(
        self, backend: str, device_iterations: int, compiled: CompileFixture, tmp_path: Path
    ) -> None:
        run = compiled(backend, profile=True, threads=1, device_iterations=device_iterations)
        assert isinstance(run.executable, ProfilingExecutable)
        profile = run.executable.profile(run.batches, 4)
        assert profile.micro_batches == 4 * device_iterations
        assert any("Conv" in layer.kind for layer in profile.layers)
        write_trace(profile, tmp_path)
        trace = json.loads((tmp_path / "trace.json").read_text())
        spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
        assert len(spans) >= 4 * device_iterations
        for span in spans:
            assert isinstance(span["name"], str)
            assert span["ts"] >= 0
            assert span["dur"] >= 0
            assert {"pid", "tid"} <= span.keys()

    def test_the_measured_executable_is_left_as_it_was(
        self, backend: str, device_iterations: int, compiled: CompileFixture
    ) -> None:
        run = compiled(backend, profile=True, threads=1, device_iterations=device_iterations)
        assert isinstance(run.executable, ProfilingExecutable)
        before = run.executable.run(run.batches).outputs.copy()
        run.executable.profile(run.batches, 1)
        np.testing.assert_array_equal(run.executable.run(run.batches).outputs, before)
        if backend == "openvino":
            assert run.executable.compiled.get_property("PERF_COUNT") in ("NO", False)  # type: ignore[attr-defined]
        if backend == "torch":
            modules = run.executable.model.modules()  # type: ignore[attr-defined]
            assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules)


@pytest.mark.engine
def test_torchs_layers_are_the_models_modules(compiled: CompileFixture) -> None:
    inner = nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU())
    run = compiled("torch", model=nn.Sequential(inner, nn.Flatten()).eval(), profile=True, threads=1)
    assert isinstance(run.executable, ProfilingExecutable)
    kinds = {layer.layer: layer.kind for layer in run.executable.profile(run.batches, 2).layers}
    expected = {"model": "Sequential", "0": "Sequential", "0/0": "Conv2d", "0/1": "ReLU", "1": "Flatten"}
    assert kinds == expected


def test_a_module_is_not_charged_for_the_modules_inside_it() -> None:
    def event(number: int, name: str, parent: SimpleNamespace | None, us: float) -> SimpleNamespace:
        span = SimpleNamespace(elapsed_us=lambda: us)
        return SimpleNamespace(
            id=number, name=name, cpu_parent=parent, time_range=span, device_type="DeviceType.CPU"
        )

    block = event(1, f"{MARK}block Block", None, 100)
    operator = event(2, "aten::something", block, 90)
    inner = event(3, f"{MARK}block/conv Conv2d", operator, 70)
    innermost = event(4, f"{MARK}block/conv/pad Pad", inner, 20)
    times = {time.layer: time.time_us for time in module_times([block, operator, inner, innermost], "cpu")}
    assert times == {"block": 30, "block/conv": 50, "block/conv/pad": 20}


class TestTable:
    @given(TIMES)
    def test_layers_are_added_up_and_sorted_by_cost(self, times: list[LayerTime]) -> None:
        profile = profile_of(times, 1, [])
        assert sum(layer.time_us for layer in profile.layers) == pytest.approx(sum(t.time_us for t in times))
        assert len({(layer.layer, layer.kind) for layer in profile.layers}) == len(profile.layers)
        costs = [layer.time_us for layer in profile.layers]
        assert costs == sorted(costs, reverse=True)

    @given(TIMES)
    def test_shares_add_up_to_the_whole(self, times: list[LayerTime]) -> None:
        shown = table(profile_of(times, 1, []))
        shares = [float(share) for share in re.findall(r"([\d.]+)%$", shown, re.MULTILINE)]
        assert len(shares) <= SHOWN_LAYERS + 1
        assert sum(shares) == pytest.approx(100, abs=0.05 * len(shares) + 1e-6)

    def test_times_are_per_micro_batch_in_milliseconds(self) -> None:
        times = [LayerTime("conv", "Conv", 3000.0), LayerTime("gemm", "Gemm", 1000.0)]
        rows = table(profile_of(times * 4, 4, [])).splitlines()
        assert rows[0].split() == ["layer", "kind", "ms", "share"]
        assert rows[1].split() == ["conv", "Conv", "3.000", "75.0%"]
        assert rows[2].split() == ["gemm", "Gemm", "1.000", "25.0%"]


def test_onnx_runtimes_first_runs_are_left_out() -> None:
    def run(at: int, slow: int) -> list[dict[str, object]]:
        kernel = {
            "name": "conv_kernel_time",
            "ph": "X",
            "dur": slow,
            "ts": at + 1,
            "args": {"op_name": "Conv"},
        }
        return [kernel, {"name": "model_run", "ph": "X", "dur": slow + 2, "ts": at, "args": {}}]

    loading = [{"name": "model_loading", "ph": "X", "dur": 5, "ts": 0, "args": {}}]
    profile = read_profile([*loading, *run(10, 900), *run(1000, 7), *run(2000, 9)], 2)
    assert profile.micro_batches == 2
    assert profile.layers == (LayerTime("conv", "Conv", 16.0),)
    assert {event["ts"] for event in profile.events} == {1000, 1001, 2000, 2001}
