"""Speed and memory as ratios, measured side by side in one run; writes docs/performance.md."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from bench import driver
from bench.rounds import Ratio
from measurement.machine import available_cores, cpu_model, has_native_bfloat16

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
PARTS: dict[str, Callable[[], Iterator[Ratio]]] = {"driver": driver.measure_all}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="only these parts, without the page")
    parts = parser.parse_args().parts
    lines = [_line(found) for part in parts or PARTS for found in PARTS[part]()]
    if not parts:
        PAGE.write_text("\n".join([*_head(), *lines]) + "\n", encoding="utf-8")
        print(f"written: {PAGE}", file=sys.stderr)
    return 0


def _line(found: Ratio) -> str:
    spread = f"{found.low:.3f} to {found.high:.3f}"
    line = f"| {found.what} | {found.value:.3f} | {spread} | {found.wanted} | {found.details} |"
    print(line, flush=True)
    return line


def _head() -> list[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "openvino", "onnxruntime", "timm"))
    sixteen_bit = "with" if has_native_bfloat16() else "without"
    return [
        "# Performance",
        "",
        f"Written by `make bench` on {datetime.date.today()}: {cpu_model()}, {available_cores()} cores, "
        f"{sixteen_bit} native bfloat16; {packages}. Each ratio is the median over rounds in which both sides "
        "ran in turn; the range is over the rounds. Ratios carry over to other machines, single figures do not.",
        "",
        "| what | ratio | range | wanted | medians |",
        "| --- | --- | --- | --- | --- |",
    ]


if __name__ == "__main__":
    sys.exit(main())
