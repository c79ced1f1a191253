"""The double is strict: what PopTorch refuses, it refuses, and whatever else this project does not use."""

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
    with pytest.raises(RuntimeError, match="acquire 5"):
        poptorch.inferenceModel(model(), poptorch.Options().replicationFactor(5))(torch.zeros(5, 12))


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
    with pytest.raises(RuntimeError, match="synthetic"):
        executor.getLatency()


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
