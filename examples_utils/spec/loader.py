"""Loads benchmark specs: the validated entries of a YAML file, as values."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark_parsers.derived import DerivedSpec
from benchmark_parsers.regex import MetricSpec
from examples_utils.problems import Place, Problem, SpecError
from examples_utils.spec.entry_values import differences, entry_values
from examples_utils.spec.notebook import Notebook, notebook_of
from examples_utils.spec.threshold import parse_threshold
from examples_utils.spec.validation import check_entry, check_file
from examples_utils.spec.yaml_nodes import Document, Node, read_document

_PREPARATION_KEYS = (
    "requirements_file",
    "requirements_path",
    "required_apt_packages_path",
    "pre_run_commands",
)


@dataclass(frozen=True)
class Benchmark:
    """One entry of a spec after merges and defaults. `folder` is where its command runs.

    `requirements_file` and `apt_packages_file` are as written: `planning.application` looks for them. `threshold` is
    the smallest change of its metrics that matters, as a share.
    """

    name: str
    place: Place
    folder: Path
    cmd: str | None = None
    notebook: Notebook | None = None
    parameters: Any = None
    metrics: tuple[MetricSpec, ...] = ()
    derived: tuple[DerivedSpec, ...] = ()
    output: tuple[tuple[str, str], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    timeout_s: float | None = None
    description: str = ""
    needs_no_dataset: bool = False
    requirements_file: str | None = None
    apt_packages_file: str | None = None
    pre_run_commands: tuple[str, ...] = ()
    allow_wandb: bool = False
    shell: bool = False
    requires: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    parser: str | None = None
    threshold: float | None = None
    preparation_keys: tuple[str, ...] = ()

    @property
    def spec_folder(self) -> Path:
        """The folder of the spec file."""
        return self.place.file.parent


@dataclass(frozen=True, eq=False)
class Spec:
    """One file's valid benchmarks, and its problems, by the name of the entry or shared block.

    `names` are those of all entries, including invalid ones, in the order of the file. `remarks` name the values that
    the original runner ran as others.
    """

    file: Path
    names: tuple[str, ...]
    benchmarks: tuple[Benchmark, ...]
    problems: tuple[tuple[str, Problem], ...]
    remarks: tuple[Problem, ...] = ()


def load_spec(file: Path, strict: bool = False) -> Spec:
    """Reads and validates one spec. If `strict`, a duplicate key is an error.

    Raises:
        SpecError: The file cannot be read, is not YAML, or is not a mapping of entries.
    """
    document = read_document(file.absolute(), strict)
    if problems := check_file(document):
        raise SpecError(problems)
    names, benchmarks = [], []
    found: list[tuple[str, Problem]] = []
    remarks: list[Problem] = []
    for name, (key, node) in (document.root.pairs or {}).items():
        problems = list(node.faults)
        if not _is_shared_block(document, name, node):
            names.append(name)
            problems += check_entry(document, name, key, node)
            remarks += differences(document, name, node)
            if all(problem.is_warning for problem in problems):
                benchmarks.append(_benchmark(document, name, key, node))
        found += [(name, problem) for problem in problems]
    return Spec(document.file, tuple(names), tuple(benchmarks), tuple(found), tuple(remarks))


def load_specs(files: Sequence[Path], strict: bool = False) -> list[Spec]:
    """Reads several specs. Raises SpecError with the file-level problems of all of them."""
    specs, problems = [], []
    for file in files:
        try:
            specs.append(load_spec(file, strict))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return specs


def _is_shared_block(document: Document, name: str, node: Node) -> bool:
    """Whether other entries merge the block: it is called ...options..., or anchored, merged and without a command."""
    if "options" in name or (node.pairs is None and node.anchored):
        return True
    has_command = node.pairs is not None and ("cmd" in node.pairs or "notebook" in node.pairs)
    return document.is_merged(node) and not has_command


def _benchmark(document: Document, name: str, key: Node, node: Node) -> Benchmark:
    entry = entry_values(node)
    spec_folder = document.file.parent
    folder = _folder(spec_folder, entry.get("location"))
    return Benchmark(
        name=name,
        place=document.place(key),
        folder=folder,
        cmd=entry.get("cmd"),
        notebook=notebook_of(entry.get("notebook")),
        parameters=entry.get("parameters"),
        metrics=tuple(
            MetricSpec(
                metric,
                data["regexp"],
                data.get("skip", 0),
                data.get("reduction_type", "mean"),
                data.get("unit"),
                data.get("direction"),
            )
            for metric, data in (entry.get("data") or {}).items()
        ),
        derived=tuple(
            DerivedSpec(
                metric,
                data["expr"],
                data.get("reduction_type", "mean"),
                data.get("unit"),
                data.get("direction"),
            )
            for metric, data in (entry.get("derived") or {}).items()
        ),
        output=tuple(_column(column) for column in entry.get("output") or ()),
        env=tuple((entry.get("env") or {}).items()),
        timeout_s=entry.get("timeout"),
        description=(entry.get("description") or "").strip(),
        needs_no_dataset=bool(
            entry.get("generated") or entry.get("synthetic") or "gen" in name or "synth" in name
        ),
        requirements_file=entry.get("requirements_file") or entry.get("requirements_path"),
        apt_packages_file=entry.get("required_apt_packages_path"),
        pre_run_commands=tuple(entry.get("pre_run_commands") or ()),
        allow_wandb=entry.get("allow_wandb", False),
        shell=entry.get("shell", False),
        requires=tuple(entry.get("requires") or ()),
        tags=tuple(entry.get("tags") or ()),
        parser=entry.get("parser"),
        threshold=parse_threshold(entry["compare"]["threshold"]) if "compare" in entry else None,
        preparation_keys=tuple(key for key in _PREPARATION_KEYS if entry.get(key)),
    )


def _folder(spec_folder: Path, location: str | None) -> Path:
    # In existing specs, `location` is often a path inside some other checkout (public_examples/...), kept for
    # reference; the command then runs in the spec's folder, as it always did.
    # Path.is_dir raises for a name that is too long.
    if location and os.path.isdir(spec_folder / location):  # noqa: PTH112
        return (spec_folder / location).resolve()
    return spec_folder


def _column(column: list[Any] | dict[str, Any]) -> tuple[str, str]:
    label, source = column if isinstance(column, list) else next(iter(column.items()))
    return label, source
