"""From a request to the list of variants to run, or to all the reasons why they cannot run."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from examples_utils.machine.fingerprint import suite_of
from examples_utils.planning.command import Command, build_command, with_report_folder, without_installation
from examples_utils.planning.environment import additions, not_profilable, unexpanded
from examples_utils.planning.folder_names import safe_name, variant_folder
from examples_utils.planning.interpreter import Interpreter, chosen_interpreter, prepared_interpreter
from examples_utils.planning.interpreter_variables import interpreter_variables
from examples_utils.planning.options import CommandOptions, Selection
from examples_utils.planning.required_variables import unset_variables, with_fallbacks, without_empty
from examples_utils.problems import Problem, RequestError, SpecError, did_you_mean
from examples_utils.run_model import VariantKey
from examples_utils.spec.files import find_specs
from examples_utils.spec.loader import Benchmark, Spec, load_specs
from examples_utils.spec.requirements import missing_requirements
from examples_utils.spec.variants import (
    MAX_TEXT,
    MAX_VARIANTS,
    Variant,
    count_variants,
    expand,
    most_text,
    too_much_text,
)


@dataclass(frozen=True)
class PlannedVariant:
    """One variant with its command; `folder` is its own in the log folder.

    `skip_reason` is set if this machine cannot run it, `failure_reason` if it cannot start although it should.
    """

    benchmark: Benchmark
    variant: Variant
    command: Command
    folder: str
    skip_reason: str | None = None
    failure_reason: str | None = None

    @property
    def key(self) -> VariantKey:
        """The same key as that of its records, and in every checkout of the spec."""
        return VariantKey(suite_of(self.benchmark.place.file), self.benchmark.name, self.variant.name)

    def profiled(self, folder: Path) -> PlannedVariant:
        """Returns it with its own folder for Poplar's report, inside that of its output."""
        report = folder / f"{safe_name(self.variant.name)}_profile"
        return replace(self, command=with_report_folder(self.command, report))

    def described(self) -> dict[str, Any]:
        """Returns the facts known before it runs, as keys of its record."""
        return {
            "benchmark_path": str(self.benchmark.place.file),
            "suite": self.key.suite,
            "benchmark_name": self.key.benchmark,
            "variant_name": self.key.variant,
            "params": dict(self.variant.params),
            "command": self.command.text,
            "env": dict(self.command.env_text),
            "folder": str(self.command.folder),
            "description": self.benchmark.description,
            "tags": list(self.benchmark.tags),
            "requires": list(self.benchmark.requires),
            "output": [list(column) for column in self.benchmark.output],
            "compare": {} if self.benchmark.threshold is None else {"threshold": self.benchmark.threshold},
        }


@dataclass(frozen=True)
class Plan:
    """The variants in the order of the request, warnings, and the Python of the commands."""

    variants: tuple[PlannedVariant, ...]
    warnings: tuple[Problem, ...]
    interpreter: Interpreter


def make_plan(
    selection: Selection,
    options: CommandOptions,
    environment: Mapping[str, str],
    server_host: Callable[[], str | None] = lambda: None,
) -> Plan:
    """Loads the specs and plans all selected variants.

    `server_host` returns the host of the V-IPU server; it is called at most once, and only if a command needs it.

    Raises:
        SpecError: A selected entry, or a file as a whole, has errors.
        RequestError: A name or tag selects nothing, too many variants are selected, or the Python of the options
            cannot be used.
    """
    specs = load_specs(find_specs(selection.specs), selection.strict)
    chosen = select(specs, selection)
    if (number := sum(count_variants(benchmark.parameters) for benchmark in chosen)) > MAX_VARIANTS:
        raise RequestError(
            f"the selected benchmarks make {number:,} variants; at most {MAX_VARIANTS:,} are allowed: "
            "select fewer with --benchmark or --tag"
        )
    characters = sum(most_text(benchmark.cmd or "", benchmark.parameters) for benchmark in chosen)
    if characters > MAX_TEXT:
        raise RequestError(
            f"the selected benchmarks make {too_much_text(characters)}: select fewer with --benchmark or --tag"
        )
    interpreter = _interpreter(chosen, options, environment)
    names = Counter(benchmark.name for benchmark in chosen)
    environment, server_host = without_empty(environment), cache(server_host)
    variants: list[PlannedVariant] = []
    for benchmark in chosen:
        folder = benchmark.name
        if names[folder] > 1:
            folder += f"-{sha256(str(benchmark.place.file).encode()).hexdigest()[:8]}"
        variants += _planned(benchmark, folder, options, environment, interpreter, server_host)
    chosen_names = {(benchmark.place.file, benchmark.name) for benchmark in chosen}
    warnings = [
        problem
        for spec in specs
        for name, problem in spec.problems
        if problem.is_warning and (spec.file, name) in chosen_names
    ]
    return Plan(tuple(_in_short_folders(variants)), tuple(dict.fromkeys(warnings)), interpreter)


def select(specs: Sequence[Spec], selection: Selection) -> list[Benchmark]:
    """Returns the selected benchmarks: in the order of `--benchmark`, else in that of the files."""
    chosen: list[tuple[Spec, str]] = []
    for pattern in selection.benchmarks or ("*",):
        matches = [(spec, name) for spec in specs for name in spec.names if fnmatchcase(name, pattern)]
        if not matches and selection.benchmarks:
            known = [name for spec in specs for name in spec.names]
            raise RequestError(f"--benchmark {pattern}: no such benchmark; {did_you_mean(pattern, known)}")
        named = "_conv" in pattern
        chosen += [m for m in matches if named or selection.include_convergence or "_conv" not in m[1]]
    chosen = list(dict.fromkeys(chosen))
    _refuse_faulty(chosen)
    by_name = {spec: {benchmark.name: benchmark for benchmark in spec.benchmarks} for spec in specs}
    benchmarks = [by_name[spec][name] for spec, name in chosen]
    wanted = [benchmark for benchmark in benchmarks if _has_wanted_tags(benchmark, selection)]
    if not wanted:
        raise RequestError(_nothing_selected(specs, benchmarks, selection))
    return wanted


def schedule(plan: Plan, repeat: int, shuffle: int | None) -> list[tuple[PlannedVariant, int]]:
    """Returns every variant with each repetition's number, round-robin, so that machine drift affects all of them."""
    order = []
    for repetition in range(1, repeat + 1):
        variants = list(plan.variants)
        if shuffle is not None:
            random.Random(f"{shuffle}/{repetition}").shuffle(variants)
        order += [(variant, repetition) for variant in variants]
    return order


def _interpreter(
    chosen: Sequence[Benchmark], options: CommandOptions, environment: Mapping[str, str]
) -> Interpreter:
    interpreter = chosen_interpreter(options.python, environment)
    if options.prepare and options.prepare_venv:
        return prepared_interpreter(interpreter, options.prepare_venv)
    # Commands of an entry's preparation and cells of a notebook may install packages, too.
    installs = options.requirements_file or any(
        b.requirements_file or b.pre_run_commands or b.notebook for b in chosen
    )
    if options.prepare and interpreter.is_runner and installs and options.venv_beside_log:
        return prepared_interpreter(interpreter, options.venv_beside_log)
    return interpreter


def refuse_too_many_executions(plan: Plan, repeat: int) -> None:
    """Raises RequestError, with the number, if the repetitions of all variants are more than any run can do."""
    if (number := len(plan.variants) * repeat) > MAX_VARIANTS:
        raise RequestError(
            f"--repeat {repeat}: makes {number:,} executions of {len(plan.variants):,} variants; "
            f"at most {MAX_VARIANTS:,} are allowed"
        )


def _planned(
    benchmark: Benchmark,
    folder: str,
    options: CommandOptions,
    environment: Mapping[str, str],
    interpreter: Interpreter,
    server_host: Callable[[], str | None],
) -> list[PlannedVariant]:
    changed = interpreter_variables(interpreter, environment)
    removed = tuple(name for name, value in changed.items() if value is None)
    kept = {name: value for name, value in changed.items() if value is not None}
    own = {name: value for name, value in environment.items() if name not in removed} | kept
    written = with_fallbacks(benchmark, own, server_host)
    env = kept | additions(written, options, own)
    env_text = unexpanded(env, written, options)
    skip_reason = _skip_reason(benchmark, {**own, **env}, options, interpreter)
    unprofiled = not_profilable(env) if options.profile else None
    planned = []
    for variant in expand(benchmark.name, benchmark.parameters):
        command = replace(build_command(benchmark, variant, options, own, env, env_text), removed=removed)
        if benchmark.notebook and interpreter.is_runner:
            command = without_installation(command)
        failure_reason = unset_variables(benchmark, command, own, options.prepare) or unprofiled
        own_folder = variant_folder(folder, variant.name)
        planned.append(PlannedVariant(benchmark, variant, command, own_folder, skip_reason, failure_reason))
    return planned


def _in_short_folders(variants: Sequence[PlannedVariant]) -> Sequence[PlannedVariant]:
    """Omits the benchmarks' folders, as the original runner does, if no two benchmarks share a variant's name."""
    owners = {(p.variant.name, p.benchmark.place.file, p.benchmark.name) for p in variants}
    if len({name for name, *_ in owners}) < len(owners):
        return variants
    return [replace(planned, folder=safe_name(planned.variant.name)) for planned in variants]


def _skip_reason(
    benchmark: Benchmark, environment: Mapping[str, str], options: CommandOptions, interpreter: Interpreter
) -> str | None:
    if options.compile_only and (benchmark.shell or benchmark.notebook):
        kind = "shell command" if benchmark.shell else "notebook"
        return f"--compile-only cannot be passed to a {kind}"
    if not benchmark.requires:
        return None

    def has_module(name: str) -> bool:
        return interpreter.has_module(name, environment)

    missing = missing_requirements(benchmark.requires, environment, interpreter.version, has_module)
    return "; ".join(missing) or None


def _has_wanted_tags(benchmark: Benchmark, selection: Selection) -> bool:
    tags = set(benchmark.tags)
    return (not selection.tags or bool(tags & set(selection.tags))) and not tags & set(selection.exclude_tags)


def _refuse_faulty(chosen: Sequence[tuple[Spec, str]]) -> None:
    specs = dict.fromkeys(spec for spec, _ in chosen)
    wanted = set(chosen)
    faults = [(spec, name, problem) for spec in specs for name, problem in spec.problems]
    errors = [p for spec, name, p in faults if (spec, name) in wanted and not p.is_warning]
    if errors:
        raise SpecError(errors)


def _nothing_selected(specs: Sequence[Spec], benchmarks: Sequence[Benchmark], selection: Selection) -> str:
    if not benchmarks:
        if any(spec.names for spec in specs):
            return "every benchmark is a convergence test (_conv); name one or pass --include-convergence"
        return f"{', '.join(str(spec.file) for spec in specs)}: contains no benchmark"
    known = sorted({tag for benchmark in benchmarks for tag in benchmark.tags})
    unknown = [tag for tag in selection.tags if tag not in known]
    if unknown:
        return f"--tag {unknown[0]}: no benchmark has this tag; {did_you_mean(unknown[0], known)}"
    return "--tag and --exclude-tag together leave no benchmark; remove one of them"
