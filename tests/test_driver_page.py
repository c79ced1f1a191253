"""docs/driver.md is correct. That its examples run: tests/test_readme.py."""

import re
from pathlib import Path

from backends.registry import AUTO_ORDER
from measurement.options import OPTIONS

PAGE = (Path(__file__).parents[1] / "docs" / "driver.md").read_text(encoding="utf-8")

OTHER_SPELLINGS = {"--no-eight-bit-io", "--device-iteration", "--enable_cuda_profiling"}
"""A switch that is turned off, a prefix, and a flag of somebody else's."""


def test_every_option_has_a_row_of_its_own_or_is_named_among_those_for_an_ipu() -> None:
    rows = re.findall(r"^\| `(--[\w-]+)", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(option.flag for option in OPTIONS if not option.ipu_only)
    for_an_ipu = PAGE.partition("## IPU only\n")[2].partition("\n## ")[0]
    assert [option.flag for option in OPTIONS if option.ipu_only and option.flag not in for_an_ipu] == []


def test_no_option_is_named_that_does_not_exist() -> None:
    named = set(re.findall(r"`(--[\w-]+)", PAGE))
    assert named - {option.flag for option in OPTIONS} == OTHER_SPELLINGS


def test_the_orders_of_auto_are_those_of_the_code() -> None:
    table = PAGE.partition("| device | order |\n| --- | --- |\n")[2].partition("\n\n")[0]
    orders = {
        row.split("|")[1].strip().lower(): tuple(re.findall(r"`([\w-]+)`", row)) for row in table.splitlines()
    }
    assert orders == AUTO_ORDER
