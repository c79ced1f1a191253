"""`--gc-monitor`: samples the state of the devices, or else of this machine, during the run."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PERIOD_S = 5.0


def missing_plot() -> str | None:
    """Returns a warning if samples of this machine will not be plotted at the end."""
    if shutil.which("gc-monitor") or find_spec("matplotlib"):
        return None
    return (
        "--gc-monitor: there is no IPU here, so CPU and memory are sampled, but no plot is drawn, because matplotlib "
        "is not installed: pip install -e '.[plot]'"
    )


@contextlib.contextmanager
def monitoring(log_folder: Path, period_s: float = PERIOD_S) -> Iterator[None]:
    """Samples in a thread inside the with block, into `ipu-monitor.jsonl` or `system-monitor.jsonl`."""
    program = shutil.which("gc-monitor")
    if program:
        sample, file = _device_sampler(program), log_folder / "ipu-monitor.jsonl"
    else:
        sample, file = _system_sampler(), log_folder / "system-monitor.jsonl"
    ended = threading.Event()
    thread = threading.Thread(target=_sample_until, args=(ended, sample, file, period_s), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if not program and find_spec("matplotlib"):
            plot_system(file, log_folder / "system-monitor.png")


def _sample_until(
    ended: threading.Event, sample: Callable[[], dict[str, Any]], file: Path, period_s: float
) -> None:
    with file.open("a", encoding="utf-8") as stream:
        last = False
        while True:
            stream.write(json.dumps({"time": datetime.now().isoformat(), **sample()}) + "\n")
            stream.flush()
            if last:
                return
            last = ended.wait(period_s)  # one more sample at the very end


def _device_sampler(program: str) -> Callable[[], dict[str, Any]]:
    def sample() -> dict[str, Any]:
        try:
            done = subprocess.run([program, "--json"], capture_output=True, text=True, timeout=60, check=True)
            return {"gc_monitor": json.loads(done.stdout)}
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            return {"error": str(error)}

    return sample


def _system_sampler() -> Callable[[], dict[str, Any]]:
    import psutil

    psutil.cpu_percent(percpu=True)  # the next call measures from here

    def sample() -> dict[str, Any]:
        memory = psutil.virtual_memory()
        frequency = None
        with contextlib.suppress(OSError, NotImplementedError):
            frequency = psutil.cpu_freq()
        return {
            "cpu_percent": psutil.cpu_percent(percpu=True),
            "memory_used_bytes": memory.total - memory.available,
            "memory_percent": memory.percent,
            "frequency_mhz": frequency.current if frequency else None,
        }

    return sample


def plot_system(samples_file: Path, plot_file: Path) -> None:
    """Plots CPU, memory and frequency over time from the samples."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    samples = [json.loads(line) for line in samples_file.read_text("utf-8").splitlines()]
    times = [datetime.fromisoformat(sample["time"]) for sample in samples]
    figure = Figure(figsize=(9, 6), layout="constrained")
    FigureCanvasAgg(figure)
    cpu, memory, frequency = figure.subplots(3, 1, sharex=True)
    cpu.plot(
        times, [sum(sample["cpu_percent"]) / len(sample["cpu_percent"]) for sample in samples], marker="."
    )
    cpu.set_ylabel("CPU, % of all cores")
    cpu.set_ylim(0, 100)
    memory.plot(times, [sample["memory_used_bytes"] / 2**30 for sample in samples], marker=".")
    memory.set_ylabel("memory used, GiB")
    memory.set_ylim(bottom=0)
    frequency.plot(times, [sample["frequency_mhz"] or float("nan") for sample in samples], marker=".")
    frequency.set_ylabel("frequency, MHz")
    figure.autofmt_xdate()
    figure.savefig(plot_file, dpi=120)
