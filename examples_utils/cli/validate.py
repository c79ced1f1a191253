"""The `validate` command: report every problem of specs, with its place."""

from __future__ import annotations

import argparse

from examples_utils.problems import Place, Problem, SpecError
from examples_utils.spec.files import find_specs
from examples_utils.spec.loader import load_spec


def validate(parsed: argparse.Namespace) -> int:
    """Prints problems, remarks and counts. Returns 2 for an error. Raises RequestError for a name without a file."""
    problems, entries = [], 0
    remarks: dict[Place, Problem] = {}
    files = find_specs(parsed.spec)
    for file in files:
        try:
            spec = load_spec(file, strict=parsed.strict)
        except SpecError as error:
            problems += error.problems
        else:
            problems += [problem for _, problem in spec.problems]
            entries += len(spec.names)
            # Entries that merge a block share its values: each is remarked on once.
            remarks |= {remark.place: remark for remark in reversed(spec.remarks)}
    for problem in sorted(set(problems)):
        print(problem)
    for remark in sorted(remarks.values()):
        print(f"{remark.place}: remark: {remark.key}: {remark.message}")
    errors = sum(not problem.is_warning for problem in set(problems))
    print(
        f"{len(files)} specs, {entries} benchmarks, {errors} errors, {len(set(problems)) - errors} warnings"
    )
    return 2 if errors else 0
