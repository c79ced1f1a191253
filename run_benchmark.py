#!/usr/bin/env python3
"""Measures the inference throughput and latency of one image-classification configuration."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from driver.supervisor import supervised


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the driver in this process, from flags to report lines. Returns the exit code of `driver.command.main`."""
    # Not before the supervisor has forked, so that its process stays small and has one thread.
    from driver import command

    return command.main(argv, "run_benchmark.py", __doc__ or "")


if __name__ == "__main__":
    sys.exit(supervised(main))
