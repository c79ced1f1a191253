"""Measures speed and memory as ratios; writes the sections of docs/performance.md.

Exit code 1 if a value misses its target.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import (
    cuda,
    driver,
    first_second,
    history,
    model_cache,
    models,
    replicas,
    report,
    runner_overhead,
    serving,
)
from bench.page import measured_on, renew_section
from bench.targets import Row, missed

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
HEAD = """# Performance

Written by `make bench`, which takes most of an hour; `python3 -m bench PART` renews one section. Each ratio is the
median over rounds in which both sides ran alternately, and the range is that of the rounds. In `models`, where a round
is one host call of each side, it is the range of the middle half of the rounds. Ratios carry over to other machines,
absolute values do not. The exit code is 1 if a value misses its target.
"""


TABLE = ("", "| measurement | ratio | range | target | medians |", "| --- | --- | --- | --- | --- |")


def main() -> int:
    """Exit code 0, or 1 if a value misses its target."""
    parser = argparse.ArgumentParser(prog="python3 -m bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"measure only these parts: {', '.join(PARTS)}"
    )
    parts = parser.parse_args().parts or [part for part in PARTS if part not in ON_REQUEST]
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)} (there are: {', '.join(PARTS)})")
    misses: list[Row] = []
    for part in parts:
        rows = []
        for row in PARTS[part]():
            print(row.line, flush=True)
            rows.append(row)
        renew_section(PAGE, HEAD, list(PARTS), part, [measured_on(), *TABLE, *(row.line for row in rows)])
        misses += missed(rows)
    if misses:
        print("missed targets:", *(row.line for row in misses), sep="\n", file=sys.stderr)
    return int(bool(misses))


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "driver": driver.measure_all,
    "models": models.measure_all,
    "replicas": replicas.measure_all,
    "instances": replicas.measure_instances,
    "first-second": first_second.measure_all,
    "model-cache": model_cache.measure_all,
    "runner": runner_overhead.measure_all,
    "history": history.measure_all,
    "report": report.measure_all,
    "serving": serving.measure_all,
    "cuda": cuda.measure_all,
}
ON_REQUEST = ("serving", "cuda")
"""Parts that need more than the driver: a Triton server (`make bench-serving`), a CUDA device."""


if __name__ == "__main__":
    sys.exit(main())
