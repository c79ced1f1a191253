"""The options of the tests that need a real server.

A separate plugin, which the wrapper loads: pytest reads the options of a conftest.py only after it has searched for
tests, and would take `DIR` of `--model-repository DIR` for a path of tests.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from measurement.configs import read_config
from measurement.options import count, count_or_zero, positive
from serving.served_model import ENGINES, ROOT

CONFIGURATIONS = (
    "resnet50",
    "efficientnet-b0",
    "efficientnet-b4",
    "mobilenet-v3-small",
    "mobilenet-v3-large",
    "efficientnet-b0-g16-gn",
    "efficientnet-b4-g16-gn",
)
REPOSITORY = "../test_serial/tritonserver/models"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("Triton Inference Server")
    # argparse has no switch with an optional `=value`; a separate value would consume a path of tests.
    group.addoption(
        "--benchmark_only",
        "--benchmark_only=true",
        dest="benchmark_only",
        action="store_true",
        help="run only the throughput tests, with requests of exactly the configuration's batch size",
    )
    group.addoption(
        "--benchmark_only=false", dest="benchmark_only", action="store_false", help="run all tests (default)"
    )
    group.addoption(
        "--model-repository",
        metavar="DIR",
        type=Path,
        default=None,
        help=f"folder to which models are exported; created if missing (default: {REPOSITORY}, relative to the tests)",
    )
    group.addoption(
        "--grpc-port", metavar="N", type=_with_message(_port), help="port of the server (default: a free one)"
    )
    group.addoption(
        "--configurations",
        metavar="NAME[,NAME…]",
        type=_with_message(_configurations),
        default=CONFIGURATIONS,
        help="use only these configurations of configs.yml (default: the seven of the benchmarks)",
    )
    group.addoption(
        "--images",
        metavar="DIR",
        type=Path,
        default=ROOT / "data/images",
        help="folder of images for requests (default: data/images)",
    )
    group.addoption(
        "--duration",
        metavar="SECONDS",
        type=_with_message(positive),
        help="duration of each measurement (default: the configuration's)",
    )
    group.addoption(
        "--backend",
        choices=("auto", *ENGINES),
        help="engine of the instances (default: the configuration's, else auto)",
    )
    group.addoption(
        "--instances",
        metavar="N",
        type=_with_message(count),
        help="instances of a model, which share the cores (default: one per core)",
    )
    group.addoption(
        "--dynamic-batching",
        metavar="MICROSECONDS",
        type=_with_message(count_or_zero),
        help="time that the server waits for more requests to compute as one batch (default: off)",
    )
    group.addoption(
        "--shared-memory",
        choices=("system", "none"),
        default="system",
        help="system: requests refer to pixels in shared memory; none: requests contain them (default: system)",
    )
    group.addoption(
        "--request-rate",
        metavar="R[,R…]",
        type=_with_message(_rates),
        help="open loop: Poisson arrivals at this number of requests per second; latency counts from the due time",
    )
    group.addoption(
        "--latency-limit",
        metavar="MS",
        type=_with_message(positive),
        help="with --request-rate: also search for the highest rate with p99 under this limit",
    )


def model_of(configuration: str) -> str:
    """The model of a configuration. Raises `ConfigError` if there is no such configuration."""
    return str(read_config(ROOT / "configs.yml", configuration).values["model"])


def _configurations(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        model_of(name)
    return names


def _rates(text: str) -> tuple[float, ...]:
    return tuple(positive(rate) for rate in text.split(","))


def _port(text: str) -> int:
    value = count(text)
    if value > 65535:
        raise ValueError(f"{text} is not a port: expected a whole number from 1 to 65535")
    return value


def _with_message(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """`parse` for argparse, which would otherwise hide the message of a ValueError."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert
