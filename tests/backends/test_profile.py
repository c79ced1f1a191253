"""Profiles: every layer's time, in a table that adds up and a trace that viewers open."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from backends.base import ProfilingExecutable
from backends.profiling.onnxruntime import read_profile
from backends.profiling.profile import SHOWN_LAYERS, LayerTime, profile_of, table, write_trace
from tests.backends.conftest import BACKENDS, CompileFixture

TIMES = st.lists(
    st.builds(LayerTime, st.sampled_from("abcdefghijklmnop"), st.sampled_from("xy"), st.floats(0.5, 1e6)),
    min_size=1,
    max_size=60,
)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("device_iterations", [1, 3])
class TestEngines:
    def test_every_micro_batch_is_profiled_and_the_convolution_is_among_the_layers(
        self, backend: str, device_iterations: int, compiled: CompileFixture
    ) -> None:
        run = compiled(backend, profile=True, threads=1, device_iterations=device_iterations)
        assert isinstance(run.executable, ProfilingExecutable)
        profile = run.executable.profile(run.batches, 4)
        assert profile.micro_batches == 4 * device_iterations
        assert any("Conv" in layer.kind for layer in profile.layers)
        assert all(layer.time_us >= 0 for layer in profile.layers[:3])

    def test_the_trace_has_what_viewers_need(
        self, backend: str, device_iterations: int, compiled: CompileFixture, tmp_path: Path
    ) -> None:
        run = compiled(backend, profile=True, threads=1, device_iterations=device_iterations)
        assert isinstance(run.executable, ProfilingExecutable)
        profile = run.executable.profile(run.batches, 2)
        write_trace(profile, tmp_path / "trace.json")
        trace = json.loads((tmp_path / "trace.json").read_text())
        spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
        assert len(spans) >= 2 * device_iterations
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


def test_a_module_is_not_charged_for_the_modules_inside_it(compiled: CompileFixture) -> None:
    heavy = nn.Sequential(nn.Conv2d(3, 64, 5), nn.Conv2d(64, 64, 5))
    model = nn.Sequential(heavy, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    run = compiled("torch", model=model, profile=True, threads=1)
    assert isinstance(run.executable, ProfilingExecutable)
    layers = {layer.layer: layer for layer in run.executable.profile(run.batches, 3).layers}
    assert layers.keys() == {"model", "0", "0/0", "0/1", "1", "2"}
    assert layers["0/1"].kind == "Conv2d"
    assert layers["0"].time_us < layers["0/1"].time_us


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
