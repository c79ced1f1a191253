"""Resolves `--spec` to files."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from examples_utils.problems import RequestError, did_you_mean
from examples_utils.spec.yaml_nodes import read_document

_SUFFIXES = (".yml", ".yaml")


def find_specs(given: Sequence[str]) -> list[Path]:
    """Returns the spec files, in the order given, each once: a file, a folder's YAML files, or a shell pattern's.

    In a folder, YAML files without a benchmark (another program's configuration) are ignored.
    Raises RequestError for a name that matches no file.
    """
    found = [file.absolute() for name in given for file in _files(name)]
    return list(dict.fromkeys(found))


def _files(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        inside = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
        specs = [file for file in inside if _holds_benchmarks(file)]
        if not specs:
            raise RequestError(
                f"--spec {name}: the folder contains no spec ({' or '.join(_SUFFIXES)} with a cmd)"
            )
        return specs
    if path.exists():
        return [path]
    matches = [Path(match) for match in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207
    files = [match for match in matches if match.is_file()]
    if files:
        return files
    siblings = sorted(file.name for suffix in _SUFFIXES for file in path.parent.glob(f"*{suffix}"))
    remedy = did_you_mean(path.name, siblings) if siblings else "give the path of a benchmarks.yml"
    raise RequestError(f"--spec {name}: no such file; {remedy}")


def _holds_benchmarks(file: Path) -> bool:
    try:
        root = read_document(file.absolute()).root
    except RequestError:
        return True  # loading it reports the error
    entries = [node for _, node in (root.pairs or {}).values() if node.pairs]
    return any("cmd" in (node.pairs or {}) or "notebook" in (node.pairs or {}) for node in entries)
