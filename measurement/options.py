"""The table of the driver's options, from which flags, configuration keys, defaults and help texts are made."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn


@dataclass(frozen=True)
class Option:
    """One option: `--micro-batch-size` on the command line, `micro_batch_size` in configs.yml.

    `parse` converts the text of either into the value, and raises `ValueError` with the expected form.
    An option without `in_config` is for the command line only: it controls what is done with a configuration, not what
    is measured.
    """

    key: str
    group: str
    help: str
    parse: Callable[[str], object] = str
    default: object = None
    choices: tuple[str, ...] = ()
    metavar: str = "N"
    many: bool = False
    in_config: bool = True

    @property
    def switch(self) -> bool:
        """Whether it takes no value: `--eight-bit-io`, `--no-eight-bit-io`."""
        return self.default is False

    @property
    def ipu_only(self) -> bool:
        """Whether it has an effect on IPUs only."""
        return self.group == IPU

    @property
    def flag(self) -> str:
        """The option's name on the command line."""
        return "--" + self.key.replace("_", "-")


def count(text: str) -> int:
    """A whole number of at least 1."""
    value = _whole(text)
    if value < 1:
        raise ValueError(f"{text} is too small: expected a whole number of 1 or more")
    return value


def count_or_zero(text: str) -> int:
    """A whole number of at least 0."""
    value = _whole(text)
    if value < 0:
        raise ValueError(f"{text} is negative: expected a whole number of 0 or more")
    return value


def io_tiles(text: str) -> int:
    """0, or an even number of tiles from 32 to 192 (PopTorch's `TensorLocations.numIOTiles`)."""
    value = _whole(text)
    if value != 0 and (value % 2 or not 32 <= value <= 192):
        raise ValueError(f"{text} is not a number of I/O tiles: expected 0, or an even number from 32 to 192")
    return value


def positive(text: str) -> float:
    """A finite number above 0."""
    value = _number(text, "above 0")
    if not 0 < value < float("inf"):
        raise ValueError(f"{text} is out of range: expected a finite number above 0")
    return value


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    value = _number(text, "from 0 to 1")
    if not 0 <= value <= 1:
        raise ValueError(f"{text} is out of range: expected a number from 0 to 1")
    return value


def _number(text: str, expected: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number: expected a number {expected}") from None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None


MODEL, DATA, RUN, ENGINE, IPU = "model", "data", "run", "backend and engine", "IPU only (no effect elsewhere)"

OPTIONS: tuple[Option, ...] = (
    Option(
        "config",
        MODEL,
        "named configuration of configs.yml; flags override it",
        metavar="NAME",
        in_config=False,
    ),
    Option("model", MODEL, "model name", default="resnet18", metavar="NAME"),
    Option(
        "weights",
        MODEL,
        "auto (pretrained if available, else random), pretrained, random, "
        "or a state dict file (.pth, .safetensors)",
        default="auto",
        metavar="WHICH",
    ),
    Option("random_weights", MODEL, "same as --weights random", default=False),
    Option("norm_type", MODEL, "normalisation layers", default="batch", choices=("batch", "group", "none")),
    Option(
        "norm_eps",
        MODEL,
        "epsilon of the normalisation layers (default: the model's own, which group norms inherit: 1e-5, "
        "for efficientnet-lite0 1e-3)",
        positive,
        metavar="EPS",
    ),
    Option("norm_num_groups", MODEL, "groups of group normalisation", count, default=32),
    Option(
        "batchnorm_momentum",
        MODEL,
        "momentum of batch normalisation (default: the model's own; no effect on inference)",
        fraction,
        metavar="M",
    ),
    Option("efficientnet_expand_ratio", MODEL, "expand ratio of EfficientNet blocks", count, default=6),
    Option(
        "efficientnet_group_dim",
        MODEL,
        "channels per group of EfficientNet's depthwise convolutions",
        count,
        default=1,
    ),
    Option(
        "input_image_padding",
        MODEL,
        "pad the images, and the first convolution with them, to 4 channels",
        default=False,
    ),
    Option(
        "list_layers",
        MODEL,
        "print the layers that --pipeline-splits accepts for this model, one per line, and exit",
        default=False,
        in_config=False,
    ),
    Option(
        "data",
        DATA,
        "real: JPEG files decoded during the run; generated: one host batch passed in on "
        "every call; synthetic: created on the device once",
        default="real",
        choices=("real", "synthetic", "generated"),
    ),
    Option("images", DATA, "folder of images for real data", default="data/images", metavar="DIR"),
    Option(
        "labels",
        DATA,
        "CSV with file and ImageNet class index (default: labels.csv in the folder)",
        metavar="FILE",
    ),
    Option("cache_images", DATA, "decode the images once, before timing", default=False),
    Option("dataloader_worker", DATA, "decoding workers of each replica (default: one per core)", count),
    Option(
        "dataloader_rebatch_size",
        DATA,
        "images that a worker takes at a time (default: 4, or fewer in small host calls; on an IPU up to 64)",
        count,
    ),
    Option(
        "normalization_location",
        DATA,
        "where pixels are normalised: in preprocessing (host), in the "
        "compiled model (ipu: on the device, whatever it is), nowhere (none)",
        default="host",
        choices=("host", "ipu", "none"),
    ),
    Option("eight_bit_io", DATA, "pass pixels in as 8-bit integers", default=False),
    Option("micro_batch_size", RUN, "samples in one micro-batch", count, default=1),
    Option("device_iterations", RUN, "micro-batches in one host call", count, default=1),
    Option(
        "replicas",
        RUN,
        "copies of the model that run concurrently: on a CPU each in its own process and on its own cores, "
        "on IPUs each on its own IPU (replication factor)",
        count,
        default=1,
    ),
    Option(
        "pipeline_splits",
        RUN,
        "layers before which the model is split into stages that run concurrently, each on its own cores (or IPU), "
        "such as layer2 layer3/0",
        metavar="NAME",
        many=True,
    ),
    Option("iterations", RUN, "timed host calls (without --duration: 100)", count),
    Option("duration", RUN, "stop after this many seconds of timed host calls", positive, metavar="SECONDS"),
    Option("warmup", RUN, "warm-up host calls; two more are always dropped", count_or_zero, default=1),
    Option(
        "compile_only",
        RUN,
        "compile the model, report the compile time, and exit",
        default=False,
        in_config=False,
    ),
    Option(
        "profile",
        RUN,
        "after the measured host calls, run a few under the engine's own profiler: "
        "a Chrome trace, and the ten most expensive layers; on an IPU, Poplar's report of the run itself",
        default=False,
        in_config=False,
    ),
    Option(
        "profile_path",
        RUN,
        "folder for the files of --profile (default: profile/MODEL-BACKEND-TIME)",
        metavar="DIR",
        in_config=False,
    ),
    Option(
        "precision",
        ENGINE,
        "16.16: what the device computes natively in 16 bits, else float32; 32.32: float32",
        default="16.16",
        choices=("16.16", "32.32"),
    ),
    Option(
        "backend",
        ENGINE,
        "engine (auto: the first of a fixed order that is installed)",
        default="auto",
        metavar="NAME",
    ),
    Option(
        "device",
        ENGINE,
        "auto: the backend's preferred available device",
        default="auto",
        choices=("auto", "cpu", "cuda", "ipu"),
    ),
    Option(
        "threads",
        ENGINE,
        "compute threads of the engine, in each replica and stage (default: one per core)",
        count,
    ),
    Option(
        "streams",
        ENGINE,
        "micro-batches that the engine computes concurrently, each with its share of the threads "
        "(default: with several device iterations the engine's choice for throughput, else 1)",
        count,
    ),
    Option(
        "model_cache_path",
        ENGINE,
        "store exported and compiled models in this folder, and load them from it",
        metavar="DIR",
    ),
    Option("half_partial", IPU, "16-bit partial sums", default=False),
    Option("enable_fast_groupnorm", IPU, "strided channel grouping in group normalisation", default=False),
    Option(
        "exchange_memory_target",
        IPU,
        "optimisation target of the exchange between tiles: cycles uses more memory and is faster",
        default="cycles",
        choices=("cycles", "balanced", "memory"),
    ),
    Option(
        "num_io_tiles",
        IPU,
        "tiles reserved for input and output, which then overlap with computation: 0 (none) or even, 32 to 192",
        io_tiles,
        default=0,
    ),
    Option(
        "offline_target_ipu_version",
        IPU,
        "with --compile-only, compile for this version of the IPU, without an IPU",
        choices=("1", "2", "21"),
    ),
)

BY_KEY: Mapping[str, Option] = {option.key: option for option in OPTIONS}


def parse_flags(argv: Sequence[str] | None, prog: str, description: str) -> dict[str, object]:
    """The options given on the command line, as `{key: value}`; others are absent.

    Prints an error and exits with code 2 for an unknown flag or an invalid value (argparse's convention), and with 0
    after `--help`.
    """
    parser = _Parser(prog=prog, description=description, argument_default=argparse.SUPPRESS)
    groups = {name: parser.add_argument_group(name) for name in dict.fromkeys(o.group for o in OPTIONS)}
    for option in OPTIONS:
        _add(groups[option.group], option)
    given, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{_near_flags(unknown)}")
    return vars(given)


def _near_flags(unknown: Sequence[str]) -> str:
    flags = [option.flag for option in OPTIONS]
    names = [argument.partition("=")[0] for argument in unknown if argument.startswith("-")]
    near = [difflib.get_close_matches(name, flags, n=1, cutoff=0.6) for name in names]
    meant = list(dict.fromkeys(flag for found in near for flag in found))
    return f"; did you mean {' or '.join(meant)}?" if meant else ""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\nhint: {self.prog} --help lists all options\n")


def _add(group: argparse._ArgumentGroup, option: Option) -> None:
    text = (
        option.help
        if option.default is None or option.switch
        else f"{option.help} (default: {option.default})"
    )
    if option.switch:
        group.add_argument(option.flag, dest=option.key, action=argparse.BooleanOptionalAction, help=text)
    elif option.choices:
        group.add_argument(option.flag, dest=option.key, choices=option.choices, help=text)
    else:
        group.add_argument(
            option.flag,
            dest=option.key,
            type=_argparse_type(option),
            metavar=option.metavar,
            nargs="+" if option.many else None,
            help=text,
        )


def _argparse_type(option: Option) -> Callable[[str], object]:
    def convert(text: str) -> object:
        try:
            return option.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert
