#!/usr/bin/env python3
"""Runs the tests it is given, with all of pytest's options and those of tests_serial/tritonserver/options.py."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from serving.binary import find_triton
from serving.errors import TritonMissing

ROOT = Path(__file__).resolve().parent
EXIT_CODES = {0: 0, 1: 1, 2: 130, 3: 1, 4: 2, 5: 2}
"""pytest's: passed, failed, interrupted, internal error, wrong usage, no tests."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 passed; 1 a test failed; 2 the request was wrong, or there is no server; 130 after Ctrl-C."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        find_triton()
    except TritonMissing as missing:
        print(f"error: {missing}", file=sys.stderr)
        return 2
    import pytest

    ours = [
        *(f"--config-file={ROOT / 'pyproject.toml'}", "--override-ini=testpaths=tests_serial/tritonserver"),
        *("-p", "tests_serial.tritonserver.options"),
        *("-p", "no:logging"),  # exporters log thousands of lines, which would be shown with each failure
    ]
    return EXIT_CODES[int(pytest.main([*ours, *words]))]


if __name__ == "__main__":
    sys.exit(main())
