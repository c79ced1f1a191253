"""Precision, recall and F1 of `history changes` on series with known changes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.histories.series import read
from bench.histories.table import by_kind, table


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
    for line in table(named or by_kind(), arguments.tolerance):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
