"""Options and fixtures of the tests that need a real server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from driver.exit_codes import FAILED, REFUSED
from serving.binary import find_triton
from serving.errors import ServingError, ServingRefused
from serving.load import Load
from serving.loading import loaded
from serving.repository import open_repository, write_model
from serving.served_model import ROOT, ServedModel, served_model
from serving.server import Server, port_is_free, running_server
from serving.shared_images import Region, registered, shared_images, used_images
from tests_serial.tritonserver import options
from tests_serial.tritonserver.options import REPOSITORY, model_of

if TYPE_CHECKING:
    from datasets.images import ImageSet

TESTS = Path(__file__).parent
REPORTED = (ServingError, ServingRefused, *FAILED, *REFUSED)
"""Errors whose message is complete: a traceback would only hide it."""


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if not pluginmanager.has_plugin(options.__name__):  # without the wrapper
        options.pytest_addoption(parser)


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts a background job with Ctrl-C ignored, and the runs that tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "throughput: measures; the only tests with --benchmark_only")
    config.addinivalue_line("markers", "open_loop: measures at --request-rate; deselected without it")
    if config.option.help:
        return
    try:
        find_triton()
        open_repository(repository_of(config))
    except ServingRefused as refused:
        raise pytest.UsageError(str(refused)) from None
    if config.option.latency_limit is not None and config.option.request_rate is None:
        raise pytest.UsageError(
            f"--latency-limit {config.option.latency_limit:g}: needs an open loop; give --request-rate too"
        )
    port = config.option.grpc_port
    if port is not None and not port_is_free(port):
        raise pytest.UsageError(
            f"--grpc-port {port}: another program uses this port; give another one, or leave the option out"
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "configuration" in metafunc.fixturenames:
        names = metafunc.config.option.configurations
        ids = [f"{name}-{model_of(name)}" for name in names]
        metafunc.parametrize("configuration", names, ids=ids, scope="module")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    selected, others = [], []
    for item in items:
        opens = item.get_closest_marker("open_loop") is not None
        closed = item.get_closest_marker("throughput") is not None
        fits = opens if opens or config.option.request_rate else closed or not config.option.benchmark_only
        fits = fits and not (opens and config.option.request_rate is None)
        (selected if fits else others).append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = selected


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    with _short_failures():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with _short_failures():
        return (yield)


@contextmanager
def _short_failures() -> Iterator[None]:
    try:
        yield
    except REPORTED as error:
        pytest.fail(str(error), pytrace=False)


def repository_of(config: pytest.Config) -> Path:
    """The folder of the option, relative to the current folder; the default, relative to the tests."""
    given: Path | None = config.option.model_repository
    return (TESTS / REPOSITORY if given is None else given).resolve()


@dataclass(frozen=True)
class AtServer:
    """A configuration that the server has loaded, with images for requests; `instances` is what they report."""

    server: Server
    served: ServedModel
    region: Region
    instances: list[dict[str, Any]]
    shared_memory: bool
    """Whether the server may read the region; otherwise requests contain their pixels."""

    @property
    def dtype(self) -> str:
        """The type that the instances compute in."""
        return str(self.instances[0]["effective"]["dtype"])


@pytest.fixture(scope="session")
def repository(request: pytest.FixtureRequest) -> Path:
    return repository_of(request.config)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, repository: Path) -> Iterator[Server]:
    """The single server of this run, which loads and unloads models."""
    log = ROOT / "logs/tritonserver" / time.strftime(f"%Y-%m-%d-%H.%M.%S-{os.getpid()}.log")
    with running_server(find_triton(), repository, log, request.config.option.grpc_port) as running:
        yield running


@pytest.fixture(scope="session")
def images(request: pytest.FixtureRequest) -> ImageSet:
    from datasets.images import find_images

    return find_images(request.config.option.images)


@pytest.fixture(scope="session")
def serve(
    request: pytest.FixtureRequest, server: Server, images: ImageSet, repository: Path
) -> Callable[..., Any]:
    """`serve(name, flags, configuration)`: a context in which the server serves this model."""
    given = request.config.option

    @contextmanager
    def serving(
        name: str, flags: dict[str, object] | None = None, configuration: str | None = None, **more: Any
    ) -> Iterator[AtServer]:
        made = served_model(
            name,
            {**({"backend": given.backend} if given.backend else {}), **(flags or {})},
            configuration,
            **{"instances": given.instances, "dynamic_batching_us": given.dynamic_batching, **more},
        )
        for line in dict.fromkeys((*made.warnings, *write_model(repository, made))):
            print(f"warning: {line}")
        shared_memory = given.shared_memory == "system"
        with ExitStack() as stack:
            made = made.with_images(used_images(made, images), given.images)
            region = stack.enter_context(shared_images(made, images))
            instances = stack.enter_context(loaded(server, name))
            if shared_memory:
                stack.enter_context(registered(server, region))
            yield AtServer(server, made, region, instances, shared_memory)

    return serving


@pytest.fixture(scope="module")
def at_server(serve: Callable[..., Any], configuration: str) -> Iterator[AtServer]:
    """The configuration of this test, loaded once for all of its consecutive tests."""
    with _short_failures(), serve(configuration, None, configuration) as found:
        yield found


@pytest.fixture
def duration_s(request: pytest.FixtureRequest, at_server: AtServer) -> float:
    """The duration of a measurement: from the option, else the configuration, else 5 s."""
    return float(request.config.option.duration or at_server.served.settings.duration_s or 5.0)


@pytest.fixture
def load(at_server: AtServer, request_type: Any, clients: int) -> Load:
    return Load(request_type, clients, at_server.shared_memory)
