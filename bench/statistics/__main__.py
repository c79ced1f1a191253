"""False alarms and power of the nightly verdict on simulated nights: writes docs/comparison-statistics.md."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.page import renew_section
from bench.statistics.tables import HEAD, SECTIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "comparison-statistics.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.statistics", description=__doc__)
    parser.add_argument(
        "--nights", type=int, default=2000, help="nights without a change, for each kind of noise"
    )
    parser.add_argument(
        "--trials", type=int, default=500, help="trials of each step size, for each kind of noise"
    )
    parser.add_argument(
        "--table",
        action="append",
        choices=tuple(SECTIONS),
        help="compute one table, and keep the others of the page; repeat it for several (default: all)",
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=PAGE)
    arguments = parser.parse_args()
    titles = [section.title for section in SECTIONS.values()]
    with ProcessPoolExecutor(arguments.processes) as pool:
        for name in arguments.table or SECTIONS:
            section, lines = SECTIONS[name], []
            print(f"\n## {section.title}\n")
            for line in section.lines(pool, arguments.nights, arguments.trials):
                print(line, flush=True)
                lines.append(line)
            renew_section(arguments.output, HEAD, titles, section.title, lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
