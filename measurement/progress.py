"""Live output between two host calls: a line each, and a bar on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from measurement.loop import TimedCall
from measurement.report import call_line
from measurement.settings import Settings


@contextmanager
def live_output(settings: Settings, instance: str = "") -> Iterator[Callable[..., None]]:
    """Yields what is called after each timed host call, with who made it; the bar is cleared at the end.

    Of many processes at one terminal, each says which `instance` it is, and none draws a bar.
    """
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # no thread of the bar's own beside the measured ones
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
                # As one piece: torchrun's processes are unbuffered, and print would give them the line's end apart,
                # after which another process's line may have come.
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()
            else:
                tqdm.write(line)
                left = (bar.total or 0) - bar.n
                share = (call.host_call_ns / 1e9 if in_seconds else 1) / settings.replica_processes
                bar.update(min(share, left))

        yield on_call
