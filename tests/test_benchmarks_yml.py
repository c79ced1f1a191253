"""The suite's own spec: complete, and every command of it one that the driver understands."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from measurement.configs import read_config
from measurement.options import parse_flags
from models import input_spec, model_names

ROOT = Path(__file__).parents[1]
CONFIGURATIONS = (
    "resnet50",
    "efficientnet-b0",
    "efficientnet-b4",
    "mobilenet-v3-small",
    "mobilenet-v3-large",
    "efficientnet-b0-g16-gn",
    "efficientnet-b4-g16-gn",
)


@pytest.fixture(scope="module")
def variants() -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "examples_utils", "list", "--spec", "benchmarks.yml", "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["infer", "infer_gen", "infer_synth", "minlatency_infer_gen"])
def test_every_model_and_configuration_has_its_entries(variants: list[dict[str, Any]], kind: str) -> None:
    names = {variant["benchmark"] for variant in variants}
    wanted = {f"pytorch_{name.replace('-', '_')}_{kind}" for name in {*model_names(), *CONFIGURATIONS}}
    assert wanted - names == set()


def test_the_quick_entries_are_the_seven_configurations_on_photographs(
    variants: list[dict[str, Any]],
) -> None:
    quick = [flags(variant["command"]) for variant in variants if "quick" in variant["tags"]]
    assert sorted(found["config"] for found in quick) == sorted(CONFIGURATIONS)
    assert all(found["data"] == "real" for found in quick)


def test_latency_is_measured_for_micro_batches_of_1_and_4_one_at_a_time(
    variants: list[dict[str, Any]],
) -> None:
    found = [v for v in variants if v["benchmark"] == "pytorch_resnet50_minlatency_infer_gen"]
    assert [v["params"] for v in found] == [{"micro_batch_size": "1"}, {"micro_batch_size": "4"}]
    assert all(flags(v["command"])["device_iterations"] == 1 for v in found)


@pytest.mark.slow
def test_the_driver_understands_every_command(variants: list[dict[str, Any]]) -> None:
    for variant in of_the_driver(variants):
        found = flags(variant["command"])
        if "config" in found:
            read_config(ROOT / "configs.yml", found["config"])
        else:
            input_spec(found["model"])


@pytest.mark.slow
def test_names_state_the_kind_of_data(variants: list[dict[str, Any]]) -> None:
    for variant in of_the_driver(variants):
        data = flags(variant["command"])["data"]
        name = variant["benchmark"]
        assert data == ("generated" if "_gen" in name else "synthetic" if "_synth" in name else "real"), name


def test_entries_for_four_ipus_need_poprun_and_take_a_batch_size(variants: list[dict[str, Any]]) -> None:
    pod4 = [variant for variant in of_the_driver(variants) if variant["benchmark"].endswith("_pod4")]
    assert {
        f"pytorch_{name.replace('-', '_')}_{kind}_pod4"
        for name in CONFIGURATIONS
        for kind in ("infer", "infer_gen")
    } <= {variant["benchmark"] for variant in pod4}
    for variant in pod4:
        assert variant["requires"] == ["poprun"]
        assert list(variant["params"]) == ["batchsize"]
        assert flags(variant["command"])["micro_batch_size"] == int(variant["params"]["batchsize"])


# Of the original's spec of this application.
@pytest.mark.parametrize(
    ("name", "batch_sizes", "configuration"),
    [
        ("pytorch_resnet50_infer_gen_pod4", "1,2,4,16,32,64,80", "resnet50"),
        ("pytorch_resnet50_minlatency_infer_gen_pod4", "1,2,4", "resnet50"),
        ("pytorch_efficientnet_b0_infer_gen_pod4", "1,8,16,32,36,48", "efficientnet-b0"),
        ("pytorch_efficientnet_b0_minlatency_infer_gen_pod4", "1,2,4", "efficientnet-b0"),
        ("pytorch_efficientnet_b0_gn_infer_gen_pod4", "1,32,64,80,96,100", "efficientnet-b0-g16-gn"),
        ("pytorch_efficientnet_b4_infer_gen_pod4", "1,4,6,8,10,12", "efficientnet-b4"),
        ("pytorch_efficientnet_b4_minlatency_infer_gen_pod4", "1,2,4", "efficientnet-b4"),
        ("pytorch_efficientnet_b4_gn_infer_gen_pod4", "1,3,9,15,21", "efficientnet-b4-g16-gn"),
    ],
)
def test_the_originals_entries_for_four_ipus_keep_their_names_and_parameters(
    variants: list[dict[str, Any]], name: str, batch_sizes: str, configuration: str
) -> None:
    found = [variant for variant in variants if variant["benchmark"] == name]
    assert [variant["params"]["batchsize"] for variant in found] == batch_sizes.split(",")
    for variant in found:
        given = flags(variant["command"])
        assert (given["config"], given["data"], given["iterations"]) == (configuration, "generated", 20)
        assert ("num_io_tiles" in given) == ("minlatency" not in name)
        assert ("-x POPLAR_ENGINE_OPTIONS" in variant["command"]) == ("minlatency" in name)


@pytest.mark.parametrize("configuration", ["resnet50", "efficientnet-b0", "efficientnet-b4"])
def test_the_originals_entries_behind_a_server_keep_their_names_and_parameters(
    variants: list[dict[str, Any]], configuration: str
) -> None:
    name = f"pytorch_{configuration.replace('-', '_')}_tritonserver_infer_real_pod4"
    found = [variant for variant in variants if variant["benchmark"] == name]
    ways = [(variant["params"]["request_type"], variant["params"]["parallel_processes"]) for variant in found]
    assert sorted(ways) == sorted((way, clients) for way in ("SYNC", "ASYNC") for clients in ("1", "4", "8"))
    for variant, (way, clients) in zip(found, ways, strict=True):
        words = shlex.split(variant["command"])
        asked = f"test_single_model[{configuration}-{configuration}-RequestType.{way}-{clients}]"
        assert words[words.index("-k") + 1] == asked
        assert words[-1] == "tests/tritonserver/"
        assert variant["requires"] == ["tritonserver", "tritonclient"]


def test_every_configuration_has_entries_behind_a_server_that_are_skipped_where_there_is_none(
    variants: list[dict[str, Any]],
) -> None:
    found = [variant for variant in variants if variant["benchmark"].endswith("_triton_infer")]
    names = {f"pytorch_{name.replace('-', '_')}_triton_infer" for name in CONFIGURATIONS}
    assert {variant["benchmark"] for variant in found} == names
    for variant in found:
        name = variant["benchmark"].removeprefix("pytorch_").removesuffix("_triton_infer").replace("_", "-")
        model = name.removesuffix("-g16-gn")
        asked = f"RequestType.{variant['params']['request_type']}-{variant['params']['clients']}"
        words = shlex.split(variant["command"])
        assert words[words.index("-k") + 1] == f"test_single_model[{name}-{model}-{asked}]"
        assert "--benchmark_only=true" in words
        assert variant["requires"] == ["tritonserver", "tritonclient"]
    ways = {tuple(variant["params"].values()) for variant in found}
    assert ways == {(way, clients) for way in ("SYNC", "ASYNC") for clients in ("1", "4", "8")}
    assert len(found) == len(names) * len(ways)


def of_the_driver(variants: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [variant for variant in variants if "triton" not in variant["tags"]]


def flags(command: str) -> dict[str, Any]:
    words = shlex.split(command)
    script = next(n for n, word in enumerate(words) if Path(word).name == "run_benchmark.py")
    return parse_flags(words[script + 1 :], "driver", "")
