"""Signals reach Python handlers, whatever an engine did before: none leaves a broken signal stack behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.backends.conftest import BACKENDS

pytestmark = [pytest.mark.engine, pytest.mark.processes]

ROOT = Path(__file__).parents[2]

ENDS = {
    "kept": "",
    "closed": "executable.close(); del executable",
    "closed_elsewhere": "in_thread(executable.close); del executable",
    # In a reference cycle, whatever thread collects it frees it.
    "collected_elsewhere": """
cycle = [executable]
cycle.append(cycle)
del executable, cycle
in_thread(gc.collect)
""",
}

CODE = """
import gc, os, signal, sys, threading
from pathlib import Path
import numpy as np
from backends import registry
from backends.compilation import compile_model
from backends.model_cache import open_cache
from measurement.settings import resolve

def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

gc.disable()
pixels = np.zeros((1, 3, 8, 8), np.float32)
settings, _ = resolve({"data": "generated", "threads": 1, "device_iterations": 2}, None, "cpu", sys.argv[1])

def build():
    import torch

    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten()).eval(), ()

executable = compile_model(
    registry.choose(sys.argv[1], "cpu"), build, pixels, settings,
    open_cache(Path(sys.argv[2])), lambda: {"test": "signals"},
).executable
executable.run([pixels] * 2)
"""

SIGNALS = """
freed = [bytearray(1 << 16) for _ in range(3000)]  # takes the place of memory that was freed
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
for _ in range(5):
    os.kill(os.getpid(), signal.SIGUSR1)
assert len(seen) == 5
"""


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_signals_are_handled_after_an_executable_was(backend: str, end: str, model_cache: Path) -> None:
    command = [sys.executable, "-c", CODE + ENDS[end] + SIGNALS, backend, str(model_cache)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or f"ended by signal {-done.returncode}"


RUN = ["run_benchmark.py", "--data=generated", "--device-iterations=4", "--threads=1", "--iterations=3"]
PIPELINE = ["--backend=openvino", "--model=timm/test_efficientnet.r160_in1k", "--random-weights"]
PIPELINE += ["--micro-batch-size=1", "--pipeline-splits", "blocks/2"]
KINDS = {"plain": [], "pipeline": PIPELINE, "replicas": ["--replicas", "2"]}


@pytest.mark.parametrize("count", [2, pytest.param(17, marks=pytest.mark.full)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_interrupted_at_any_moment_ends_as_the_driver_or_the_signal_has_it(
    kind: str, count: int, ready_model: list[str]
) -> None:
    """`count` moments, from a fixed seed: one at random in each of as many equal parts of a run.

    Of those of a pipeline, some are in its export: it is exported stage by stage and never kept.
    """
    if kind != "plain" and len(os.sched_getaffinity(0)) < 2:
        pytest.skip("stages and replicas need a core each")
    command = [sys.executable, *RUN, *([] if kind == "pipeline" else ready_model), *KINDS[kind]]
    started_s = time.monotonic()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    lasts_s = time.monotonic() - started_s
    moments = random.Random(f"{kind} {count}")

    def interrupted(number: int) -> tuple[signal.Signals, int, str]:
        which = signal.SIGINT if number % 2 else signal.SIGTERM
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        time.sleep(delays[number])
        process.send_signal(which)
        return which, process.wait(), process.stderr.read() if process.stderr else ""

    delays = [moments.uniform(part, part + 1) * lasts_s / count for part in range(count)]
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(interrupted, range(len(delays))))
    allowed = {
        # Python itself ends by the signal where it comes before the interpreter or the driver handles it.
        signal.SIGINT: {0, 130, -signal.SIGINT},
        signal.SIGTERM: {0, 143, -signal.SIGTERM},
    }
    assert [end for end in ends if end[1] not in allowed[end[0]]] == []
