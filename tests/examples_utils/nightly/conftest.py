"""A place for nights whose canary takes no time."""

from __future__ import annotations

import itertools
import random

import pytest

from examples_utils.execution.canary_process import CanaryProcess
from tests.examples_utils.conftest import Workplace
from tests.examples_utils.nightly.nights import CANARY_S, NightPlace


@pytest.fixture
def place(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> NightPlace:
    """The canary is measured for real in test_canary.py; here it prints its usual times multiplied by `slowness`."""
    made = NightPlace(workplace)
    numbers = itertools.count()

    def measured(_: CanaryProcess) -> dict[str, float]:
        chance = random.Random(next(numbers))
        return {
            f"{kernel}_s": seconds * made.slowness * chance.gauss(1, 0.003)
            for kernel, seconds in CANARY_S.items()
        }

    monkeypatch.setattr(CanaryProcess, "measure", measured)
    monkeypatch.delenv("EXAMPLES_UTILS_HISTORY", raising=False)
    return made
