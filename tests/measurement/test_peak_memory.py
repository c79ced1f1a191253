"""The peak memory of the measured phase is not that of what came before it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from measurement import peak_memory
from measurement.loop import measure
from measurement.peak_memory import PeakMemory, measured_mib, peak_mib, reset_peak
from tests.measurement.test_loop_and_report import settings

MIB = 2**20


@pytest.fixture
def resettable() -> None:
    if not peak_memory.CLEAR_REFS.exists():
        pytest.skip("this kernel does not reset the peak of a process")


class Engine:
    """Allocates so much in each host call."""

    round_trip_is_range = False
    transfer_ns = None
    outputs = np.zeros((1, 1, 2), np.float32)
    round_trip_ns = np.array([10**6], np.int64)

    def __init__(self, mib: int) -> None:
        self.mib = mib

    def run(self, batches: object) -> "Engine":
        np.ones(self.mib * MIB, np.uint8)
        return self


class Images:
    works_ahead = False
    micro_batches: tuple[()] = ()
    labels = None
    decode_wait_ns = 0

    def next(self) -> "Images":
        return self


def measured(mib: int) -> PeakMemory:
    (found,) = measure(Engine(mib), Images(), settings(warmup=0, iterations=2)).memory
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("resettable")
def test_memory_that_was_freed_before_does_not_count() -> None:
    np.ones(100 * MIB, np.uint8)
    found = measured(mib=1)
    assert found.measured_mib is not None
    assert found.before_mib - found.measured_mib > 50


@pytest.mark.slow
@pytest.mark.usefixtures("resettable")
def test_memory_of_the_host_calls_counts() -> None:
    idle, busy = measured(mib=1).measured_mib, measured(mib=100).measured_mib
    assert idle is not None
    assert busy is not None
    assert busy - idle > 50


@pytest.mark.slow
@pytest.mark.usefixtures("resettable")
def test_resetting_returns_the_peak_so_far() -> None:
    np.ones(100 * MIB, np.uint8)
    before_mib, counts_anew = reset_peak()
    assert counts_anew
    assert before_mib - peak_mib() > 50


@pytest.mark.processes
@pytest.mark.skipif(not peak_memory.STATUS.exists(), reason="only Linux reports it")
def test_memory_of_the_process_that_started_this_one_does_not_count() -> None:
    own = np.ones(300 * MIB, np.uint8)
    program = "from measurement.peak_memory import peak_mib; print(peak_mib())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) < own.nbytes / MIB / 2


def test_where_it_cannot_be_reset_the_measured_phase_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peak_memory, "CLEAR_REFS", tmp_path / "absent" / "clear_refs")
    found = measured(mib=1)
    assert found.measured_mib is None
    assert found.before_mib > 0
    assert measured_mib([found, PeakMemory(1.0, 2.0)]) is None


def test_processes_add_up() -> None:
    assert measured_mib([PeakMemory(5.0, 2.0), PeakMemory(5.0, 3.0)]) == 5.0
    assert measured_mib([]) is None
