"""Precision, recall and F1 of `history changes` on series with known changes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.histories.score import found_in, score, total
from bench.histories.series import KnownSeries, generated, read


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.histories", description=__doc__)
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="JSON array of objects with name, values and changes (places in values); default: generated series",
    )
    parser.add_argument(
        "--tolerance", type=int, default=3, help="nights by which a date may be wrong (%(default)s)"
    )
    arguments = parser.parse_args()
    try:
        named = [(str(path), read(path)) for path in arguments.files]
    except ValueError as error:
        parser.error(str(error))
    for line in table(named or _by_kind(), arguments.tolerance):
        print(line)
    return 0


def table(named: list[tuple[str, list[KnownSeries]]], tolerance: int) -> list[str]:
    """Returns a row for each set of series, in Markdown."""
    lines = [
        "| series | number | changes | found | precision | recall | F1 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, series in named:
        sum_of = total(score(found_in(one), one.changes, tolerance) for one in series)
        shares = f"{sum_of.precision:.2f} | {sum_of.recall:.2f} | {sum_of.f1:.2f}"
        lines.append(f"| {name} | {len(series)} | {sum_of.known} | {sum_of.found} | {shares} |")
    return lines


def _by_kind() -> list[tuple[str, list[KnownSeries]]]:
    series = generated(20)
    kinds = {one.name: [other for other in series if other.name == one.name] for one in series}
    return [*kinds.items(), ("all", series), ("all kinds, without a change", generated(20, steps=False))]


if __name__ == "__main__":
    sys.exit(main())
