"""Which host calls are in the first and in the last second of a run."""

import numpy as np
import pytest

from bench.first_second import first_and_last, host_call_seconds


def test_a_second_is_as_many_whole_host_calls_as_fill_it() -> None:
    slow_start = np.array([0.4, 0.4, 0.4, *[0.1] * 30])
    assert first_and_last([slow_start]) == pytest.approx((2.5, 10))


def test_several_processes_are_added_up() -> None:
    assert first_and_last([np.full(8, 0.5), np.full(16, 0.25)]) == pytest.approx((6, 6))


def test_lines_are_distinguished_by_who_made_them() -> None:
    output = (
        "[replica 1/2] Throughput: 40.00 imgs/sec; Latency range: 1.000..1.000 ms\n"
        "[replica 2/2] Throughput: 80.00 imgs/sec; Latency range: 1.000..1.000 ms\n"
        "[replica 1/2] Throughput: 20.00 imgs/sec; Latency range: 1.000..1.000 ms\n"
        "\tmicro_batch_size: 4\n\tdevice_iterations: 2\n"
    )
    first, second = host_call_seconds(output)
    assert first.tolist() == [0.2, 0.4]
    assert second.tolist() == [0.1]
