"""Speed and memory as ratios, measured side by side in one run; writes its sections of docs/performance.md."""

from __future__ import annotations

import argparse
import datetime
import re
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from bench import driver, history, instances, model_cache, models, replicas, report, runner_overhead
from bench.rounds import Ratio
from measurement.machine import available_cores, cpu_model, has_native_bfloat16

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
HEAD = """# Performance

Written by `make bench`, which takes the better part of an hour; `python3 -m bench PART` renews one section. Each
ratio is the median over rounds in which both sides ran in turn, and the range is over the rounds; in `models`, where
a round is one host call of each side, it is that of the middle half. Ratios carry over to other machines, single
figures do not.
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(PARTS)}")
    parts = parser.parse_args().parts or list(PARTS)
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)} (there are: {', '.join(PARTS)})")
    for part in parts:
        lines = []
        for line in PARTS[part]():
            print(line, flush=True)
            lines.append(line)
        _renew(part, lines)
    return 0


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
    "model-cache": _ratios(model_cache.measure_all),
    "runner": _bounds(runner_overhead.measure_all),
    "history": _history,
    "report": _bounds(report.measure_all),
}


def _renew(part: str, lines: list[str]) -> None:
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else HEAD
    _, *sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    kept = {section.splitlines()[0].removeprefix("## "): section.strip() for section in sections}
    kept[part] = "\n".join([*_section_head(part), *lines])
    in_order = [kept[name] for name in PARTS if name in kept]
    PAGE.write_text("\n\n".join([HEAD.strip(), *in_order]) + "\n", encoding="utf-8")
    print(f"written: {PAGE}", file=sys.stderr)


def _section_head(part: str) -> list[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "openvino", "onnxruntime", "timm"))
    sixteen_bit = "with" if has_native_bfloat16() else "without"
    return [
        f"## {part}",
        "",
        f"{datetime.date.today()}: {cpu_model()}, {available_cores()} cores, {sixteen_bit} native bfloat16; "
        f"{packages}.",
        "",
        "| what | ratio | range | wanted | medians |",
        "| --- | --- | --- | --- | --- |",
    ]


if __name__ == "__main__":
    sys.exit(main())
