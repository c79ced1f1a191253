"""Options and fixtures of the tests that need a real server."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from datasets.images import ImageSet, find_images
from driver.exit_codes import FAILED, REFUSED
from measurement.configs import read_config
from measurement.options import count, count_or_zero, positive
from serving.binary import find_triton
from serving.errors import ServingError, ServingRefused
from serving.load import Load
from serving.loading import loaded
from serving.repository import open_repository, write_model
from serving.served import ENGINES, ROOT, Served, served
from serving.server import Server, port_is_free, running_server
from serving.shared_images import Region, registered, shared_photographs

TESTS = Path(__file__).parent
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
TOLD = (ServingError, ServingRefused, *FAILED, *REFUSED)
"""Errors whose message says everything: a traceback would only hide it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("Triton Inference Server")
    # argparse knows no switch that also takes a value in its own word, and a separate word would swallow a path.
    group.addoption(
        "--benchmark_only",
        "--benchmark_only=true",
        dest="benchmark_only",
        action="store_true",
        help="only the throughput tests, with requests of exactly the configuration's batch size",
    )
    group.addoption(
        "--benchmark_only=false", dest="benchmark_only", action="store_false", help="all tests (default)"
    )
    group.addoption(
        "--model-repository",
        metavar="DIR",
        type=Path,
        default=None,
        help=f"where models are exported to, and made when missing (default: {REPOSITORY}, relative to the tests)",
    )
    group.addoption(
        "--grpc-port", metavar="N", type=_said(_port), help="port of the server (default: a free one)"
    )
    group.addoption(
        "--configurations",
        metavar="NAME[,NAME…]",
        type=_said(_configurations),
        default=CONFIGURATIONS,
        help="only these configurations of configs.yml (default: the seven of the benchmarks)",
    )
    group.addoption(
        "--images",
        metavar="DIR",
        type=Path,
        default=ROOT / "data/images",
        help="photographs (default: data/images)",
    )
    group.addoption(
        "--duration",
        metavar="SECONDS",
        type=_said(positive),
        help="of each measurement (default: the configuration's)",
    )
    group.addoption("--backend", choices=("auto", *ENGINES), default="auto", help="engine of the instances")
    group.addoption(
        "--instances",
        metavar="N",
        type=_said(count),
        help="instances of a model, which share the cores (default: one a core)",
    )
    group.addoption(
        "--dynamic-batching",
        metavar="MICROSECONDS",
        type=_said(count_or_zero),
        help="the server makes a batch of requests that come within this time (default: off)",
    )
    group.addoption(
        "--shared-memory",
        choices=("system", "none"),
        default="system",
        help="how pixels come to the server: in place, or inside the requests (default: system)",
    )
    group.addoption(
        "--request-rate",
        metavar="R[,R…]",
        type=_said(_rates),
        help="open loop: Poisson arrivals of so many requests a second; latency counts from when each was due",
    )
    group.addoption(
        "--latency-limit",
        metavar="MS",
        type=_said(positive),
        help="with --request-rate: also searches for the highest rate with p99 under this limit",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "throughput: measures; the only tests that --benchmark_only leaves")
    config.addinivalue_line("markers", "open_loop: measures at --request-rate, and is left out without it")
    if config.option.help:
        return
    try:
        find_triton()
        open_repository(repository_of(config))
    except ServingRefused as refused:
        raise pytest.UsageError(str(refused)) from None
    if config.option.latency_limit is not None and config.option.request_rate is None:
        raise pytest.UsageError(
            f"--latency-limit {config.option.latency_limit:g}: it is a limit for an open loop; give --request-rate too"
        )
    port = config.option.grpc_port
    if port is not None and not port_is_free(port):
        raise pytest.UsageError(
            f"--grpc-port {port}: another program has this port; give another one, or leave the option out"
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "configuration" in metafunc.fixturenames:
        names = metafunc.config.option.configurations
        ids = [f"{name}-{_model_of(name)}" for name in names]
        metafunc.parametrize("configuration", names, ids=ids, scope="module")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted, others = [], []
    for item in items:
        opens = item.get_closest_marker("open_loop") is not None
        closed = item.get_closest_marker("throughput") is not None
        fits = opens if opens or config.option.request_rate else closed or not config.option.benchmark_only
        fits = fits and not (opens and config.option.request_rate is None)
        (wanted if fits else others).append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = wanted


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    with _told_in_words():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with _told_in_words():
        return (yield)


@contextmanager
def _told_in_words() -> Iterator[None]:
    try:
        yield
    except TOLD as error:
        pytest.fail(str(error), pytrace=False)


def repository_of(config: pytest.Config) -> Path:
    """The folder of the option, relative to where we are; the default one, relative to the tests."""
    given: Path | None = config.option.model_repository
    return (TESTS / REPOSITORY if given is None else given).resolve()


@dataclass(frozen=True)
class AtServer:
    """A configuration that the server has loaded, with photographs for requests; `said` is by its instances."""

    server: Server
    served: Served
    region: Region
    said: list[dict[str, Any]]

    @property
    def dtype(self) -> str:
        """What the instances really compute in."""
        return str(self.said[0]["effective"]["dtype"])


@pytest.fixture(scope="session")
def repository(request: pytest.FixtureRequest) -> Path:
    return repository_of(request.config)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, repository: Path) -> Iterator[Server]:
    """The one server of this run; models come and go."""
    log = ROOT / "logs/tritonserver" / time.strftime("%Y-%m-%d-%H.%M.%S.log")
    with running_server(find_triton(), repository, log, request.config.option.grpc_port) as running:
        yield running


@pytest.fixture(scope="session")
def images(request: pytest.FixtureRequest) -> ImageSet:
    return find_images(request.config.option.images)


@pytest.fixture(scope="session")
def serve(
    request: pytest.FixtureRequest, server: Server, images: ImageSet, repository: Path
) -> Callable[..., Any]:
    """`serve(name, flags, configuration)`: a context in which the server has this model."""
    options = request.config.option

    @contextmanager
    def serving(
        name: str, flags: dict[str, object] | None = None, configuration: str | None = None, **more: Any
    ) -> Iterator[AtServer]:
        made = served(
            name,
            {"backend": options.backend, **(flags or {})},
            configuration,
            **{"instances": options.instances, "dynamic_batching_us": options.dynamic_batching, **more},
        )
        for line in dict.fromkeys((*made.warnings, *write_model(repository, made))):
            print(f"warning: {line}")
        with (
            shared_photographs(made, images) as region,
            loaded(server, name) as said,
            registered(server, region),
        ):
            yield AtServer(server, made, region, said)

    return serving


@pytest.fixture(scope="module")
def at_server(serve: Callable[..., Any], configuration: str) -> Iterator[AtServer]:
    """The configuration of this test, loaded once for all tests of it in a row."""
    with _told_in_words(), serve(configuration, None, configuration) as found:
        yield found


@pytest.fixture
def duration_s(request: pytest.FixtureRequest, at_server: AtServer) -> float:
    """Of a measurement: the option's, else the configuration's, else 5 s."""
    return float(request.config.option.duration or at_server.served.settings.duration_s or 5.0)


@pytest.fixture
def load(request: pytest.FixtureRequest, request_type: Any, clients: int) -> Load:
    return Load(request_type, clients, request.config.option.shared_memory == "system")


def _model_of(configuration: str) -> str:
    return str(read_config(ROOT / "configs.yml", configuration).values["model"])


def _configurations(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        _model_of(name)
    return names


def _rates(text: str) -> tuple[float, ...]:
    return tuple(positive(rate) for rate in text.split(","))


def _port(text: str) -> int:
    value = count(text)
    if value > 65535:
        raise ValueError(f"{text} is no port: expected a whole number from 1 to 65535")
    return value


def _said(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """`parse` for argparse, which otherwise keeps to itself what was expected."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert
