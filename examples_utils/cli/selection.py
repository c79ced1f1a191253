"""The selection of benchmarks from parsed arguments."""

from __future__ import annotations

import argparse
from pathlib import Path

from examples_utils.planning.options import Selection


def selection_of(parsed: argparse.Namespace) -> Selection:
    """Returns the selection that the arguments of `arguments.selection.add_selection` make."""
    return Selection(
        specs=tuple(str(Path(name).absolute()) for name in parsed.spec),
        benchmarks=tuple(parsed.benchmark),
        tags=tuple(parsed.tag),
        exclude_tags=tuple(parsed.exclude_tag),
        include_convergence=parsed.include_convergence,
        strict=parsed.strict,
    )
