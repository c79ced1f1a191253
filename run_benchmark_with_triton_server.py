#!/usr/bin/env python3
"""Runs the given tests, with all options of pytest and those of tests_serial/tritonserver/options.py."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from driver.telemetry import switch_off
from serving.binary import find_triton
from serving.errors import TritonMissing

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parent
TESTS = ROOT / "tests_serial/tritonserver"
EXIT_CODES = {0: 0, 4: 2, 5: 2}
"""Of pytest's: passed, wrong usage, no tests. All others are failures, except 2, which `Interruption` resolves."""


class Interruption:
    """A plugin that records why a run was interrupted, as pytest has one exit code for all reasons."""

    def __init__(self) -> None:
        self.by_ctrl_c = self.before_any_test = False

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.by_ctrl_c = excinfo.type is KeyboardInterrupt  # pytest's own reasons are of other types

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.before_any_test |= report.failed

    @property
    def exit_code(self) -> int:
        return 130 if self.by_ctrl_c else 2 if self.before_any_test else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0: passed; 1: a test failed; 2: wrong request, or no server; 130: Ctrl-C."""
    switch_off()
    arguments = [where_the_tests_are(word) for word in (sys.argv[1:] if argv is None else argv)]
    try:
        find_triton()
    except TritonMissing as missing:
        print(f"error: {missing}", file=sys.stderr)
        return 2
    import pytest

    ours = [
        *(f"--config-file={ROOT / 'pyproject.toml'}", "--override-ini=testpaths=tests_serial/tritonserver"),
        *("-p", "tests_serial.tritonserver.options"),
        *("-p", "no:logging"),  # exporters log thousands of lines, which pytest would print with each failure
    ]
    interruption = Interruption()
    code = pytest.main([*ours, *arguments], plugins=[interruption])
    return interruption.exit_code if code == pytest.ExitCode.INTERRUPTED else EXIT_CODES.get(int(code), 1)


def where_the_tests_are(word: str) -> str:
    """Returns `tests_serial/tritonserver…` for `tests/tritonserver…`, also after `../`: specs in the field use both."""
    found = re.fullmatch(r"(?:\.\./)?tests(?:_serial)?/tritonserver((?:/|::).*)?", word)
    return f"{TESTS}{found[1] or ''}" if found and not Path(word.partition("::")[0]).exists() else word


if __name__ == "__main__":
    sys.exit(main())
