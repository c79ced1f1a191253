"""Photographs on IPUs: PopTorch's own data loader feeds them, and they show the same as on a CPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backends import registry
from datasets.cached import cached
from datasets.errors import DataError
from datasets.host_batch import HostBatch
from datasets.images import find_images
from datasets.loaded import loaded
from datasets.streaming import streaming
from measurement.settings import resolve
from models import build_model, input_spec
from models.surgery import normalize_in_model
from tests.poptorch_double import Ipus
from tests.report_lines import figure

LAYOUT = {
    "image_size": 32,
    "interpolation": "bilinear",
    "micro_batch_size": 3,
    "device_iterations": 4,
    "dtype": np.dtype(np.uint8),
    "normalize": None,
}
FLAGS = {"micro_batch_size": 3, "device_iterations": 2, "replicas": 2, "dataloader_worker": 2}


def loader_for(**flags: object) -> Callable[..., object]:
    settings = resolve({**FLAGS, **flags}, None, "ipu", "poptorch")[0]
    return lambda dataset: registry.choose("poptorch").loader(dataset, settings)


def taken(source: object, calls: int) -> list[tuple[np.ndarray, np.ndarray]]:
    def copied(batch: HostBatch) -> tuple[np.ndarray, np.ndarray]:
        return np.array(batch.micro_batches), batch.labels.copy()

    with source:
        return [copied(source.next()) for _ in range(calls)]


@pytest.mark.slow
@pytest.mark.parametrize("rebatched", [None, 5])
def test_host_calls_are_those_of_the_cpu_also_past_the_end_of_the_images(
    rebatched: int | None, photographs: Path, ipus: Ipus
) -> None:
    images = find_images(photographs)
    calls = 2 * len(images.paths) // 12 + 1
    ours = taken(loaded(images, loader=loader_for(dataloader_rebatch_size=rebatched), **LAYOUT), calls)
    theirs = taken(streaming(images, workers=1, **LAYOUT), calls)
    for (pixels, labels), (expected, known) in zip(ours, theirs, strict=True):
        assert pixels.shape == (4, 3, 3, 32, 32)
        assert (pixels == expected).all()
        assert (labels == known).all()


@pytest.mark.parametrize(
    ("flags", "mode", "at_a_time"),
    [
        ({}, "Async", None),
        ({"dataloader_rebatch_size": 5}, "AsyncRebatched", 5),
        ({"device_iterations": 12}, "AsyncRebatched", 64),
        ({"micro_batch_size": 1, "device_iterations": 1, "replicas": 1}, "Async", None),
        (
            {"micro_batch_size": 1, "device_iterations": 1, "replicas": 1, "dataloader_rebatch_size": 1},
            "Async",
            None,
        ),
    ],
)
def test_a_worker_takes_what_was_asked_for_else_a_host_call_of_up_to_64_images(
    flags: dict[str, int], mode: str, at_a_time: int | None, photographs: Path, ipus: Ipus
) -> None:
    with loaded(find_images(photographs), loader=loader_for(**flags), **LAYOUT):
        pass
    known = ipus.the("loader")
    assert (known["mode"], known["rebatched_worker_size"]) == (mode, at_a_time)
    assert (known["num_workers"], known["async_options"]) == (2, {"load_indefinitely": True})
    assert known["batch_size"] == flags.get("micro_batch_size", 3)
    assert not known["auto_distributed_partitioning"]
    assert len(ipus.events("terminate")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("images_per_call", [1, 4, 70])
def test_all_workers_decode_however_few_the_images_and_the_host_calls_are(
    images_per_call: int, photographs: Path, tmp_path: Path, ipus: Ipus
) -> None:
    (tmp_path / "only.jpg").write_bytes(next(photographs.glob("*.jpg")).read_bytes())
    flags = {"micro_batch_size": images_per_call, "device_iterations": 1, "replicas": 1}
    layout = {**LAYOUT, "micro_batch_size": images_per_call, "device_iterations": 1}
    loader = loader_for(**flags)
    with loaded(find_images(tmp_path), loader=loader, **layout) as source:
        for _ in range(3):
            source.next()
    loads = [load for load in ipus.events("loaded") if load["index"] < 3 * images_per_call]
    assert len({load["process"] for load in loads}) == 2


@pytest.mark.slow
def test_images_lost_during_the_run_are_replaced_and_counted(
    photographs: Path, tmp_path: Path, ipus: Ipus
) -> None:
    for file in sorted(photographs.glob("*.jpg"))[:3]:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    images = find_images(tmp_path)
    images.paths[1].unlink()
    loader = loader_for(device_iterations=1, replicas=1)
    layout = {**LAYOUT, "device_iterations": 1}
    with loaded(images, loader=loader, **layout) as source:
        pixels = np.array(source.next().micro_batches)[0]
        assert (pixels[1] == pixels[2]).all()
        assert source.decode_errors == 1
    for path in images.paths:
        path.unlink(missing_ok=True)
    with (
        loaded(images, loader=loader, **layout) as source,
        pytest.raises(DataError, match=r"none of the images can be decoded.*--images DIR"),
    ):
        source.next()


@pytest.mark.slow
def test_each_instance_has_its_own_share(photographs: Path, ipus: Ipus) -> None:
    images = find_images(photographs)
    loader = loader_for(device_iterations=1, replicas=1)
    layout = {**LAYOUT, "device_iterations": 1}
    for rank in range(2):
        ours = taken(loaded(images, loader=loader, rank=rank, world_size=2, **layout), 2)
        theirs = taken(streaming(images, workers=1, rank=rank, world_size=2, **layout), 2)
        assert all((own[0] == other[0]).all() for own, other in zip(ours, theirs, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("one_block", [True, False])
def test_decoded_beforehand_they_are_the_same_in_one_block(one_block: bool, photographs: Path) -> None:
    images = find_images(photographs)
    source = cached(images, one_block=one_block, **LAYOUT)
    assert isinstance(source.next().micro_batches, np.ndarray) == one_block
    with cached(images, one_block=one_block, **LAYOUT) as ours:
        theirs = taken(streaming(images, workers=1, **LAYOUT), 1)
        batch = ours.next()
        assert (np.array(batch.micro_batches) == theirs[0][0]).all()
        assert (batch.labels == theirs[0][1]).all()


@pytest.mark.engine
def test_an_ipu_sees_in_every_photograph_what_a_cpu_sees(photographs: Path, ipus: Ipus) -> None:
    images, spec = find_images(photographs), input_spec("efficientnet-lite0")
    layout = {
        "image_size": spec.image_size,
        "interpolation": spec.interpolation,
        "micro_batch_size": 4,
        "device_iterations": 5,
        "dtype": np.dtype(np.uint8),
        "normalize": None,
    }
    flags = {"micro_batch_size": 4, "device_iterations": 5, "dataloader_worker": 1, "eight_bit_io": True}
    flags["threads"] = 1
    ((pixels, _),) = taken(loaded(images, loader=loader_for(**flags, replicas=1), **layout), 1)
    logits = {}
    for name, kind, precision in (
        ("torch", "cpu", "32.32"),
        ("poptorch", "ipu", "32.32"),
        ("poptorch", "ipu", "16.16"),
    ):
        module = build_model("efficientnet-lite0", weights="pretrained").module
        model = normalize_in_model(module, spec.mean, spec.std, eight_bit=True)
        settings = resolve({**flags, "precision": precision}, None, kind, name)[0]
        executable = registry.choose(name).compile(model, pixels[0], settings)
        logits[name, precision] = executable.run(pixels).outputs.astype(np.float32)
        executable.close()
    reference = logits["torch", "32.32"]
    assert logits["poptorch", "32.32"] == pytest.approx(reference, rel=1e-4, abs=1e-3)
    assert (logits["poptorch", "16.16"].argmax(-1) == reference.argmax(-1)).all()


@pytest.mark.engine
def test_top1_of_a_run_on_photographs_is_that_of_a_cpu(driver, photographs: Path, ipus: Ipus) -> None:
    argv = ["--model", "efficientnet-lite0", "--images", str(photographs), "--micro-batch-size", "5"]
    argv += ["--device-iterations", "4", "--iterations", "1", "--warmup", "0", "--dataloader-worker", "1"]
    argv += ["--threads", "1", "--precision", "32.32"]  # in 16 bits, CPUs differ in what they compute in
    reported = {}
    for backend in ("poptorch", "torch"):
        code, out, _ = driver(*argv, "--backend", backend)
        assert code == 0
        reported[backend] = figure(out, "top1")
    assert reported["poptorch"] == reported["torch"]
    assert ipus.the("loader")["combined_batch_size"] == 20
    assert len(ipus.events("terminate")) == 1
