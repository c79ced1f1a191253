"""What a server's log is boiled down to."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.log import likely_remedy, tail

LOG = """$ tritonserver --grpc-port=8001
W1124 08:23:50.126131 1 pinned_memory_manager.cc:273] "Unable to allocate pinned system memory: CUDA driver version"
E1124 08:23:50.126331 1 server.cc:241] "CudaDriverHelper has not been initialized."
+---------+------+
| Backend | Path |
+---------+------+

E1124 08:23:52.326152 1 main.cc:245] "failed to start GRPC service: Socket '127.0.0.1:8001' already in use "
"""


def test_the_end_of_a_log_is_without_tables_and_without_what_machines_without_a_gpu_are_warned_of(
    tmp_path: Path,
) -> None:
    (tmp_path / "log").write_text(LOG)
    assert [line[:8] for line in tail(tmp_path / "log").splitlines()] == ["$ triton", "E1124 08"]
    assert tail(tmp_path / "log", lines=1).endswith('already in use "')


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        (LOG, "give another --grpc-port"),
        (
            "error while loading shared libraries: libpython3.11.so.1.0: cannot open",
            "apt-get install libpython3",
        ),
        ("error while loading shared libraries: libb64.so", "make setup-triton"),
        ("Failed to initialize Python stub: No space left on device", "make /dev/shm larger"),
        ("unable to find backend library for backend 'python'", "no Python backend"),
        ("std::bad_alloc", "memory ran out"),
        ("something else", "see the log: "),
    ],
)
def test_the_likely_remedy_is_reported(line: str, remedy: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(line)
    assert remedy in likely_remedy(tmp_path / "log")


def test_a_server_that_wrote_nothing_has_an_empty_log(tmp_path: Path) -> None:
    assert tail(tmp_path / "none") == ""
    assert str(tmp_path / "none") in likely_remedy(tmp_path / "none")
