"""What the tests of several folders share."""

import os
import signal
from pathlib import Path

import pytest

# Tests run in parallel: OpenMP threads that spin while they wait for each other would block them all.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Iterator

from datasets.packaged_photographs import copy_packaged_photographs
from driver.telemetry import switch_off
from tests.poptorch_double import Ipus, machine_with_ipus


def pytest_configure() -> None:
    switch_off()
    # A shell starts a background job with Ctrl-C ignored, and the processes of tests would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all packaged photographs with their labels.csv. To be read only."""
    folder = tmp_path_factory.mktemp("photographs")
    copy_packaged_photographs(folder)
    return folder


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
