"""What the tests of several folders share."""

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

# Tests run in parallel: OpenMP threads that spin while they wait for each other would block them all.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Nor do they, or the processes that they start, fetch weights: what a hub answers is tested in test_model_hub.py.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Iterator, Sequence

from datasets.packaged_photographs import copy_packaged_photographs
from driver.telemetry import switch_off
from measurement.machine import cores_in_use
from tests.poptorch_double import Ipus, machine_with_ipus
from tests.surroundings import leave_surroundings

# No test depends on how fast or how busy the machine is. A fixture is made once for all examples of a test.
NOT_CHECKED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("tests", deadline=None, print_blob=True, suppress_health_check=NOT_CHECKED)
settings.register_profile("quick", settings.get_profile("tests"), max_examples=20)
settings.load_profile("tests")

ROOT = Path(__file__).parents[1]
MARKER_OF_FIXTURE = {"postgresql_programs": "database", "browser": "browser"}


def pytest_configure() -> None:
    leave_surroundings()
    switch_off()
    # A shell starts a background job with Ctrl-C ignored, and the processes of tests would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    # Tests and libraries stay: neither the collector nor, after a fork, the kernel shall touch each of their objects.
    gc.freeze()


@pytest.hookimpl(tryfirst=True)  # before pytest selects by markers
def pytest_collection_modifyitems(items: Sequence[pytest.Function]) -> None:
    """Marks what needs a server or a browser, so that nobody has to remember it."""
    for item in items:
        for fixture in MARKER_OF_FIXTURE.keys() & set(item.fixturenames):
            item.add_marker(MARKER_OF_FIXTURE[fixture])


def of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session", autouse=True)
def _without_disk() -> Iterator[None]:
    """No test cuts the power, and waiting for the disk takes a quarter of a short run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_caches(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the user's runs remember, such as crashes of engines, is neither read nor changed."""
    os.environ["XDG_CACHE_HOME"] = str(of_this_run(tmp_path_factory) / "cache")


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all packaged photographs with their labels.csv. To be read only."""
    folder = tmp_path_factory.mktemp("photographs")
    copy_packaged_photographs(folder)
    return folder


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for --model-cache-path that all test processes of this run share: a model is exported once."""
    return of_this_run(tmp_path_factory) / "model-cache"


@pytest.fixture(scope="session")
def ready_model(model_cache: Path) -> list[str]:
    """Flags of a model that is exported already: on generated data a process of it takes half a second and no torch.

    For one process with all cores, and for each of two with half of them; with the options that change the model, and
    with another size of the micro-batch than 2, it would be exported anew.
    """
    flags = ["--model", "mobilenet-v3-small", "--random-weights", "--backend", "openvino"]
    flags += ["--micro-batch-size", "2", "--model-cache-path", str(model_cache)]
    argv, cores = [*flags, "--data", "generated", "--compile-only"], cores_in_use()
    with FileLock(f"{model_cache}.lock"):
        for used in (cores, cores[: max(1, len(cores) // 2)]):
            pinned = f"import os, sys, run_benchmark; os.sched_setaffinity(0, {used})"
            code = f"{pinned}; sys.exit(run_benchmark.main({argv}))"
            subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    return flags


@pytest.fixture
def driver(capfd: pytest.CaptureFixture[str]):
    """`driver(*argv)`: exit code, stdout and stderr of the driver, run in this process."""

    def run(*argv: str) -> tuple[int, str, str]:
        import run_benchmark

        try:
            code = run_benchmark.main(argv)
        except SystemExit as ended:
            code = ended.code
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


@pytest.fixture
def ipus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Ipus]:
    """A machine with four IPUs, and the record of what was asked of them."""
    yield from machine_with_ipus(monkeypatch, tmp_path)
