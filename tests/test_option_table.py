"""Every option with every backend on every kind of data: it works, or one line explains why not, or it is refused.

That those which work have their effect is tested where the effect is: tests/test_option_effects.py lists where.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from backends import registry
from backends.base import AutonomousBackend, BackendError
from backends.pipeline import Pipelined
from measurement.configs import Config
from measurement.options import OPTIONS
from measurement.settings import resolve

WORKS, WARNED, REFUSED = "works", "warned", "refused"
ENGINES = (
    ("openvino", "cpu"),
    ("onnxruntime", "cpu"),
    ("torch", "cpu"),
    ("torch-compile", "cpu"),
    ("onnxruntime", "cuda"),
    ("torch", "cuda"),
    ("torch-compile", "cuda"),
    ("poptorch", "ipu"),
)
DATA = ("real", "generated", "synthetic")


@dataclass(frozen=True)
class Row:
    """`value` of an option, given with the options `together_with`, and the `expected` outcome.

    `but`: outcomes for engines, devices and kinds of data that differ.
    """

    value: object
    expected: str = WORKS
    but: Mapping[str, str] = field(default_factory=dict)
    together_with: Mapping[str, object] = field(default_factory=dict)


REAL_ONLY = {"generated": WARNED, "synthetic": WARNED}
CPU_ONLY = {"cuda": REFUSED}
CPU_OR_IPU = {"cuda": REFUSED, "ipu": WORKS}

TABLE: dict[str, tuple[Row, ...]] = {
    "config": (Row("resnet50"),),
    "model": (Row("resnet34"),),
    "weights": (Row("random"), Row("w.pth", REFUSED, together_with={"random_weights": True})),
    "random_weights": (Row(True), Row(False, REFUSED, together_with={"weights": "random"})),
    "norm_type": (Row("group"), Row("none")),
    "norm_eps": (
        Row(1e-3),
        Row(1e-3, together_with={"norm_type": "group"}),
        Row(1e-3, WARNED, together_with={"norm_type": "none"}),
    ),
    "norm_num_groups": (
        Row(8, together_with={"norm_type": "group"}),
        Row(32, WARNED),  # the default, yet asked for
        Row(8, WARNED, together_with={"norm_type": "none"}),
    ),
    "batchnorm_momentum": (Row(0.2, WARNED), Row(0.0, WARNED, together_with={"norm_type": "group"})),
    "efficientnet_expand_ratio": (
        Row(4, together_with={"model": "efficientnet-b0"}),
        Row(6, together_with={"model": "timm/efficientnet_b0"}),
        Row(6, WARNED),
    ),
    "efficientnet_group_dim": (Row(16, together_with={"model": "efficientnet-b4"}), Row(1, WARNED)),
    "input_image_padding": (Row(True),),
    "list_layers": (
        Row(True, but=REAL_ONLY),  # --data is then named, too
        Row(True, but=REAL_ONLY, together_with={"normalization_location": "ipu", "norm_type": "none"}),
    ),
    "data": (Row("real"), Row("generated"), Row("synthetic")),
    "images": (
        Row("photographs", but=REAL_ONLY),
        Row("photographs", WARNED, together_with={"compile_only": True}),
    ),
    "labels": (
        Row("labels.csv", but=REAL_ONLY),
        Row("labels.csv", WARNED, together_with={"random_weights": True}),
    ),
    "cache_images": (Row(True, but=REAL_ONLY), Row(False)),
    "dataloader_worker": (Row(2, but=REAL_ONLY), Row(2, WARNED, together_with={"cache_images": True})),
    "dataloader_rebatch_size": (
        Row(4, but={**REAL_ONLY, "ipu": WORKS}, together_with={"micro_batch_size": 4}),
        Row(4, but={**REAL_ONLY, "ipu": REFUSED}),  # more than a host call has
        Row(4, WARNED, together_with={"cache_images": True}),
    ),
    "normalization_location": (Row("ipu"), Row("none"), Row("host")),
    "eight_bit_io": (
        Row(True, together_with={"normalization_location": "ipu"}),
        Row(True, together_with={"normalization_location": "none"}),
        Row(True, WARNED, together_with={"normalization_location": "host"}),  # moves into the model
    ),
    "micro_batch_size": (Row(4),),
    "device_iterations": (Row(4),),
    "replicas": (
        Row(2, but=CPU_OR_IPU),
        Row(1000, REFUSED),
        Row(2, WARNED, but={"ipu": WORKS}, together_with={"compile_only": True}),
    ),
    "pipeline_splits": (
        Row(["layer3"], but=CPU_OR_IPU, together_with={"device_iterations": 4}),
        Row(
            ["layer3"], WARNED, but={**CPU_ONLY, "ipu": REFUSED}
        ),  # one micro-batch at a time: nothing overlaps
        Row(["layer3"], REFUSED, but={"ipu": WARNED}, together_with={"streams": 2, "device_iterations": 4}),
        Row(
            ["layer3"], REFUSED, but={"ipu": WARNED}, together_with={"profile": True, "device_iterations": 4}
        ),
    ),
    "iterations": (
        Row(3),
        Row(3, together_with={"duration": 1.0}),
        Row(3, WARNED, together_with={"compile_only": True}),
    ),
    "duration": (
        Row(1.0),
        Row(1.0, together_with={"iterations": 3}),  # whichever is reached first
        Row(1.0, WARNED, together_with={"compile_only": True}),
    ),
    "warmup": (Row(3), Row(0), Row(0, WARNED, together_with={"compile_only": True})),
    "compile_only": (Row(True), Row(True, WARNED, together_with={"list_layers": True})),
    "profile": (
        Row(True, but={"ipu": WARNED}),  # there, it is the measured run that is profiled
        Row(True, REFUSED, but={"ipu": WORKS}, together_with={"compile_only": True}),
        Row(True, REFUSED, but={"ipu": WARNED}, together_with={"replicas": 2}),
    ),
    "profile_path": (
        Row("folder", but={"ipu": WARNED}, together_with={"profile": True}),
        Row("folder", WARNED),
    ),
    "precision": (Row("32.32"), Row("16.16")),
    "backend": (Row("auto"), Row("torch", WARNED, together_with={"list_layers": True, "threads": 1})),
    "device": (Row("auto"),),
    "threads": (
        Row(1, but={"cuda": WARNED, "ipu": WARNED}),
        Row(4, but={"cuda": WARNED, "ipu": WARNED}),
        Row(5, REFUSED, but={"cuda": WARNED, "ipu": WARNED}),  # more than the cores
        Row(3, REFUSED, but={"ipu": WARNED}, together_with={"replicas": 2}),
    ),
    "streams": (
        Row(1, but={"ipu": WARNED}),
        Row(2, REFUSED, but={"ipu": WARNED}),  # more than the one micro-batch of a host call
        Row(2, REFUSED, but={"openvino": WORKS, "ipu": WARNED}, together_with={"device_iterations": 4}),
        Row(2, REFUSED, but={"ipu": WARNED}, together_with={"device_iterations": 4, "threads": 1}),
    ),
    # Whether a backend can cache its models is reported when it compiles: tests/backends/test_model_cache.py.
    "model_cache_path": (
        Row("folder"),
        Row(
            "folder",
            REFUSED,
            but={"ipu": WORKS},
            together_with={"pipeline_splits": ["layer3"], "device_iterations": 4},
        ),
    ),
    "half_partial": (Row(True, WARNED, but={"ipu": WORKS}), Row(False)),
    "enable_fast_groupnorm": (Row(True, WARNED, but={"ipu": WORKS}),),
    "exchange_memory_target": (Row("cycles", WARNED, but={"ipu": WORKS}),),
    "num_io_tiles": (
        Row(32, WARNED, but={"ipu": WORKS}),
        Row(0),
        Row(32, WARNED, but=CPU_ONLY, together_with={"pipeline_splits": ["layer3"], "device_iterations": 4}),
    ),
    "offline_target_ipu_version": (
        Row("2", WARNED, but={"ipu": REFUSED}),  # what is compiled for an absent IPU cannot be run
        Row("2", WARNED, but={"ipu": WORKS}, together_with={"compile_only": True}),
    ),
}

ROWS = [(key, row) for key, rows in TABLE.items() for row in rows]


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for user in ("measurement.settings", "backends.openvino"):
        monkeypatch.setattr(f"{user}.available_cores", lambda: 4)


def test_every_option_is_in_the_table_and_no_other() -> None:
    assert set(TABLE) == {option.key for option in OPTIONS}


def test_every_option_works_somewhere_but_those_that_are_for_other_devices_or_for_training() -> None:
    never = {key for key, rows in TABLE.items() if not any(row.expected == WORKS for row in rows)}
    assert never <= {option.key for option in OPTIONS if option.ipu_only} | {"batchnorm_momentum"}


@pytest.mark.parametrize(
    ("key", "row"), ROWS, ids=[f"{key}-{row.value}-{number}" for number, (key, row) in enumerate(ROWS)]
)
@pytest.mark.usefixtures("ipus")
def test_an_option_works_or_explains_why_not(key: str, row: Row) -> None:
    for engine, device in ENGINES:
        for data in DATA:
            given = {} if data == "real" else {"data": data}
            flags = {**given, **row.together_with, key: row.value}
            place = (data, engine, device)
            expected = next((row.but[name] for name in place if name in row.but), row.expected)
            outcome, words = met(flags, engine, device)
            assert outcome == expected, (engine, device, data, words)
            if outcome != WORKS:
                flags = ["--" + name.replace("_", "-") for name in (key, *row.together_with)]
                assert any(flag in line for line in words for flag in flags), words
            assert not any("\n" in line for line in words)


def met(flags: Mapping[str, Any], engine: str, device: str) -> tuple[str, list[str]]:
    """What becomes of a request; the device need not be here for it."""
    try:
        settings, warnings = resolve(flags, None, device, engine)
        backend = registry.load(engine, device)
        if settings.pipeline_splits and not isinstance(backend, AutonomousBackend):
            backend = Pipelined(backend, lambda module: [module])
        backend.check(settings)
    except (BackendError, ValueError) as refusal:
        return REFUSED, [str(refusal)]
    return (WARNED, list(warnings)) if warnings else (WORKS, [])


@pytest.mark.parametrize(
    ("flags", "remedy"),
    [
        ({"random_weights": True, "weights": "w.pth"}, "give one of the two"),
        ({"streams": 2, "device_iterations": 4, "threads": 1, "backend": "openvino"}, "--streams 1 or fewer"),
        (
            {"streams": 3, "replicas": 2, "device_iterations": 4, "backend": "openvino"},
            "--streams 3 with --replicas 2: .* 2 per replica; give --streams 2 or fewer",
        ),
        ({"streams": 2, "device_iterations": 4, "backend": "torch"}, "--replicas 2"),
        ({"streams": 2, "device_iterations": 1, "backend": "openvino"}, "--device-iterations 2"),
        ({"compile_only": True, "profile": True}, "--profile"),
        ({"profile": True, "replicas": 2}, "--replicas 1"),
        ({"model_cache_path": "folder", "pipeline_splits": ["layer3"]}, "leave one of the two out"),
        ({"threads": 5}, "give --threads 4 or fewer"),
    ],
)
def test_two_options_that_cannot_work_together_are_refused_with_the_remedy(
    flags: dict[str, object], remedy: str
) -> None:
    engine = str(flags.get("backend", "torch"))
    with pytest.raises((BackendError, ValueError), match=remedy):
        registry.choose(engine, "cpu").check(resolve({"data": "generated", **flags}, None, "cpu", engine)[0])


class TestLines:
    """How options without effect are reported."""

    def warnings(self, flags: dict[str, object], config: dict[str, object] | None = None) -> tuple[str, ...]:
        return resolve(flags, Config("c", config, {}) if config else None, "cpu", "torch")[1]

    def test_flags_that_share_a_reason_share_a_line_and_each_is_reported_once(self) -> None:
        flags = {
            "data": "generated",
            "images": "i",
            "labels": "l",
            "cache_images": True,
            "dataloader_worker": 2,
        }
        assert self.warnings({**flags, "norm_num_groups": 8, "random_weights": True}) == (
            "no effect with --data generated (real data only): --images, --labels, --cache-images, --dataloader-worker",
            "no effect with --norm-type batch (group norms only): --norm-num-groups",
        )

    def test_listing_layers_names_all_that_is_only_for_measuring_in_one_line(self) -> None:
        flags = {
            "list_layers": True,
            "weights": "random",
            "threads": 1,
            "warmup": 0,
            "images": "i",
            "duration": 1.0,
        }
        (line,) = self.warnings(flags)
        assert line.endswith(": --weights, --images, --duration, --warmup, --threads")

    def test_a_configurations_value_that_a_flag_makes_idle_is_not_reported(self) -> None:
        group = {"norm_type": "group", "norm_num_groups": 4, "norm_eps": 1e-3, "duration": 8.0}
        assert self.warnings({"norm_type": "none"}, group) == ()
        assert self.warnings({"compile_only": True}, group) == ()
        assert self.warnings({"norm_type": "none", "norm_eps": 1e-3}, group) != ()

    def test_a_configuration_that_contradicts_itself_is_reported(self) -> None:
        assert self.warnings({}, {"norm_num_groups": 4}) != ()
