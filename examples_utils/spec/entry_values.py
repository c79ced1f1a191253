"""The values of an entry: the text that is written, and a number or a flag only where the spec needs one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmark_parsers.numbers import number_of
from examples_utils.problems import Problem
from examples_utils.spec.yaml_nodes import Document, Node, Steps

_FLAGS = {("generated",), ("synthetic",), ("allow_wandb",), ("shell",)}
_NUMBERS = {("timeout",), ("notebook", "timeout"), ("compare", "threshold")}
# Of what the original runner took the value that YAML makes of the text: 2024.1 for 2024.10, False for no.
_TYPED_BY_THE_ORIGINAL = ("cmd", "notebook", "parameters", "env", "output", "pre_run_commands")


def entry_values(node: Node) -> dict[str, Any]:
    """Returns an entry as dictionaries, lists and scalars; a key without a value, or with null, gives None."""
    values: dict[str, Any] = _values(node, ())
    return values


def differences(document: Document, name: str, node: Node) -> list[Problem]:
    """Returns a remark for each value that runs as it is written, and that the original runner ran as another one."""
    return [
        Problem(
            document.place(scalar),
            ".".join([name, *map(str, steps)]),
            f"{scalar.text} runs as it is written; the original ran {scalar.value}, which YAML makes of it: "
            "quote it, so that both run the same",
            is_warning=True,
        )
        for key in _TYPED_BY_THE_ORIGINAL
        if node.pairs and key in node.pairs
        for steps, scalar in _scalars(node.pairs[key][1], (key,))
        if scalar.text is not None and str(scalar.value) != scalar.text and not _is_absent(scalar, steps)
    ]


def _values(node: Node, steps: Steps) -> Any:
    if node.pairs is not None:
        return {key: _values(value, (*steps, key)) for key, (_, value) in node.pairs.items()}
    if node.items is not None:
        return [_values(item, (*steps, index)) for index, item in enumerate(node.items)]
    if node.text is None or _is_absent(node, steps):
        return None
    if steps in _FLAGS:
        return node.value
    if steps in _NUMBERS or (steps[0] == "data" and steps[2:] == ("skip",)):
        number = number_of(node.text)
        return node.text if number is None else number
    return node.text


def _is_absent(node: Node, steps: Steps) -> bool:
    """Whether this is null as the value of a whole key, such as `parameters: null`."""
    return len(steps) == 1 and node.value is None


def _scalars(node: Node, steps: Steps) -> Iterator[tuple[Steps, Node]]:
    if node.pairs is not None:
        for key, (_, value) in node.pairs.items():
            yield from _scalars(value, (*steps, key))
    elif node.items is not None:
        for index, item in enumerate(node.items):
            yield from _scalars(item, (*steps, index))
    else:
        yield steps, node
