"""The parent process of the driver: signals, exit codes, and engines that crash."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from backends.registry import engine_version
from driver.supervisor import INTERRUPTED
from tests.patience import HANG_S

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
SHORT = ["--data", "generated", "--iterations", "1", "--warmup", "0", "--threads", "1"]

CRASHES_WHILE_COMPILING = """
    import onnxruntime
    from backends import onnxruntime as engine, openvino

    def crash(*_):
        from backends.breadcrumbs import leave_breadcrumb
        leave_breadcrumb(engine="openvino", phase="compiling")
        os.kill(os.getpid(), signal.SIGSEGV)

    openvino._executable = crash
"""


def script(body: str) -> list[str]:
    """A program whose `main` is `body`, supervised."""
    lines = textwrap.indent(textwrap.dedent(body), "    ")
    code = f"import os, signal, sys\ndef main():\n{lines}\n"
    return [
        sys.executable,
        "-c",
        f"{code}\nfrom driver.supervisor import supervised\nsys.exit(supervised(main))",
    ]


@contextmanager
def started(body: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The program of `body`, which has printed "ready"."""
    process = subprocess.Popen(
        script(body), cwd=ROOT, env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def finished(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


WAITS = "print('ready', flush=True)\nsignal.pause()\nsignal.pause()"


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_exit_code_of_the_driver_is_passed_on(code: int) -> None:
    assert finished(script(f"return {code}")).returncode == code


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_signal_that_asks_the_run_to_end_is_forwarded_and_reported(name: str) -> None:
    with started(WAITS) as process:
        process.send_signal(signal.Signals[name])
        _, err = process.communicate(timeout=HANG_S)
    assert process.returncode == 128 + signal.Signals[name]
    assert f"ended by {name}" in err


def test_a_handler_of_the_driver_gets_the_signal() -> None:
    body = "signal.signal(signal.SIGUSR1, lambda *_: sys.exit(7))\n" + WAITS
    with started(body) as process:
        process.send_signal(signal.SIGUSR1)
        process.communicate(timeout=HANG_S)
    assert process.returncode == 7


def test_ctrl_c_for_the_whole_process_group_interrupts_the_driver_once() -> None:
    body = """
    import time
    import driver.supervisor as supervisor
    supervisor._SAME_CTRL_C_S = 600.0
    interrupts = 0
    for pause_s in (600, 0.4):  # the second Ctrl-C, if there is one, comes within milliseconds
        try:
            if not interrupts:
                print("ready", flush=True)
            time.sleep(pause_s)
        except KeyboardInterrupt:
            interrupts += 1
    return 100 + interrupts
    """
    with started(body) as process:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=HANG_S)
    assert process.returncode == 101


def test_a_ctrl_c_that_nobody_handles_ends_without_a_traceback() -> None:
    with started("print('ready', flush=True)\nsignal.pause()") as process:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=HANG_S)
    assert process.returncode == 130
    assert err == f"{INTERRUPTED}\n"


def test_a_supervisor_that_is_killed_takes_the_driver_with_it() -> None:
    with started(WAITS) as process:
        children = psutil.Process(process.pid).children()
        process.kill()
        _, alive = psutil.wait_procs(children, timeout=HANG_S)
    assert len(children) == 1
    assert not alive


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    """As `nohup` and background jobs have it."""
    inner = script("return 0 if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else 1")
    outer = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    assert finished([sys.executable, "-c", outer, *inner]).returncode == 0


def test_a_crash_names_engine_version_signal_phase_and_what_to_do() -> None:
    body = """
    from backends.breadcrumbs import leave_breadcrumb
    leave_breadcrumb(engine="openvino", phase="compiling", device="cpu")
    os.kill(os.getpid(), signal.SIGSEGV)
    """
    done = finished(script(body))
    assert done.returncode == 1
    assert done.stderr == (
        f"error: openvino {engine_version('openvino')} ended with signal 11 while compiling; "
        "try --backend onnxruntime, and report it\n"
    )


def test_a_driver_that_is_killed_is_reported_with_memory_as_the_likely_cause() -> None:
    body = """
    from backends.breadcrumbs import leave_breadcrumb
    leave_breadcrumb(engine="onnxruntime", phase="running", device="cpu")
    os.kill(os.getpid(), signal.SIGKILL)
    """
    done = finished(script(body))
    assert done.returncode == 1
    assert "ended with signal 9 while running" in done.stderr
    assert "lower --replicas or --micro-batch-size" in done.stderr


def test_a_crash_before_any_engine_is_reported_too() -> None:
    done = finished(script("os.kill(os.getpid(), signal.SIGABRT)"))
    assert done.returncode == 1
    assert done.stderr == "error: the driver ended with signal 6 while starting; report it\n"


@pytest.mark.parametrize("name", ["SIGUSR1", "SIGSEGV"])
def test_a_signal_from_outside_is_no_crash_of_the_engine(name: str, tmp_path: Path) -> None:
    left = 'leave_breadcrumb(engine="openvino", phase="running", device="cpu", subject="model")'
    body = f"from backends.breadcrumbs import leave_breadcrumb\n{left}\n{WAITS}"
    with started(body, XDG_CACHE_HOME=str(tmp_path)) as process:
        process.send_signal(signal.Signals[name])
        _, err = process.communicate(timeout=HANG_S)
    assert process.returncode == 128 + signal.Signals[name]
    assert err == f"ended by {name}: the run is incomplete, so there are no results\n"
    assert list(tmp_path.rglob("*.json")) == []


def test_no_file_is_left_in_the_temporary_folder(tmp_path: Path) -> None:
    for body in ("return 0", "os.kill(os.getpid(), signal.SIGSEGV)", "os.kill(os.getppid(), signal.SIGKILL)"):
        finished(script(body), {"TMPDIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_no_file_takes_the_place_of_a_closed_standard_stream(closed: int) -> None:
    body = "return 0 if os.readlink(f'/proc/self/fd/{sys.argv[1]}') == os.devnull else 3"
    close = f"import os, sys; os.close({closed}); os.execv(sys.argv[1], sys.argv[1:])"
    assert finished([sys.executable, "-c", close, *script(body), str(closed)]).returncode == 0


def run_driver(argv: Sequence[str], cache: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """A whole run of the driver, after the code `before`, with its memory of crashes in `cache`."""
    body = f"{textwrap.dedent(before)}\nimport run_benchmark\nreturn run_benchmark.main({[*argv, *SHORT]!r})"
    return finished(script(body), {"XDG_CACHE_HOME": str(cache)})


@pytest.fixture(scope="module")
def auto(ready_model: list[str]) -> list[str]:
    """Flags of the model that is ready for OpenVINO, but for any engine of the CPU."""
    place = ready_model.index("--backend")
    return [*ready_model[:place], "--device", "cpu", *ready_model[place + 2 :]]


@pytest.fixture(scope="module")
def crashed(
    auto: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A run that crashed, and the folder with the memory of it. To be copied."""
    cache = tmp_path_factory.mktemp("cache")
    return run_driver(auto, cache, CRASHES_WHILE_COMPILING), cache


@pytest.fixture
def cache(crashed: tuple[subprocess.CompletedProcess[str], Path], tmp_path: Path) -> Path:
    """A test's own memory of the crash."""
    return Path(shutil.copytree(crashed[1], tmp_path, dirs_exist_ok=True))


@pytest.mark.engine
class TestCrashesOfTheDriver:
    """Whole runs, in which the engine is made to crash where it would."""

    def test_auto_passes_over_an_engine_that_crashed_on_this_model(
        self, crashed: tuple[subprocess.CompletedProcess[str], Path], cache: Path, auto: list[str]
    ) -> None:
        assert crashed[0].returncode == 1
        assert "openvino" in crashed[0].stderr
        assert "ended with signal 11 while compiling; try --backend onnxruntime" in crashed[0].stderr

        again = run_driver(auto, cache)
        assert again.returncode == 0
        assert "backend: onnxruntime" in again.stdout
        assert "warning: --backend auto: passing over openvino" in again.stderr
        assert "--backend openvino retries it" in again.stderr

        other_model = run_driver([*auto, "--model", "timm/test_resnet.r160_in1k", "--list-layers"], cache)
        assert other_model.returncode == 0
        assert "passing over" not in other_model.stderr

    def test_a_run_that_succeeds_clears_the_engine(
        self, cache: Path, auto: list[str], ready_model: list[str]
    ) -> None:
        kept = list(cache.rglob("*-openvino.json"))
        assert len(kept) == 1
        assert json.loads(kept[0].read_text())["signal"] == signal.SIGSEGV

        assert run_driver(ready_model, cache).returncode == 0
        assert not kept[0].exists()
        assert "backend: openvino" in run_driver(auto, cache).stdout

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"signal": 11, "unknown": 1}'])
    def test_a_damaged_memory_of_a_crash_is_no_reason_to_fail(
        self, cache: Path, content: str, auto: list[str]
    ) -> None:
        kept = next(cache.rglob("*-openvino.json"))
        kept.write_text(content)
        done = run_driver(auto, cache)
        assert done.returncode == 0
        assert "backend: openvino" in done.stdout
        assert "passing over" not in done.stderr
