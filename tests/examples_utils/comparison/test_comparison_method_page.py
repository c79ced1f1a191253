"""The page on the method matches the code."""

import runpy
from pathlib import Path

import pytest

from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.statistics.confirmation.curtailment import ROUND
from examples_utils.comparison.statistics.run_noise import _LARGEST_OF_MACHINE, _USUAL, _WEIGHT
from tests.pages import blocks

PAGE = (Path(__file__).parents[3] / "docs/comparison-method.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "example.py").write_text(blocks(PAGE, "python")[0], encoding="utf-8")
    runpy.run_path(str(tmp_path / "example.py"))
    assert capsys.readouterr().out.strip() == blocks(PAGE, "text")[0].strip()


def test_the_numbers_of_the_page_are_the_defaults() -> None:
    options = CompareOptions()
    for phrase in (
        f"`threshold` ({options.threshold:.0%})",
        f"`largest_unseen` ({options.largest_unseen:.0%})",
        f"{options.false_alarms:.1%} (`false_alarms`)",
        f"deviation of {_USUAL:.1%} with {_WEIGHT:.0f} degrees of freedom",
        f"moved by up to {_LARGEST_OF_MACHINE:.0%}",
        f"p ≤ {options.suspicion:.0%}, `suspicion`",
        f"{options.confirmations} times (`confirmations`)",
        f"rounds of {('one', 'two', 'three')[ROUND - 1]} repetitions",
        f"the {options.window_nights} nights before those",
    ):
        assert phrase in PAGE, phrase
    assert options.recent_nights == 2
