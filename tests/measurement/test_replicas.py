"""Replicas start together, stop together, end together; only the time in which all were running counts."""

import multiprocessing
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measurement.core_budget import check_core_budget
from measurement.errors import ReplicaError, SettingsError
from measurement.loop import Measurement, TimedCall
from measurement.machine import core_shares, cores_in_use
from measurement.replicas import run_replicas
from measurement.report import call_line
from measurement.settings import resolve
from measurement.statistics import throughput
from measurement.window import long_enough, within_window
from tests.cores import two_cores
from tests.measurement.replica_jobs import Found, measures, second_fails

one_core = cores_in_use()[:1]


def run(job: Any, cores: Sequence[Sequence[int]] = (one_core, one_core), **flags: object) -> list[Any]:
    settings = resolve({"data": "generated", **flags}, None, "cpu", "torch")[0]
    return run_replicas(job, cores, settings, lambda facts: lambda call, maker: None)


@pytest.mark.processes
class TestProcesses:
    def test_all_count_the_same_time_and_none_idles_in_it(self) -> None:
        reported: list[tuple[str, TimedCall]] = []
        ready: list[str] = []

        def on_ready(facts: Sequence[str]) -> Callable[[TimedCall, str], None]:
            ready.extend(facts)
            return lambda call, maker: reported.append((maker, call))

        settings = resolve({"data": "generated", "iterations": 12}, None, "cpu", "torch")[0]
        found: list[Found] = run_replicas(
            partial(measures, (0.02, 0.001)),
            [one_core, one_core],
            settings,
            on_ready,
        )
        slow, fast = (part.measurement for part in found)
        assert ready == ["facts of 0", "facts of 1"]
        assert min(part.measurement.start_ns[0] for part in found) > max(part.ready_ns for part in found)
        assert {maker for maker, _ in reported} == {"[replica 1/2] ", "[replica 2/2] "}

        opened_ns = max(slow.start_ns[0], fast.start_ns[0])
        twelfth = np.flatnonzero(slow.start_ns >= opened_ns)[11]
        assert (
            fast.start_ns[-1] + fast.host_call_ns[-1] >= slow.start_ns[twelfth] + slow.host_call_ns[twelfth]
        )
        assert len(fast.start_ns) > 12
        assert len(within_window([slow, fast], 12).host_call_ns) == 24

    def test_a_duration_is_that_of_the_time_in_which_all_were_running(self) -> None:
        found: list[Found] = run(partial(measures, (0.03, 0.002)), duration=0.3)
        starts = [part.measurement.start_ns for part in found]
        ends = [part.measurement.start_ns + part.measurement.host_call_ns for part in found]
        assert min(own[-1] for own in ends) - max(own[0] for own in starts) >= 0.3e9

    @two_cores
    def test_each_replica_may_use_its_own_share_of_the_cores_alone(self) -> None:
        before = os.sched_getaffinity(0)
        shares = core_shares(cores_in_use(), 2)
        found = run(partial(measures, (0.001, 0.001)), shares, iterations=1)
        assert [part.cores for part in found] == [sorted(share) for share in shares]
        assert os.sched_getaffinity(0) == before

    @pytest.mark.parametrize("when", ["before the barrier", "after the barrier"])
    @pytest.mark.parametrize(
        ("how", "error", "words"),
        [
            ("killed", ReplicaError, r"replica 2/2 was killed by SIGKILL \(.*memory.*lower --replicas"),
            ("exits", ReplicaError, "replica 2/2 ended with exit code 3"),
            ("raises", ReplicaError, "replica 2/2: RuntimeError: the device is on fire"),
            ("refuses", ValueError, "^--model x: no such model"),
        ],
    )
    def test_a_replica_that_dies_is_named_and_takes_the_others_with_it(
        self, when: str, how: str, error: type[Exception], words: str
    ) -> None:
        with pytest.raises(error, match=words):
            run(partial(second_fails, f"{when} {how}"))
        assert multiprocessing.active_children() == []


class TestWindow:
    def test_host_calls_that_reach_out_of_the_window_are_not_counted(self) -> None:
        first = measurement(starts=[0, 10, 20, 30], takes=10)
        second = measurement(starts=[5, 17], takes=12)
        found = within_window([first, second], None)
        assert found.start_ns.tolist() == [
            10,
            5,
            17,
        ]  # the first replica's at 0 and 20 reach out at either end
        assert found.replica is not None
        assert found.replica.tolist() == [0, 1, 1]
        assert found.round_trip_ns.tolist() == [10, 11, 5, 6, 17, 18]
        assert found.transfer_ns is not None
        assert found.transfer_ns.tolist() == [20, 10, 34]
        assert found.samples == 3 * 4

    @given(
        st.lists(
            st.lists(st.tuples(st.integers(0, 5), st.integers(1, 100)), min_size=1, max_size=30),
            min_size=1,
            max_size=4,
        ),
        st.none() | st.integers(1, 5),
        st.none() | st.integers(1, 500),
    )
    def test_replicas_that_were_let_stop_have_what_was_asked_for_inside_the_window(
        self, gaps_and_times: list[list[tuple[int, int]]], iterations: int | None, duration_ns: int | None
    ) -> None:
        replicas = []
        for calls in gaps_and_times:
            times = np.array([took for _, took in calls], np.int64)
            gaps = np.array([gap for gap, _ in calls], np.int64)
            replicas.append(measurement(starts=np.cumsum(gaps + times) - times, takes=times))
        ends = [int(own.start_ns[-1] + own.host_call_ns[-1]) for own in replicas]
        duration_s = None if duration_ns is None else duration_ns / 1e9
        if not long_enough([own.start_ns.tolist() for own in replicas], ends, iterations, duration_s):
            return
        # The rule is asked while all go on: each makes one host call more, which ends after all the others.
        closing = max(ends) + 1
        longer = [
            measurement([*own.start_ns, end], [*own.host_call_ns, closing - end])
            for own, end in zip(replicas, ends, strict=True)
        ]
        found = within_window(longer, None)
        opened_ns, closed_ns = max(own.start_ns[0] for own in longer), closing
        assert (found.start_ns >= opened_ns).all()
        assert (found.start_ns + found.host_call_ns <= closed_ns).all()
        counts = [len(own) for own in found.by_replica]
        assert len(counts) == len(replicas)
        enough_calls = iterations is not None and min(counts) >= iterations
        enough_time = duration_ns is not None and closed_ns - opened_ns >= duration_ns
        assert enough_calls or enough_time

    def test_replicas_that_have_not_all_begun_may_not_stop(self) -> None:
        assert not long_enough([[1, 2, 3], []], [9, 0], 1, 1e-9)


class TestFigures:
    def test_the_rates_of_replicas_add_up(self) -> None:
        found = throughput(8, np.array([10**9, 10**9]), np.array([2 * 10**9]))
        assert found.mean == pytest.approx(8 + 4)
        assert (found.min, found.max, found.median) == pytest.approx((12, 12, 12))

    @given(st.lists(st.integers(1, 10**10), min_size=1, max_size=20), st.integers(1, 5))
    def test_equal_replicas_are_so_many_times_as_fast_as_one(
        self, times_ns: list[int], replicas: int
    ) -> None:
        times = np.array(times_ns, np.int64)
        one, several = throughput(3, times), throughput(3, *[times] * replicas)
        for figure in ("mean", "median", "min", "max", "std"):
            expected = replicas * getattr(one, figure)
            assert getattr(several, figure) == pytest.approx(expected, rel=1e-6, abs=1e-9 * several.max)

    def test_a_line_reports_which_replica_it_is_of_and_is_still_found_by_its_pattern(self) -> None:
        line = call_line(TimedCall(1, 0, 10**9, np.array([10**6, 2 * 10**6])), 8, "[replica 1/2] ")
        assert line == "[replica 1/2] Throughput: 8.00 imgs/sec; Latency range: 1.000..2.000 ms"
        assert not re.search(r"throughput: |latency avg: ", line)


class TestCores:
    @given(st.lists(st.integers(0, 300), min_size=1, max_size=64, unique=True), st.integers(1, 64))
    def test_shares_are_even_and_disjoint(self, cores: list[int], parts: int) -> None:
        if parts > len(cores):
            with pytest.raises(ValueError, match="cannot be shared"):
                core_shares(cores, parts)
            return
        shares = core_shares(cores, parts)
        used = [core for share in shares for core in share]
        assert len(shares) == parts
        assert len({len(share) for share in shares}) == 1
        assert len(set(used)) == len(used)
        assert len(cores) - len(used) < parts

    @pytest.mark.parametrize(
        ("values", "cores", "complaint"),
        [
            ({"replicas": 3}, 2, r"--replicas 3: .* may use 2; give --replicas 2 or fewer"),
            (
                {"splits": ("a", "b")},
                2,
                r"--pipeline-splits a b: 3 stages .* may use 2; name 1 layer or fewer",
            ),
            (
                {"replicas": 2, "splits": ("a",)},
                3,
                r"--replicas 2 --pipeline-splits a: 4 stages .* leave --pipeline-splits out, "
                "or give --replicas 1 or fewer",
            ),
            (
                {"replicas": 2, "threads": 2},
                2,
                r"--threads 2 with --replicas 2: .* give --threads 1 or fewer",
            ),
            ({"splits": ("a",), "threads": 3}, 4, "--threads 3 with --pipeline-splits a: .* --threads 2"),
        ],
    )
    def test_more_than_the_cores_can_carry_is_refused(
        self, values: dict[str, Any], cores: int, complaint: str
    ) -> None:
        with pytest.raises(SettingsError, match=complaint):
            check_core_budget(asked(**values), "cpu", cores)

    @pytest.mark.parametrize("values", [{"replicas": 2}, {"splits": ("a",)}])
    def test_other_devices_than_the_cpu_refuse_what_they_cannot_do(self, values: dict[str, Any]) -> None:
        with pytest.raises(SettingsError, match="on the CPU only; give --device cpu"):
            check_core_budget(asked(**values), "cuda", 8)
        assert check_core_budget(asked(**values), "ipu", 1) == []

    def test_cores_that_are_left_over_are_reported(self) -> None:
        assert check_core_budget(asked(replicas=2), "cpu", 5) == [
            "--replicas 2: cores are shared equally, so 1 of the 5 stays idle"
        ]

    def test_a_pipeline_without_overlap_is_reported_in_one_line(self) -> None:
        (warning,) = check_core_budget(asked(splits=("a",), device_iterations=1), "cpu", 2)
        assert "without overlap; give --device-iterations 8" in warning
        assert check_core_budget(asked(splits=("a",)), "cpu", 2) == []


def asked(
    replicas: int = 1,
    splits: tuple[str, ...] = (),
    threads: int | None = None,
    device_iterations: int = 4,
) -> dict[str, Any]:
    return {
        "replicas": replicas,
        "pipeline_splits": splits,
        "threads": threads,
        "device_iterations": device_iterations,
    }


def measurement(starts: Any, takes: Any) -> Measurement:
    """Host calls of two micro-batches, whose round trips identify their host call."""
    start_ns = np.array(starts, np.int64)
    return Measurement(
        samples_per_host_call=4,
        start_ns=start_ns,
        host_call_ns=np.broadcast_to(np.array(takes, np.int64), start_ns.shape).copy(),
        decode_wait_ns=np.zeros(len(start_ns), np.int64),
        transfer_ns=start_ns * 2,
        between_ns=start_ns * 3,
        round_trip_ns=np.repeat(start_ns, 2) + np.tile([0, 1], len(start_ns)),
        round_trip_is_range=False,
        warmup_host_calls=3,
        correct=1,
        labelled=2,
        not_finite=0,
    )
