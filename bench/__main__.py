"""Speed and memory as ratios, measured side by side in one run; writes its sections of docs/performance.md.

Exit code 1 if a figure is not what is wanted of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import (
    driver,
    first_second,
    history,
    instances,
    model_cache,
    models,
    replicas,
    report,
    runner_overhead,
    serving,
)
from bench.page import measured_on, renew_section
from bench.rounds import Ratio
from bench.wanted import missed

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
HEAD = """# Performance

Written by `make bench`, which takes most of an hour; `python3 -m bench PART` renews one section. Each ratio is the
median over rounds in which both sides ran alternately, and the range is that of the rounds. In `models`, where a round
is one host call of each side, it is the range of the middle half of the rounds. Ratios carry over to other machines,
absolute values do not. The exit code is 1 if a value misses its target.
"""


def main() -> int:
    """0 if every figure is what is wanted of it, else 1."""
    parser = argparse.ArgumentParser(prog="python3 -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(PARTS)}")
    parts = parser.parse_args().parts or [part for part in PARTS if part not in ON_REQUEST]
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)} (there are: {', '.join(PARTS)})")
    beyond: list[str] = []
    for part in parts:
        lines = []
        for line in PARTS[part]():
            print(line, flush=True)
            lines.append(line)
        _renew(part, lines)
        beyond += missed(lines)
    if beyond:
        print("missed targets:", *beyond, sep="\n", file=sys.stderr)
    return int(bool(beyond))


def _ratios(measure_all: Callable[[], Iterator[Ratio]]) -> Callable[[], Iterator[str]]:
    def lines() -> Iterator[str]:
        for found in measure_all():
            spread = f"{found.low:.3f} to {found.high:.3f}"
            yield f"| {found.what} | {found.value:.3f} | {spread} | {found.wanted} | {found.details} |"

    return lines


def _bounds(measure_all: Callable[[], Iterator[tuple[str, str, str]]]) -> Callable[[], Iterator[str]]:
    def lines() -> Iterator[str]:
        for figure, measured, bound in measure_all():
            yield f"| {figure} | {measured} | | ≤ {bound} | |"

    return lines


def _history() -> Iterator[str]:
    for figure, measured, bound, remark in history.measure_all():
        yield f"| {figure} | {measured} | | {f'≤ {bound}' if bound else ''} | {remark} |"


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "driver": _ratios(driver.measure_all),
    "models": _ratios(models.measure_all),
    "replicas": _ratios(replicas.measure_all),
    "instances": _ratios(instances.measure_all),
    "first-second": _ratios(first_second.measure_all),
    "model-cache": _ratios(model_cache.measure_all),
    "runner": _bounds(runner_overhead.measure_all),
    "history": _history,
    "report": _bounds(report.measure_all),
    "serving": _ratios(serving.measure_all),
}
ON_REQUEST = ("serving",)
"""Parts that need more than the driver: a Triton server (`make bench-serving`)."""


def _renew(part: str, lines: list[str]) -> None:
    head = [
        measured_on(),
        "",
        "| measurement | ratio | range | target | medians |",
        "| --- | --- | --- | --- | --- |",
    ]
    renew_section(PAGE, HEAD, list(PARTS), part, [*head, *lines])


if __name__ == "__main__":
    sys.exit(main())
