"""The `list` command and `--dry-run`: show what would run."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

from examples_utils.cli.selection import selection_of
from examples_utils.control_characters import one_line
from examples_utils.planning.interpreter import Interpreter
from examples_utils.planning.options import CommandOptions, RunOptions
from examples_utils.planning.plan import Plan, PlannedVariant, make_plan
from examples_utils.planning.preparation_steps import CannotPrepare, preparation_steps


def list_variants(parsed: argparse.Namespace) -> int:
    """Prints benchmarks, variants and commands. Raises RequestError: a spec has errors, or nothing is selected."""
    print(listing(make_plan(selection_of(parsed), CommandOptions(), dict(os.environ)), parsed.format))
    return 0


def listing(plan: Plan, form: str) -> str:
    """Returns the plan's benchmarks, variants and commands: as a tree, or as a JSON or YAML array of mappings."""
    if form == "tree":
        return "\n".join(_tree(plan.variants))
    entries = [_entry(planned) for planned in plan.variants]
    if form == "json":
        return json.dumps(entries, indent=2)
    import yaml

    text: str = yaml.dump(
        entries, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, allow_unicode=True
    )
    return text.rstrip("\n")


def dry_run(
    order: Sequence[tuple[PlannedVariant, int]],
    options: RunOptions,
    interpreter: Interpreter,
    redact: Callable[[Mapping[str, str]], Mapping[str, str]],
) -> str:
    """Returns the commands in their order of execution, with folder, environment and what precedes them.

    `redact` removes the secrets of an environment.
    """
    lines = [f"# python3 is {interpreter.executable} ({interpreter.chosen_by})"]
    repeat = options.repeat
    prepared: set[tuple[str, ...]] = set()
    for number, (planned, repetition) in enumerate(order, start=1):
        again = f" (repetition {repetition} of {repeat})" if repeat > 1 else ""
        lines.append(f"[{number}/{len(order)}] {planned.key.title}{again}")
        if planned.skip_reason:
            lines.append(f"    skipped: {planned.skip_reason}")
            continue
        if planned.failure_reason:
            lines.append(f"    fails: {planned.failure_reason}")
            continue
        if options.command.prepare:
            lines += _preparation(planned, options.command, interpreter, prepared)
        lines.append(f"    cd {planned.command.folder}")
        lines += [f"    unset {name}" for name in planned.command.removed]
        lines += [
            one_line(f"    {name}={value}") for name, value in redact(dict(planned.command.env)).items()
        ]
        limit = (
            "" if planned.command.timeout_s is None else f"    # for at most {planned.command.timeout_s:g} s"
        )
        lines.append(indent(f"{planned.command.text}{limit}", "    "))
    return "\n".join(lines)


def _preparation(
    planned: PlannedVariant, options: CommandOptions, interpreter: Interpreter, prepared: set[tuple[str, ...]]
) -> list[str]:
    """Returns the steps that no variant before this one needed, and adds them to `prepared`."""
    given, lines = options.requirements_file, []
    try:
        for step in preparation_steps(planned, interpreter, Path(given) if given else None):
            if step.key not in prepared:
                prepared.add(step.key)
                lines += [f"    # {step.remark}"] if step.remark else []
                lines += [f"    cd {step.folder}", f"    {step.text()}"] if step.argv else []
    except CannotPrepare as error:
        lines.append(f"    cannot be prepared: {error}")
    return lines


def _entry(planned: PlannedVariant) -> dict[str, Any]:
    return {
        "benchmark": planned.benchmark.name,
        "variant": planned.variant.name,
        "params": dict(planned.variant.params),
        "command": planned.command.text,
        "tags": list(planned.benchmark.tags),
        "requires": list(planned.benchmark.requires),
    }


def _tree(variants: Sequence[PlannedVariant]) -> list[str]:
    lines: list[str] = []
    previous = None
    for planned in variants:
        benchmark = planned.benchmark
        if benchmark is not previous:
            tags = f"  [{', '.join(benchmark.tags)}]" if benchmark.tags else ""
            lines.append(one_line(f"{benchmark.name}{tags}"))
            lines += [one_line(f"  needs {requirement}") for requirement in benchmark.requires]
            previous = benchmark
        lines.append(one_line(f"  {planned.variant.name}"))
        lines.append(indent(planned.command.text, "    "))
    return lines
