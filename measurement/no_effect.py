"""Warnings about given options that have no effect in this run, one line per reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from measurement.options import BY_KEY, DATA, ENGINE, OPTIONS, RUN, Option

Values = Mapping[str, Any]

REAL_DATA_OPTIONS = ("images", "labels", "cache_images", "dataloader_worker", "dataloader_rebatch_size")
BLOCK_OPTIONS = ("efficientnet_expand_ratio", "efficientnet_group_dim")
IPU_OPTIONS = tuple(option.key for option in OPTIONS if option.ipu_only)

# The options that the names of a model's layers do not depend on. Normalisation in the model is a layer of its own.
IDLE_FOR_LAYERS = (
    "weights",
    "norm_eps",
    "batchnorm_momentum",
    "input_image_padding",
    *(
        option.key
        for option in OPTIONS
        if option.group in (DATA, RUN, ENGINE)
        and option.key not in ("normalization_location", "eight_bit_io", "backend", "device")
    ),
)


@dataclass(frozen=True)
class Rule:
    """`keys` have no effect if `holds`; `{…}` in `reason` is filled from the settings.

    `cause` is the option that causes this; None if it is the machine, or cannot be changed.
    """

    keys: tuple[str, ...]
    reason: str
    holds: Callable[[Values], bool]
    cause: str | None = None


# Only the first rule that holds for an option is reported.
RULES = (
    Rule(IPU_OPTIONS, "on {device} (IPU only)", lambda v: v["device"] != "ipu"),
    Rule(
        IDLE_FOR_LAYERS,
        "with --list-layers (nothing is compiled or run)",
        lambda v: v["list_layers"],
        "list_layers",
    ),
    Rule(
        (*REAL_DATA_OPTIONS, "iterations", "duration", "warmup"),
        "with --compile-only (nothing is run)",
        lambda v: v["compile_only"],
        "compile_only",
    ),
    Rule(REAL_DATA_OPTIONS, "with --data {data} (real data only)", lambda v: v["data"] != "real", "data"),
    Rule(
        ("dataloader_worker", "dataloader_rebatch_size"),
        "on the results with --cache-images (images are decoded before timing)",
        lambda v: v["cache_images"],
        "cache_images",
    ),
    Rule(
        ("labels",),
        "with --weights random (random weights have no top-1)",
        lambda v: v["weights"] == "random",
        "weights",
    ),
    Rule(
        ("norm_num_groups",),
        "with --norm-type {norm_type} (group norms only)",
        lambda v: v["norm_type"] != "group",
        "norm_type",
    ),
    Rule(
        ("norm_eps",),
        "with --norm-type none (there are no norms)",
        lambda v: v["norm_type"] == "none",
        "norm_type",
    ),
    Rule(("batchnorm_momentum",), "on inference (used in training only)", lambda v: True),
    Rule(
        BLOCK_OPTIONS,
        "with --model {model} (EfficientNets only)",
        # Other values than the model's own are refused when it is built.
        lambda v: (
            "efficientnet" not in v["model"] and all(v[key] == BY_KEY[key].default for key in BLOCK_OPTIONS)
        ),
        "model",
    ),
    Rule(("threads",), "on cuda (the CPU's threads do not compute)", lambda v: v["device"] == "cuda"),
    Rule(("threads", "streams"), "on an IPU (all of its tiles compute)", lambda v: v["device"] == "ipu"),
    Rule(("profile_path",), "without --profile", lambda v: not v["profile"], "profile"),
)


def without_effect(values: Values, origin: Mapping[str, str]) -> list[str]:
    """One line per reason, with all options that have no effect for it.

    `origin` is where each value came from. A configuration's value that a flag makes idle is not reported, as the user
    gave that flag on purpose.
    """
    reported: dict[str, list[str]] = {}
    idle: set[str] = set()
    for rule in RULES:
        given = [o for o in OPTIONS if o.key in rule.keys and o.key not in idle and _asks(o, values, origin)]
        if not given or not rule.holds(values):
            continue
        idle |= {option.key for option in given}
        flags = [option.flag for option in given if not _overruled(option.key, rule.cause, origin)]
        if flags:
            reported[rule.reason.format_map(values)] = flags
    return [f"no effect {reason}: {', '.join(flags)}" for reason, flags in reported.items()]


def _asks(option: Option, values: Values, origin: Mapping[str, str]) -> bool:
    """Whether the option was given, other than to switch it off."""
    if origin.get(option.key, "default") == "default":
        return False
    value = values[option.key]
    off = value is None or value is False or value == () or (option.ipu_only and value == 0)
    return not off


def _overruled(key: str, cause: str | None, origin: Mapping[str, str]) -> bool:
    return cause is not None and origin[cause] == "flag" and origin[key] != "flag"
