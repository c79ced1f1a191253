"""The driver on IPUs, from the command line to the report."""

from pathlib import Path

import pytest

from measurement.configs import read_config
from tests.poptorch_double import Ipus
from tests.report_lines import figure

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
SMALL = ["--model", "mobilenet-v3-small", "--random-weights", "--backend", "poptorch"]
GENERATED = [*SMALL, "--data", "generated", "--iterations", "1", "--warmup", "0"]
COMPILED = [*SMALL, "--data", "generated", "--compile-only"]

CONFIGURATIONS = {
    # name -> micro-batch size, device iterations, model's side of the image
    "resnet50": (90, 128, 224),
    "efficientnet-b0": (49, 128, 224),
    "efficientnet-b4": (12, 128, 380),
    "mobilenet-v3-small": (224, 64, 224),
    "mobilenet-v3-large": (64, 128, 224),
    "efficientnet-b0-g16-gn": (106, 128, 224),
    "efficientnet-b4-g16-gn": (26, 128, 380),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_as_written_is_for_an_ipu(name: str, driver, ipus: Ipus) -> None:
    micro_batch, device_iterations, side = CONFIGURATIONS[name]
    argv = ["--config", name, "--data", "synthetic", "--iterations", "3", "--random-weights"]
    code, out, err = driver(*argv)
    assert (code, err) == (0, "")
    known = ipus.the("compile")
    options = known["options"]
    assert known["micro_batch_size"] == micro_batch
    assert options["device_iterations"] == device_iterations
    assert known["input"] == [[micro_batch * device_iterations, 3, side, side], "torch.uint8"]
    assert known["dtype"] == options["partials"] == "torch.float16"
    assert options["replication_factor"] == 1
    assert options.get("groupNormStridedChannelGrouping", False) == name.endswith("-gn")
    assert {call["samples"] for call in ipus.events("call")} == {micro_batch * device_iterations}
    assert len(ipus.events("call")) == 3 + 3
    assert figure(out, "backend") == "poptorch 3.4.0"
    assert figure(out, "data_type") == "torch.float16"
    assert figure(out, "num_ipus") == "1"
    assert figure(out, "samples") == str(3 * micro_batch * device_iterations)


def test_every_configuration_is_tested() -> None:
    from measurement.configs import _document, _mapping

    entries = _mapping(_document(ROOT / "configs.yml"), ROOT / "configs.yml", "the file")
    without_model = {"common", "efficientnet-g16-gn"}
    assert {name for name in entries if "options" not in name} == {*CONFIGURATIONS, *without_model}


@pytest.mark.parametrize("precision", ["16.16", "32.32"])
def test_the_data_type_is_that_of_the_outputs(precision: str, driver, ipus: Ipus) -> None:
    code, out, _ = driver(*GENERATED, "--precision", precision)
    assert code == 0
    assert figure(out, "data_type") == {"16.16": "torch.float16", "32.32": "torch.float32"}[precision]


def test_replicas_are_in_one_process_and_stages_on_ipus_of_their_own(driver, ipus: Ipus) -> None:
    argv = ["--replicas", "2", "--pipeline-splits", "blocks/3", "--device-iterations", "2"]
    code, out, err = driver(*GENERATED, *argv)
    assert (code, err) == (0, "")
    known = ipus.the("compile")
    assert known["options"]["replication_factor"] == 2
    assert known["blocks"] == {"blocks.3": 1}
    assert figure(out, "num_ipus") == "4"
    assert figure(out, "samples") == "4"
    assert {event["process"] for event in ipus.events("call")} == {known["process"]}
    assert "2 replicas, each with 2 stages" in out
    assert "[replica" not in out


def test_stages_begin_at_the_named_layers_whatever_precedes_the_model(driver, ipus: Ipus) -> None:
    argv = ["--pipeline-splits", "blocks/2", "blocks/4/1", "--device-iterations", "3", "--eight-bit-io"]
    code, out, _ = driver(*GENERATED, *argv)
    assert code == 0
    assert ipus.the("compile")["blocks"] == {"model.blocks.2": 1, "model.blocks.4.1": 2}
    assert figure(out, "stages") == "3"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["blocks/33"], "no such layer"),
        (["conv_stem"], "the first stage would be empty"),
        (["blocks/3", "blocks/3/0"], "starts at the same place as blocks/3"),
    ],
)
def test_names_are_checked_as_on_other_devices(names: list[str], words: str, driver, ipus: Ipus) -> None:
    code, _, err = driver(*GENERATED, "--pipeline-splits", *names, "--device-iterations", "4")
    assert code == 2
    assert words in err


def test_percentiles_are_not_made_up_from_a_range(driver, ipus: Ipus) -> None:
    code, out, _ = driver(*GENERATED, "--device-iterations", "2")
    assert code == 0
    assert (
        figure(out, "latency_p50") == "n/a (the device reports only minimum, maximum and mean of a host call)"
    )
    low, high, mean = ipus.events("latency")[-1]["seconds"]
    expected = f"{mean * 1e3:.3f} ms (mean) (min: {low * 1e3:.3f}, max: {high * 1e3:.3f})"
    assert figure(out, "latency avg") == expected
    assert f"Latency range: {low * 1e3:.3f}..{high * 1e3:.3f} ms" in out


@pytest.mark.parametrize(
    ("argv", "channels", "dtype"),
    [
        ([], 3, "torch.float16"),
        (["--precision", "32.32"], 3, "torch.float32"),
        (["--input-image-padding"], 4, "torch.float16"),
        (["--eight-bit-io", "--normalization-location", "ipu"], 3, "torch.uint8"),
        (["--eight-bit-io", "--input-image-padding", "--normalization-location", "none"], 4, "torch.uint8"),
    ],
)
def test_pixels_reach_the_ipu_as_asked(
    argv: list[str], channels: int, dtype: str, driver, ipus: Ipus
) -> None:
    code, _, _ = driver(*GENERATED, *argv)
    assert code == 0
    assert ipus.the("compile")["input"] == [[1, channels, 224, 224], dtype]


@pytest.mark.parametrize(
    "argv", [["--norm-type", "group", "--norm-num-groups", "8"], ["--norm-type", "none"]]
)
def test_other_norms_run_in_half(argv: list[str], driver, ipus: Ipus) -> None:
    code, out, _ = driver(*GENERATED, *argv)
    assert code == 0
    assert figure(out, "data_type") == "torch.float16"


def test_compiled_models_are_kept_by_the_engine_alone(driver, ipus: Ipus, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    for _ in range(2):
        code, out, err = driver(*COMPILED, "--model-cache-path", str(folder))
        assert (code, err) == (0, "")
        assert figure(out, "model_cache") == "the engine's own"
    assert [file.suffix for file in folder.iterdir()] == [".popef"]
    assert [known["from_executable_cache"] for known in ipus.events("compile")] == [False, True]
    assert not ipus.events("call")


def test_a_profile_is_in_a_folder_that_the_report_names(driver, ipus: Ipus, tmp_path: Path) -> None:
    folder = tmp_path / "profile"
    code, out, err = driver(*GENERATED, "--profile", "--profile-path", str(folder))
    assert code == 0
    assert "do not use the results of this run" in err
    assert figure(out, "profile").startswith(str(folder))
    assert ipus.the("compile")["options"]["engineOptions"]["autoReport.directory"] == str(folder)
    assert folder.is_dir()


def test_cpu_options_are_named_in_one_warning(driver, ipus: Ipus) -> None:
    code, _, err = driver(*GENERATED, "--threads", "1", "--streams", "1")
    assert code == 0
    assert err == "warning: no effect on an IPU (all of its tiles compute): --threads, --streams\n"


def test_ipu_options_take_effect_without_a_warning(driver, ipus: Ipus) -> None:
    argv = ["--half-partial", "--exchange-memory-target", "memory", "--num-io-tiles", "32"]
    code, _, err = driver(*GENERATED, *argv, "--enable-fast-groupnorm")
    assert (code, err) == (0, "")
    assert driver(*COMPILED, "--offline-target-ipu-version", "21")[::2] == (0, "")


def test_the_overrides_of_other_devices_do_not_hold() -> None:
    config = read_config(ROOT / "configs.yml", "resnet50")
    assert config.for_device("ipu") == config.values
