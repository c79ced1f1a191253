"""Mutations of JSON and YAML documents as trees: the result is still a document, but not of the expected shape."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import yaml

from bench.fuzz.hostile import DEEP, DEEPEST, NUMBERS, TEXTS, WORDS

Container = dict[Any, Any] | list[Any]
_SLOTS_KEPT = 400  # of a large document, in which any slot is as good as another


def mutated_tree(tree: Any, source: random.Random) -> Any:
    """Returns a changed copy of a document."""
    holder = [copy.deepcopy(tree)]
    for _ in range(source.choice((1, 1, 1, 2, 3, 6))):
        slots = _slots(holder, source)
        container, key = source.choice(slots)
        source.choice(_MUTATIONS)(container, key, source)
        if not holder:
            return source.choice(NUMBERS)
    return holder[0]


def written(tree: Any, source: random.Random, *, is_yaml: bool) -> str:
    """Formats a document, as JSON or in one of YAML's styles."""
    if is_yaml and source.random() < 0.8:
        text: str = yaml.dump(
            tree,
            Dumper=yaml.SafeDumper,
            allow_unicode=source.random() < 0.5,
            default_flow_style=source.choice((None, False, False)),
            sort_keys=False,
            width=10_000,
        )
    else:
        text = json.dumps(tree, indent=source.choice((None, 1)), ensure_ascii=source.random() < 0.5)
    for mark, depth in ((DEEPEST, 100_000), (DEEP, 1000)):
        for quoted in (f'"{mark}"', f"'{mark}'"):
            text = text.replace(quoted, "[" * depth + "]" * depth)
    return text


def random_value(source: random.Random) -> Any:
    """Returns a scalar or a small container that is unlikely to be expected."""
    kind = source.random()
    if kind < 0.3:
        return source.choice(NUMBERS)
    if kind < 0.7:
        return source.choice(TEXTS)
    return copy.deepcopy(source.choice(_VALUES))


_VALUES: tuple[Any, ...] = (None, True, False, [], {}, [[]], [{}], {"": ""}, [None], {"a": {"a": {}}}, DEEP, DEEPEST,
           list(range(300)), {str(number): number for number in range(300)}, "word " * 3000)  # fmt: skip


def _slots(holder: list[Any], source: random.Random) -> list[tuple[Container, Any]]:
    """Every place in the document: a container, and the key or index in it."""
    slots: list[tuple[Container, Any]] = []
    waiting: list[Container] = [holder]
    while waiting:
        container = waiting.pop()
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            slots.append((container, key))
            value = container[key]
            if isinstance(value, dict | list):
                waiting.append(value)
    return slots if len(slots) <= _SLOTS_KEPT else source.sample(slots, _SLOTS_KEPT)


def _delete(container: Container, key: Any, _source: random.Random) -> None:
    del container[key]


def _duplicate(container: Container, key: Any, source: random.Random) -> None:
    value = copy.deepcopy(container[key])
    if isinstance(container, dict):
        container[_other_key(key, source)] = value
    else:
        container[key:key] = [value] * source.choice((1, 1, 50))


def _alias(container: Container, key: Any, source: random.Random) -> None:
    """Puts the same object in twice: YAML writes it as an anchor and an alias."""
    value = container[key]
    if isinstance(container, dict):
        container[_other_key(key, source)] = value
    else:
        container.append(value)


def _replace(container: Container, key: Any, source: random.Random) -> None:
    container[key] = random_value(source)


def _retype(container: Container, key: Any, source: random.Random) -> None:
    value = container[key]
    shown = "" if isinstance(value, dict | list) else str(value)
    container[key] = source.choice(([value], {"x": value}, shown, {shown: None}, [value, value], bool(value)))


def _rename(container: Container, key: Any, source: random.Random) -> None:
    if isinstance(container, dict):
        container[_other_key(key, source)] = container.pop(key)


def _swap(container: Container, key: Any, source: random.Random) -> None:
    other = source.choice(list(container) if isinstance(container, dict) else range(len(container)))
    container[key], container[other] = container[other], container[key]


def _edit(container: Container, key: Any, source: random.Random) -> None:
    value = container[key]
    if isinstance(value, str):
        position = source.randint(0, len(value))
        cut = position + source.choice((0, 0, 1, 5))
        container[key] = value[:position] + source.choice(TEXTS) + value[cut:]
    else:
        container[key] = random_value(source)


def _insert(container: Container, key: Any, source: random.Random) -> None:
    if isinstance(container, dict):
        container[source.choice(WORDS)] = random_value(source)
    else:
        container.insert(key, random_value(source))


def _other_key(key: Any, source: random.Random) -> Any:
    return source.choice((f"{key}_2", source.choice(WORDS), source.choice(TEXTS)))


_MUTATIONS: tuple[Callable[[Container, Any, random.Random], None], ...] = (
    _delete, _duplicate, _alias, _replace, _replace, _retype, _rename, _swap, _edit, _edit, _insert,
)  # fmt: skip
