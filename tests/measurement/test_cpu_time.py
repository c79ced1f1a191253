"""The CPU time on a measurement's cores: differences of two readings, and readings of this machine's own kernel."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from measurement import cpu_time
from measurement.cpu_time import CpuTime, Reading, cpu_time_lines, disturbance, of_all, read, spent
from measurement.machine import cores_in_use
from tests.hog import HOG, hog, used_s

LONG_ENOUGH_S = 0.5
TICK_S = 0.01


def test_the_rest_of_the_cores_time_is_that_of_others() -> None:
    found = spent(Reading(1, 10, 4, 100), Reading(3, 12, 4.5, 103), cores=2)
    assert found == CpuTime(wall_s=2, cores=2, own_s=2, children_s=0.5, others_s=0.5)
    assert found.share_of_others == pytest.approx(0.125)


def test_ticks_that_are_counted_too_few_are_no_negative_time() -> None:
    assert spent(Reading(0, 0, 0, 0), Reading(1, 1, 0, 0.98), cores=1).others_s == 0


def test_counters_that_never_change_yield_no_time_of_others() -> None:
    found = spent(Reading(0, 0, 0, 7), Reading(5, 5, 0, 7), cores=1)
    assert (found.own_s, found.others_s) == (5, None)
    assert disturbance([found]) == ()
    assert cpu_time_lines([found])["cpu_time_of_others"] == "n/a (not reported by the kernel)"


def test_without_a_proc_file_system_others_are_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(cpu_time, "STAT", tmp_path / "stat")
    assert read([0]).busy_s is None
    assert spent(read([0]), read([0]), 1).others_s is None


@pytest.mark.parametrize(
    ("others_s", "wall_s", "warned"),
    [(0.2, 2.0, True), (0.03, 2.0, False), (0.04, 0.1, False), (0.05, 0.1, True)],
)
def test_a_warning_needs_a_notable_share_and_more_than_a_few_ticks(
    others_s: float, wall_s: float, warned: bool
) -> None:
    found = CpuTime(wall_s, 1, wall_s, 0, others_s)
    assert bool(disturbance([found], TICK_S)) == warned


def test_several_processes_are_added_up_and_the_most_disturbed_one_is_warned_of() -> None:
    quiet, disturbed = CpuTime(10, 1, 9, 0.5, 0), CpuTime(10, 1, 8, 0, 1)
    assert cpu_time_lines([quiet, disturbed]) == {
        "cpu_time_own": "17.00 s",
        "cpu_time_of_children": "0.50 s",
        "cpu_time_of_others": "1.00 s (5.0% of 2 cores, at most 10.0% for one process)",
    }
    (line,) = disturbance([quiet, disturbed], TICK_S)
    assert "10.0% of the time of the measured cores (1.00 s in 10.00 s on 1 core)" in line
    assert of_all([(quiet,), (disturbed,)]) == (quiet, disturbed)
    assert of_all([(quiet,), ()]) == ()


@pytest.fixture
def own_core() -> Iterator[int]:
    """This thread is bound to one core; where other tests use it too, there is only more to be seen."""
    if not cpu_time.STAT.exists() or not hasattr(os, "sched_setaffinity"):
        pytest.skip("needs /proc/stat and a choice of cores")
    before, core = os.sched_getaffinity(0), cores_in_use()[-1]
    os.sched_setaffinity(0, {core})
    yield core
    os.sched_setaffinity(0, before)


def test_a_busy_process_on_the_same_core_is_seen_and_warned_of(own_core: int) -> None:
    with hog(own_core) as process:
        before, hogs_before_s = read([own_core]), used_s(process)
        while used_s(process) - hogs_before_s < LONG_ENOUGH_S:
            time.sleep(0.01)
        after, hogs_after_s = read([own_core]), used_s(process)
    found = spent(before, after, 1)
    assert found.others_s is not None
    # The kernel counts the core's time in ticks, of which it may give a few to whoever else ran when they ended.
    assert found.others_s >= 0.8 * (hogs_after_s - hogs_before_s)
    assert disturbance([found])


def test_own_threads_and_children_are_not_others(own_core: int) -> None:
    before = read([own_core])
    threads = [threading.Thread(target=spin, args=(LONG_ENOUGH_S,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waited_for = multiprocessing.get_context("spawn").Process(target=spin, args=(LONG_ENOUGH_S,))
    waited_for.start()
    waited_for.join()
    alive = subprocess.Popen([sys.executable, "-c", HOG, str(own_core)], stdout=subprocess.PIPE)
    try:
        while used_s(psutil.Process(alive.pid)) < LONG_ENOUGH_S:
            time.sleep(0.01)
        after = read([own_core])
    finally:
        alive.kill()
        alive.communicate()
    found = spent(before, after, 1)
    assert found.own_s >= 2 * LONG_ENOUGH_S
    assert found.children_s >= 2 * LONG_ENOUGH_S
    assert found.others_s is not None
    # What is not others' is in no sum twice: all of it together fits into the core's time.
    assert found.own_s + found.children_s + found.others_s <= 1.1 * found.wall_s + 0.1


def spin(seconds: float) -> None:
    """Until this thread has had so much CPU time."""
    while time.thread_time() < seconds:
        pass
