"""Every option with every backend: it works, or one warning says that it does not, or it is refused.

That those which work have their effect is tested where the effect is.
"""

import pytest

from backends import registry
from backends.base import BackendError
from measurement.options import OPTIONS
from measurement.settings import resolve

WORKS, WARNED, REFUSED = "works", "warned", "refused"
ENGINES = ("openvino", "onnxruntime", "torch", "torch-compile")

# option -> (value, what is expected of each engine on the CPU, in the order of ENGINES)
TABLE: dict[str, tuple[object, tuple[str, str, str, str]]] = {
    **{
        key: (value, (WORKS,) * 4)
        for key, value in {
            "config": "resnet50",
            "model": "resnet34",
            "weights": "random",
            "random_weights": True,
            "norm_type": "group",
            "norm_eps": 1e-3,
            "norm_num_groups": 8,
            "batchnorm_momentum": 0.2,
            "efficientnet_expand_ratio": 4,
            "efficientnet_group_dim": 16,
            "input_image_padding": True,
            "list_layers": True,
            "data": "synthetic",
            "images": "photographs",
            "labels": "labels.csv",
            "cache_images": True,
            "dataloader_worker": 2,
            "dataloader_rebatch_size": 4,
            "normalization_location": "ipu",
            "micro_batch_size": 4,
            "device_iterations": 4,
            "iterations": 3,
            "duration": 1.0,
            "warmup": 0,
            "compile_only": True,
            "profile": True,
            "precision": "32.32",
            "backend": "auto",
            "device": "cpu",
            "threads": 1,
        }.items()
    },
    "profile_path": ("folder", (WARNED,) * 4),  # alone, without --profile
    "eight_bit_io": (True, (WARNED,) * 4),  # normalisation moves from the host into the model
    "pipeline_splits": (["layer3"], (WARNED,) * 4),  # with one micro-batch at a time nothing overlaps
    "half_partial": (True, (WARNED,) * 4),
    "enable_fast_groupnorm": (True, (WARNED,) * 4),
    "exchange_memory_target": ("cycles", (WARNED,) * 4),
    "num_io_tiles": (32, (WARNED,) * 4),
    "offline_target_ipu_version": ("2", (WARNED,) * 4),
    "streams": (2, (REFUSED,) * 4),  # more than the one micro-batch of a host call
    "replicas": (1000, (REFUSED,) * 4),  # more than there are cores
}


def test_every_option_is_in_the_table() -> None:
    # Whether a model can be kept is told when it is compiled: tests/backends/test_model_cache.py.
    assert {option.key for option in OPTIONS} - set(TABLE) == {"model_cache_path"}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("key", TABLE)
def test_an_option_works_or_says_why_not(key: str, engine: str) -> None:
    value, expected = TABLE[key]
    outcome, words = met(key, value, engine)
    assert outcome == expected[ENGINES.index(engine)], words
    if outcome != WORKS:
        flag = "--" + key.replace("_", "-")
        assert any(flag in line for line in words), words


def met(key: str, value: object, engine: str) -> tuple[str, list[str]]:
    try:
        settings, warnings = resolve({"data": "real", key: value}, None, "cpu", engine)
        registry.choose(engine, "cpu").check(settings)
    except (BackendError, ValueError) as refusal:
        return REFUSED, [str(refusal)]
    return (WARNED, list(warnings)) if warnings else (WORKS, [])


@pytest.mark.parametrize(
    ("flags", "remedy"),
    [
        ({"random_weights": True, "weights": "w.pth"}, "give one of the two"),
        ({"streams": 2, "device_iterations": 4, "threads": 1, "backend": "openvino"}, "--streams 1 or fewer"),
        ({"streams": 2, "device_iterations": 4, "backend": "torch"}, "--replicas 2"),
        ({"streams": 2, "device_iterations": 1, "backend": "openvino"}, "--device-iterations 2"),
        ({"compile_only": True, "profile": True}, "--profile"),
        ({"profile": True, "replicas": 2}, "--replicas 1"),
        ({"model_cache_path": "folder", "pipeline_splits": ["layer3"]}, "leave one of the two out"),
    ],
)
def test_two_options_that_cannot_work_together_are_refused_with_the_remedy(
    flags: dict[str, object], remedy: str
) -> None:
    engine = str(flags.get("backend", "torch"))
    with pytest.raises((BackendError, ValueError), match=remedy):
        registry.choose(engine, "cpu").check(resolve({"data": "generated", **flags}, None, "cpu", engine)[0])
