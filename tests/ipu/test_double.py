"""The double is strict: what PopTorch refuses, it refuses, and whatever else this project does not use."""

import pickle

import pytest
import torch
from torch import nn

from tests.poptorch_double import Ipus


@pytest.fixture
def poptorch(ipus: Ipus):
    import poptorch

    return poptorch


def model() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 5)).eval()


def test_options_are_frozen_by_a_model_and_by_a_data_loader(poptorch) -> None:
    by_model, by_loader = poptorch.Options(), poptorch.Options()
    poptorch.inferenceModel(model(), by_model)
    poptorch.DataLoader(by_loader, torch.utils.data.TensorDataset(torch.zeros(4, 1)))
    for options in (by_model, by_loader):
        for change in (
            lambda options: options.deviceIterations(2),
            lambda options: options.Precision.setPartialsType(torch.half),
            lambda options: options.TensorLocations.numIOTiles(32),
            lambda options: options._Popart.set("engineOptions", {}),
        ):
            with pytest.raises(AttributeError, match="Can't modify frozen Options"):
                change(options)
            change(options.clone())


def test_a_clone_is_another(poptorch) -> None:
    options = poptorch.Options().deviceIterations(3)
    twin = options.clone().deviceIterations(4)
    twin.Precision.setPartialsType(torch.half)
    assert (options.device_iterations, twin.device_iterations) == (3, 4)
    assert options.toDict()["partials"] is None


@pytest.mark.parametrize("tiles", [31, 33, 30, 194, 0])
def test_io_tiles_are_even_and_32_to_192(tiles: int, poptorch) -> None:
    with pytest.raises(AssertionError):
        poptorch.Options().TensorLocations.numIOTiles(tiles)


def test_partials_are_half_or_float(poptorch) -> None:
    with pytest.raises(ValueError, match="bfloat16"):
        poptorch.Options().Precision.setPartialsType(torch.bfloat16)


def test_offline_targets_are_of_known_versions(poptorch) -> None:
    with pytest.raises(AssertionError):
        poptorch.Options().useOfflineIpuTarget(3)


def test_engine_options_are_text(poptorch) -> None:
    with pytest.raises(AssertionError):
        poptorch.Options()._Popart.set("engineOptions", {"debug.allowOutOfMemory": True})


def test_unknown_names_are_errors(poptorch) -> None:
    options = poptorch.Options()
    for unknown in ("useIpuId", "Precison", "anchorMode"):
        with pytest.raises(AttributeError):
            getattr(options, unknown)
    with pytest.raises(AttributeError):
        options.half_partials = True
    with pytest.raises(AttributeError):
        poptorch.trainingModel  # noqa: B018
    with pytest.raises(RuntimeError, match="Unknown Popart option"):
        options._Popart.set("autoRecomputation", 1)
    with pytest.raises(TypeError):
        poptorch.DataLoader(options, [1], rebatch_size=3)


def test_a_module_has_one_block_at_most(poptorch) -> None:
    layer = nn.Linear(2, 2)
    assert poptorch.BeginBlock(layer, ipu_id=1) is layer
    with pytest.raises(RuntimeError, match="already been assigned"):
        poptorch.BeginBlock(layer, ipu_id=2)


def test_a_model_in_training_is_refused(poptorch) -> None:
    with pytest.raises(RuntimeError, match=r"eval\(\)"):
        poptorch.inferenceModel(model().train())


def test_a_batch_is_a_multiple_of_what_a_host_call_takes(poptorch) -> None:
    options = poptorch.Options().deviceIterations(3).replicationFactor(2)
    with pytest.raises(RuntimeError, match="multiple of deviceIterations"):
        poptorch.inferenceModel(model(), options)(torch.zeros(8, 12))


def test_another_shape_or_dtype_than_compiled_for_is_refused(poptorch) -> None:
    executor = poptorch.inferenceModel(model())
    assert executor(torch.zeros(2, 12)).shape == (2, 5)
    with pytest.raises(RuntimeError, match="compiled for"):
        executor(torch.zeros(3, 12))
    with pytest.raises(RuntimeError, match=r"inputs of torch\.float16"):
        poptorch.inferenceModel(model()).compile(torch.zeros(2, 12).half())


def test_an_offline_target_cannot_be_run_nor_can_more_ipus_than_there_are(poptorch) -> None:
    with pytest.raises(RuntimeError, match="offline"):
        poptorch.inferenceModel(model(), poptorch.Options().useOfflineIpuTarget())(torch.zeros(1, 12))
    with pytest.raises(RuntimeError, match="acquire 8"):
        poptorch.inferenceModel(model(), poptorch.Options().replicationFactor(8))(torch.zeros(8, 12))


def test_ipus_are_reserved_in_powers_of_two(poptorch, capfd: pytest.CaptureFixture[str]) -> None:
    assert [count for count in range(1, 9) if poptorch.ipuHardwareIsAvailable(count)] == [1, 2, 4]
    options = poptorch.Options().replicationFactor(3)
    with pytest.raises(RuntimeError, match="must reserve a minimum of 4"):
        poptorch.inferenceModel(model(), options.clone()).compile(torch.zeros(3, 12))
    poptorch.inferenceModel(model(), options.autoRoundNumIPUs(True)).compile(torch.zeros(3, 12))
    assert "Reserving 4 IPUs" in capfd.readouterr().err


def test_ipus_are_in_use_until_their_model_is_destroyed(poptorch) -> None:
    options = poptorch.Options().replicationFactor(4)
    first, second = (poptorch.inferenceModel(model(), options.clone()) for _ in range(2))
    first.compile(torch.zeros(4, 12))
    with pytest.raises(RuntimeError, match="acquire 4"):
        second.compile(torch.zeros(4, 12))
    first.destroy()
    second.compile(torch.zeros(4, 12))


def test_a_pipeline_has_a_micro_batch_for_each_stage(poptorch) -> None:
    pipeline = model()
    poptorch.BeginBlock(pipeline[1], ipu_id=1)
    with pytest.raises(RuntimeError, match=r"at least the number of pipeline stages \(2\)"):
        poptorch.inferenceModel(pipeline, poptorch.Options()).compile(torch.zeros(1, 12))
    sharded = poptorch.Options().setExecutionStrategy(poptorch.ShardedExecution())
    poptorch.inferenceModel(pipeline, sharded).compile(torch.zeros(1, 12))


@pytest.mark.parametrize("variable", ["POPTORCH_IPU_MODEL", "POPTORCH_SMALL_IPU_MODEL"])
def test_the_simulator_hides_the_hardware_and_has_no_offline_target(
    variable: str, poptorch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "2")
    assert not poptorch.ipuHardwareIsAvailable()
    with pytest.raises(AssertionError):
        poptorch.ipuHardwareVersion()
    poptorch.inferenceModel(model(), poptorch.Options().replicationFactor(5))(torch.zeros(5, 12))
    with pytest.raises(RuntimeError, match="not supported for the IPU model"):
        poptorch.inferenceModel(model(), poptorch.Options().useOfflineIpuTarget()).compile(torch.zeros(1, 12))


def test_open_mpis_variables_make_one_graph_of_all_processes(
    poptorch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "3")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "2")
    options = poptorch.Options()
    assert (options.Distributed.numProcesses, options.Distributed.processId) == (3, 2)
    with pytest.raises(RuntimeError, match="one graph over 3 processes"):
        poptorch.inferenceModel(model(), options.clone()).compile(torch.zeros(1, 12))
    options.Distributed.disable()
    assert (options.Distributed.numProcesses, options.Distributed.processId) == (1, 0)
    poptorch.inferenceModel(model(), options).compile(torch.zeros(1, 12))


def test_a_part_of_the_options_returns_itself(poptorch) -> None:
    options = poptorch.Options()
    assert options.Precision.setPartialsType(torch.half) is options.Precision
    assert options.TensorLocations.numIOTiles(32) is options.TensorLocations
    assert options._Popart.set("engineOptions", {}) is options._Popart
    assert options.autoRoundNumIPUs(True) is options


def test_a_second_compilation_is_ignored_with_a_warning(poptorch, capfd: pytest.CaptureFixture[str]) -> None:
    executor = poptorch.inferenceModel(model())
    for _ in range(2):
        executor.compile(torch.zeros(1, 12))
    assert "already compiled" in capfd.readouterr().err


def test_overlap_without_io_tiles_is_refused(poptorch) -> None:
    class Overlapped(nn.Linear):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            mode = poptorch.OverlapMode.OverlapAccumulationLoop
            shown = super().forward(poptorch.set_overlap_for_input(pixels, mode))
            return poptorch.set_overlap_for_output(shown, mode)

    with pytest.raises(RuntimeError, match="needs numIOTiles"):
        poptorch.inferenceModel(Overlapped(12, 5).eval()).compile(torch.zeros(1, 12))
    options = poptorch.Options().setExecutionStrategy(poptorch.ShardedExecution())
    options.TensorLocations.numIOTiles(32)
    poptorch.inferenceModel(Overlapped(12, 5).eval(), options).compile(torch.zeros(1, 12))


def test_latency_is_of_a_run_on_real_input(poptorch) -> None:
    with pytest.raises(AssertionError):
        poptorch.inferenceModel(model()).getLatency()
    executor = poptorch.inferenceModel(model(), poptorch.Options().enableSyntheticData(True))
    assert executor(torch.zeros(1, 12)).isnan().all()
    assert executor.getLatency() == (0, 0, 0)


def test_nothing_works_after_destroy(poptorch) -> None:
    executor = poptorch.inferenceModel(model())
    executor.compile(torch.zeros(1, 12))
    executor.destroy()
    for use in (executor.destroy, executor.getLatency, lambda: executor(torch.zeros(1, 12))):
        with pytest.raises(RuntimeError, match="destroyed"):
            use()


def test_rebatching_is_no_more_than_a_host_call_and_of_its_own_mode(poptorch) -> None:
    images = torch.utils.data.TensorDataset(torch.zeros(8, 1))
    rebatched = poptorch.DataLoaderMode.AsyncRebatched
    for refused in ({"rebatched_worker_size": 2}, {"rebatched_worker_size": 5, "mode": rebatched}):
        with pytest.raises(AssertionError):
            poptorch.DataLoader(poptorch.Options(), images, batch_size=4, **refused)
    with pytest.raises(AssertionError, match="greater than 1"):
        poptorch.DataLoader(poptorch.Options(), images, mode=rebatched)


@pytest.mark.slow
def test_a_worker_loads_whole_host_calls_unless_they_are_rebatched(poptorch, ipus: Ipus) -> None:
    images = torch.utils.data.TensorDataset(torch.arange(24))
    modes = poptorch.DataLoaderMode
    for arguments in ({"mode": modes.Async}, {"mode": modes.AsyncRebatched, "rebatched_worker_size": 3}):
        loader = poptorch.DataLoader(poptorch.Options(), images, batch_size=8, num_workers=2, **arguments)
        assert [batch[0].tolist() for batch in loader] == [list(range(n, n + 8)) for n in (0, 8, 16)]
        loader.terminate()
    loads = ipus.events("loaded")
    for one_worker_each, size in ((loads[:24], 8), (loads[24:], 3)):
        worker_of = {load["index"]: load["process"] for load in one_worker_each}
        alternating = [worker_of[n] for n in range(0, 24, size)]
        assert all(worker_of[n] == alternating[n // size] for n in range(24))
        assert len(set(alternating)) == 2
        assert alternating[0] != alternating[1]


class Numbers(torch.utils.data.Dataset):
    """Item number 8 cannot be loaded."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> tuple[torch.Tensor]:
        if index == 8:
            raise OSError("no such image")
        return (torch.tensor([index]),)


def test_a_host_call_is_overwritten_by_the_next_and_an_error_of_a_worker_is_not_passed_on(poptorch) -> None:
    mode = poptorch.DataLoaderMode.Async
    host_calls = iter(poptorch.DataLoader(poptorch.Options(), Numbers(), batch_size=4, mode=mode))
    (first,) = next(host_calls)
    next(host_calls)
    assert first.flatten().tolist() == [4, 5, 6, 7]
    with pytest.raises(AssertionError, match="error occurred in the data fetcher"):
        next(host_calls)


def test_a_data_set_is_sent_to_another_process(poptorch) -> None:
    class Local(Numbers):
        pass

    with pytest.raises((AttributeError, pickle.PicklingError), match="Local"):
        poptorch.DataLoader(poptorch.Options(), Local())
