"""Loads the files of `--custom-metrics-files`; each registers its metrics when it is imported."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark_parsers.custom import CustomMetric, registered_custom_metrics
from examples_utils.problems import RequestError


def load_custom_metrics(files: Sequence[str]) -> dict[str, CustomMetric]:
    """Returns the metrics that the files register. Raises RequestError for a file that is missing or fails."""
    for number, name in enumerate(files):
        file = Path(name)
        if not file.is_file():
            raise RequestError(f"--custom-metrics-files {name}: no such file")
        specification = importlib.util.spec_from_file_location(f"custom_metrics_{number}", file)
        if specification is None or specification.loader is None:
            raise RequestError(f"--custom-metrics-files {name}: is not a Python file (.py)")
        module = importlib.util.module_from_spec(specification)
        sys.modules[specification.name] = module  # where dataclasses and pickle look for it
        try:
            specification.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            raise RequestError(f"--custom-metrics-files {name}: {type(error).__name__}: {error}") from None
    return registered_custom_metrics()
