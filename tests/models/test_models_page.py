"""docs/models.md is correct."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from models import input_spec, model_names
from models.catalogue import timm_name

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_table_of_models_is_the_catalogue() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| `(\w+)` \| (\d+) \| .* \| (\w+) \|$", PAGE, flags=re.MULTILINE)
    expected = []
    for name in model_names():
        spec = input_spec(name)
        expected.append((name, timm_name(name), str(spec.image_size), spec.interpolation))
    assert rows == expected


@pytest.mark.slow
def test_the_python_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/models.md", "exec"), names)
    handed_on = names["first"](torch.zeros(1, 4, 64, 64, dtype=torch.uint8))
    assert names["second"](handed_on).shape == (1, 1000)
