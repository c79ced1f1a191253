"""Flags beat the configuration, which beats the default; what cannot be is refused by name."""

from pathlib import Path

import pytest

from measurement.configs import Config, ConfigError, read_config
from measurement.options import OPTIONS, parse_flags
from measurement.settings import Settings, SettingsError, resolve

ROOT = Path(__file__).parents[2]


def settings(flags: dict[str, object], config: Config | None = None, device: str = "cpu") -> Settings:
    return resolve(flags, config, device, "openvino")[0]


def write(folder: Path, text: str) -> Path:
    path = folder / "configs.yml"
    path.write_text(text)
    return path


class TestPrecedence:
    config = Config("c", {"micro_batch_size": 90, "warmup": 7}, {"cpu": {"micro_batch_size": 8}})

    def test_a_flag_beats_the_configuration_which_beats_the_default(self) -> None:
        found = settings({"micro_batch_size": 3}, self.config)
        assert (found.micro_batch_size, found.warmup, found.device_iterations) == (3, 7, 1)
        assert found.origin["micro_batch_size"] == "flag"
        assert found.origin["warmup"] == "configuration c"
        assert found.origin["device_iterations"] == "default"

    def test_the_override_of_a_device_holds_on_that_device_alone(self) -> None:
        assert settings({}, self.config, "cpu").micro_batch_size == 8
        assert settings({}, self.config, "ipu").micro_batch_size == 90
        assert settings({}, self.config, "cuda").micro_batch_size == 90

    def test_a_switch_can_be_turned_off_against_the_configuration(self) -> None:
        on = Config("c", {"eight_bit_io": True}, {})
        assert settings({}, on).eight_bit_io
        assert not settings(parse_flags(["--no-eight-bit-io"], "x", ""), on).eight_bit_io

    @pytest.mark.parametrize(
        ("flags", "in_config", "expected"),
        [
            ({}, {}, "auto"),
            ({"random_weights": True}, {}, "random"),
            ({"weights": "w.pth"}, {"random_weights": True}, "w.pth"),
            ({"random_weights": False}, {"random_weights": True}, "auto"),
            ({"random_weights": True}, {"weights": "pretrained"}, "random"),
            ({}, {"random_weights": True}, "random"),
        ],
    )
    def test_weights_come_from_the_strongest_word_on_them(
        self, flags: dict[str, object], in_config: dict[str, object], expected: str
    ) -> None:
        assert settings(flags, Config("c", in_config, {})).weights == expected

    @pytest.mark.parametrize(
        ("flags", "in_config", "expected"),
        [
            ({}, {}, (100, None)),
            ({"duration": 2.0}, {}, (None, 2.0)),
            ({"iterations": 5}, {"duration": 8.0}, (5, None)),
            ({"duration": 2.0}, {"iterations": 7}, (None, 2.0)),
            ({"duration": 2.0, "iterations": 5}, {}, (5, 2.0)),
            ({}, {"duration": 8.0}, (None, 8.0)),
        ],
    )
    def test_a_limit_on_the_command_line_replaces_the_configurations_limit(
        self,
        flags: dict[str, object],
        in_config: dict[str, object],
        expected: tuple[int | None, float | None],
    ) -> None:
        found = settings(flags, Config("c", in_config, {}))
        assert (found.iterations, found.duration_s) == expected


class TestRefusalsAndWarnings:
    def test_two_words_on_weights_that_exclude_each_other_are_refused(self) -> None:
        with pytest.raises(SettingsError, match=r"--random-weights and --weights w\.pth"):
            settings({"random_weights": True, "weights": "w.pth"})

    def test_eight_bit_pixels_move_the_normalisation_into_the_model_and_report_it(self) -> None:
        found, warnings = resolve({"eight_bit_io": True}, None, "cpu", "torch")
        assert found.normalization_location == "ipu"
        assert "--normalization-location" in warnings[0]

    def test_options_for_an_ipu_are_named_in_one_warning_line_elsewhere(self) -> None:
        flags = {"half_partial": True, "enable_fast_groupnorm": True}
        _, warnings = resolve(flags, None, "cpu", "torch")
        assert warnings == ("no effect on cpu (IPU only): --half-partial, --enable-fast-groupnorm",)
        assert resolve(flags, None, "ipu", "torch")[1] == ()

    def test_options_for_photographs_are_named_when_there_are_none(self) -> None:
        _, warnings = resolve({"data": "generated", "cache_images": True}, None, "cpu", "torch")
        assert warnings == ("no effect with --data generated (real data only): --cache-images",)


class TestFlags:
    def test_prefixes_of_flags_work(self) -> None:
        found = parse_flags(["--data", "real", "--micro-batch-size", "1", "--device-iteration", "1"], "x", "")
        assert found == {"data": "real", "micro_batch_size": 1, "device_iterations": 1}

    @pytest.mark.parametrize(
        ("argv", "complaint"),
        [
            (["--micro-batch-size", "0"], "--micro-batch-size: 0 is too small"),
            (["--micro-batch-size", "many"], "--micro-batch-size: 'many' is not a whole number"),
            (["--duration", "nan"], "--duration: nan is out of range"),
            (["--duration", "-1"], "--duration"),
            (["--warmup", "-1"], "--warmup"),
            (["--precision", "8.8"], "--precision"),
            (["--no-such-flag"], "--no-such-flag"),
            (["--micro-batchsize", "3"], "did you mean --micro-batch-size"),
            (["--precison=32.32"], "did you mean --precision"),
        ],
    )
    def test_a_bad_flag_ends_with_exit_code_2_and_its_name(
        self, argv: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            parse_flags(argv, "x", "")
        assert ended.value.code == 2
        assert complaint in capsys.readouterr().err

    def test_help_names_every_option(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            parse_flags(["--help"], "x", "")
        assert ended.value.code == 0
        text = capsys.readouterr().out
        assert [option.flag for option in OPTIONS if option.flag not in text] == []


class TestConfigurations:
    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("resnet50", {"model": "resnet50", "micro_batch_size": 90, "device_iterations": 128}),
            ("efficientnet-b0", {"model": "efficientnet-b0", "micro_batch_size": 49}),
            ("efficientnet-b4", {"model": "efficientnet-b4", "micro_batch_size": 12}),
            ("mobilenet-v3-small", {"micro_batch_size": 224, "device_iterations": 64}),
            ("mobilenet-v3-large", {"micro_batch_size": 64, "device_iterations": 128}),
            ("efficientnet-b0-g16-gn", {"model": "efficientnet-b0", "micro_batch_size": 106}),
            ("efficientnet-b4-g16-gn", {"model": "efficientnet-b4", "micro_batch_size": 26}),
        ],
    )
    def test_the_seven_have_their_values_on_an_ipu_and_overrides_elsewhere(
        self, name: str, values: dict[str, object]
    ) -> None:
        config = read_config(ROOT / "configs.yml", name)
        common = {"precision": "16.16", "replicas": 1, "half_partial": True, "eight_bit_io": True}
        group = {
            "efficientnet_group_dim": 16,
            "efficientnet_expand_ratio": 4,
            "norm_type": "group",
            "norm_eps": 0.001,
            "norm_num_groups": 4,
            "enable_fast_groupnorm": True,
            "random_weights": True,
        }
        expected = common | {"normalization_location": "ipu"} | values
        expected |= group if name.endswith("-gn") else {"norm_type": "batch"}
        on_ipu = config.for_device("ipu")
        assert {key: on_ipu.get(key) for key in expected} == expected
        assert set(config.overrides) == {"cpu", "cuda"}

    def test_an_unknown_name_lists_the_near_ones(self) -> None:
        with pytest.raises(ConfigError, match="did you mean resnet50"):
            read_config(ROOT / "configs.yml", "resnet5")

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            (
                "a:\n  model: x\n  micro_batchsize: 4\n",
                "3: unknown key micro_batchsize: did you mean micro_batch_size",
            ),
            ("a:\n  cpu:\n    modle: x\n", "3: unknown key modle: did you mean model"),
            ("a:\n  quux: 1\n", "2: unknown key quux .there are: model, weights, "),
            ("a:\n  config: b\n", "2: config is not allowed in a configuration.*--config"),
            ("a:\n  list_layers: true\n", "2: list_layers is not allowed in a configuration.*--list-layers"),
            (
                "a:\n  compile_only: true\n",
                "2: compile_only is not allowed in a configuration.*--compile-only",
            ),
            ("a:\n  cpu: {profile: true}\n", "2: profile is not allowed in a configuration.*--profile"),
            (
                "a:\n  model: x\n  cpu: {backend: onnxruntime}\n",
                "3: backend is not allowed under cpu.*top level of the configuration, or --backend",
            ),
            (
                "o_options: &o\n  device: cpu\na:\n  ipu: *o\n",
                "2: device is not allowed under ipu.*top level of the configuration, or --device",
            ),
            ("a:\n  model: x\n  model: y\n", "3: duplicate key model in a .first in line 2"),
            ("a: {}\na: {}\n", "2: duplicate key a "),
            ("a:\n  micro_batch_size: 0\n", "2: micro_batch_size: 0 is too small"),
            ("a:\n  micro_batch_size: [1, 2]\n", "2: micro_batch_size: .* is not a single value"),
            ("a:\n  half_partial: 'yes'\n", "2: half_partial: 'yes' is not true or false"),
            ("a:\n  norm_type: layer\n", "2: norm_type: 'layer' is not one of batch, group, none"),
            ("a: 3\n", "1: a must be a mapping"),
            ("- a\n", "1: the file must be a mapping"),
            ("a: [\n", "not valid YAML"),
            ("a:\n  <<: 3\n", "bad merge"),
            ("", "is empty"),
        ],
    )
    def test_a_bad_file_is_refused_with_its_line(self, tmp_path: Path, text: str, complaint: str) -> None:
        path = write(tmp_path, text)
        with pytest.raises(ConfigError, match=complaint) as refused:
            read_config(path, "a")
        assert str(path) in str(refused.value)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot be read"):
            read_config(tmp_path / "none.yml", "a")

    @pytest.mark.parametrize(("name", "norm"), [("common", "batch"), ("efficientnet-g16-gn", "group")])
    def test_the_shared_values_of_the_suite_can_be_chosen_with_a_model(self, name: str, norm: str) -> None:
        config = read_config(ROOT / "configs.yml", name)
        assert "model" not in config.values
        found = settings({"model": "efficientnet-b4"}, config, "ipu")
        assert (found.model, found.norm_type, found.device_iterations) == ("efficientnet-b4", norm, 128)

    def test_shared_blocks_are_merged_and_not_configurations(self, tmp_path: Path) -> None:
        path = write(tmp_path, "x_options: &x {warmup: 3, model: m}\na: {<<: *x, model: n}\n")
        assert read_config(path, "a").values == {"warmup": 3, "model": "n"}
        with pytest.raises(ConfigError, match="no such configuration"):
            read_config(path, "x_options")
