"""False alarms and power of the nightly verdict on simulated nights: writes docs/comparison-statistics.md."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.statistics.tables import page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "comparison-statistics.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.statistics", description=__doc__)
    parser.add_argument(
        "--nights", type=int, default=2000, help="nights without a change, for each kind of noise"
    )
    parser.add_argument(
        "--trials", type=int, default=500, help="trials of each step size, for each kind of noise"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=PAGE)
    arguments = parser.parse_args()
    lines = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        for line in page(pool, arguments.nights, arguments.trials):
            print(line, flush=True)
            lines.append(line)
    arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"written: {arguments.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
