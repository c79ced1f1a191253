"""The measurement begins when what a library left behind is idle."""

import hashlib
import subprocess
import sys
import threading
import time

import pytest

from measurement.settle import settle

pytestmark = pytest.mark.processes

WORK_S = 0.4


def spin(seconds: float = float("inf"), ended: threading.Event | None = None) -> None:
    """Computes without the GIL, as the threads of libraries do."""
    while time.thread_time() < seconds and not (ended and ended.is_set()):
        hashlib.pbkdf2_hmac("sha256", b"", b"", 20_000)


def test_a_spinning_thread_is_waited_for() -> None:
    thread = threading.Thread(target=spin, args=(WORK_S,))
    thread.start()
    assert settle(bound_s=600) == ()
    assert not thread.is_alive()
    thread.join()


def test_a_busy_child_is_waited_for() -> None:
    code = f"import time\nprint(flush=True)\nwhile time.process_time() < {WORK_S} + 0.1: pass\ninput()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        assert settle(bound_s=600) == ()
        assert child.poll() is None  # it is idle, and waits for its input
    finally:
        child.kill()
        child.communicate()


def test_what_never_ends_is_named_in_a_warning() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=spin, kwargs={"ended": ended})
    code = "print(flush=True)\nwhile True: pass"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    thread.start()
    try:
        assert child.stdout is not None
        child.stdout.readline()
        (line,) = settle(bound_s=0.5)
    finally:
        child.kill()
        child.communicate()
        ended.set()
        thread.join()
    assert line.startswith("still busy 0.5 s after the model was ready: ")
    assert "other threads of this process" in line
    assert f"process {child.pid} (python" in line


def test_idle_threads_and_children_are_not_waited_for() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    thread.start()
    try:
        assert settle(bound_s=600) == ()
        assert thread.is_alive()
        assert child.poll() is None
    finally:
        ended.set()
        thread.join()
        child.kill()
        child.communicate()
