"""Live output between host calls: one line each, and a progress bar on a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from measurement.loop import TimedCall
from measurement.report import call_line
from measurement.settings import Settings


def lock_bars_in_this_process() -> None:
    """Gives tqdm a lock of this process. Its own holds a semaphore, which a killed process leaves behind.

    Libraries draw bars too: torch.fx does so while it exports a model.
    """
    from tqdm import tqdm

    tqdm.set_lock(threading.RLock())


@contextmanager
def live_output(settings: Settings, instance: str = "") -> Iterator[Callable[..., None]]:
    """Yields a callback for each timed host call and its maker; clears the bar at the end.

    If several processes share a terminal, each prefixes its lines with `instance`, and none draws a bar.
    """
    from tqdm import tqdm

    lock_bars_in_this_process()
    tqdm.monitor_interval = 0  # tqdm's own thread would run next to the measured ones
    in_seconds = settings.iterations is None
    with tqdm(
        total=settings.duration_s if in_seconds else settings.iterations,
        unit="s" if in_seconds else "host call",
        bar_format="{desc}: {percentage:3.0f}% {bar} {n:.0f}/{total:.0f} "
        + ("s" if in_seconds else "host calls"),
        desc=settings.model,
        leave=False,
        disable=bool(instance) or not sys.stderr.isatty(),
    ) as bar:

        def on_call(call: TimedCall, maker: str = "") -> None:
            line = call_line(call, settings.samples_per_host_call, instance + maker)
            if bar.disable:
                # In one call: torchrun's processes are unbuffered, and print would write the newline separately, so
                # that another process's line could come before it.
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()
            else:
                tqdm.write(line)
                left = (bar.total or 0) - bar.n
                share = (call.host_call_ns / 1e9 if in_seconds else 1) / settings.replica_processes
                bar.update(min(share, left))

        yield on_call
