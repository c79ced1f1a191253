"""The `list` command and `--dry-run`: show what would run."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from typing import Any

from examples_utils.cli.selection import selection_of
from examples_utils.planning.options import CommandOptions
from examples_utils.planning.plan import Plan, PlannedVariant, make_plan


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


def dry_run(order: Sequence[tuple[PlannedVariant, int]], repeat: int) -> str:
    """Returns the commands in their order of execution, with folder and environment."""
    lines = []
    for number, (planned, repetition) in enumerate(order, start=1):
        again = f" (repetition {repetition} of {repeat})" if repeat > 1 else ""
        lines.append(f"[{number}/{len(order)}] {planned.key.title}{again}")
        if planned.skip_reason:
            lines.append(f"    skipped: {planned.skip_reason}")
            continue
        if planned.failure_reason:
            lines.append(f"    fails: {planned.failure_reason}")
            continue
        lines.append(f"    cd {planned.command.folder}")
        lines += [f"    {name}={value}" for name, value in planned.command.env]
        limit = (
            "" if planned.command.timeout_s is None else f"    # for at most {planned.command.timeout_s:g} s"
        )
        lines.append(f"    {planned.command.text}{limit}")
    return "\n".join(lines)


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
            lines.append(f"{benchmark.name}{tags}")
            lines += [f"  needs {requirement}" for requirement in benchmark.requires]
            previous = benchmark
        lines.append(f"  {planned.variant.name}")
        lines.append(f"    {planned.command.text}")
    return lines
