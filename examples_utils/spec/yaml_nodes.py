"""YAML files as nodes with line and column, after merges, with duplicate keys detected.

The nodes are composed here from libyaml's events rather than by `yaml.compose`: that one drops the origin of a
merged value, accepts duplicate keys, and overflows the C stack on a deeply nested file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from examples_utils.problems import Place, Problem, SpecError

MAX_DEPTH = 100
MAX_ALIASED_VALUES = 500_000
"""How many values aliases may repeat in one file: thirteen levels of ten aliases each would make 10¹³ of them."""
_TAGS = "tag:yaml.org,2002:"
_COLLECTION_TAGS = (None, "!", _TAGS + "map", _TAGS + "seq")
_FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALAR_RULES: Any = yaml.SafeLoader("")

Steps = tuple[str | int, ...]
Pairs = dict[str, tuple["Node", "Node"]]


class Node:
    """A scalar, a sequence (`items`) or a mapping (`pairs`: key to both nodes).

    A scalar has its source `text` (None where nothing is written), and the `value` that YAML 1.1 makes of it.
    `faults` are those found while composing it, including those of its contents, aliases and merges. `size` counts
    the values in it, and `levels` how deep they are nested, with those of aliases.
    """

    __slots__ = ("anchored", "column", "faults", "items", "levels", "line", "pairs", "size", "text", "value")

    def __init__(self, line: int, column: int, anchored: bool = False) -> None:
        self.line, self.column, self.anchored = line, column, anchored
        self.text: str | None = None
        self.value: Any = None
        self.items: list[Node] | None = None
        self.pairs: Pairs | None = None
        self.faults: tuple[Problem, ...] = ()
        self.size, self.levels = 1, 0

    def at(self, steps: Steps) -> Node:
        """Returns the node at the end of a path of keys and indices, or the last existing one on the path."""
        node = self
        for step in steps:
            if node.pairs is not None and step in node.pairs:
                node = node.pairs[str(step)][1]
            elif node.items is not None and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
            else:
                break
        return node


@dataclass(frozen=True)
class Document:
    """A file's root node, and the mappings that others merge."""

    file: Path
    root: Node
    merged: frozenset[int]

    def is_merged(self, node: Node) -> bool:
        """Whether another mapping merges this one with `<<`."""
        return id(node) in self.merged

    def place(self, node: Node) -> Place:
        """Returns the node's place in the file."""
        return Place(self.file, node.line, node.column)


def read_document(file: Path, strict: bool = False) -> Document:
    """Reads one YAML file. A duplicate key is an error if `strict`, else a warning, and the last one counts.

    Raises SpecError, with line and column, if the file cannot be read or is not YAML.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(file, f"is not UTF-8 text ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise _unreadable(file, f"cannot be read: {error.strerror}") from None
    composer = _Composer(file, strict)
    try:
        root = composer.compose(yaml.parse(text, Loader=_FAST_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        details = ", ".join(part for part in (error.context, error.problem) if part)
        raise _unreadable(
            file,
            f"is not valid YAML: {details}",
            mark.line + 1 if mark else 1,
            mark.column + 1 if mark else 1,
        ) from None
    except yaml.YAMLError as error:
        details = getattr(error, "reason", None) or str(error).splitlines()[0]
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise _unreadable(file, f"is not valid YAML: {details}", line) from None
    return Document(file, root, frozenset(composer.merged))


def _unreadable(file: Path, message: str, line: int = 1, column: int = 1) -> SpecError:
    return SpecError([Problem(Place(file, line, column), "", message)])


class _Composer:
    """One pass over one file's events."""

    def __init__(self, file: Path, strict: bool) -> None:
        self.merged: set[int] = set()
        self._file, self._strict = file, strict
        self._aliased_values = 0
        self._path: list[str] = []  # the keys that lead to the current node
        self._anchors: dict[str, Node] = {}

    def compose(self, events: Iterator[Any]) -> Node:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._refusal(event, "a second document starts here; a spec is one document")
                root = self._node(next(events), events, 0)
        return root or Node(1, 1)

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self._aliased(event, depth)
        mark = event.start_mark
        node = Node(mark.line + 1, mark.column + 1, event.anchor is not None)
        if kind is yaml.ScalarEvent:
            node.value = self._scalar(event)
            node.text = event.value if event.value or not event.implicit[0] else None
        else:
            self._fill_collection(node, event, events, depth + 1)
        # An anchor is known only after its own end: a value that contains itself would be infinite.
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _aliased(self, event: Any, depth: int) -> Node:
        try:
            node = self._anchors[event.anchor]
        except KeyError:
            raise self._refusal(
                event, f"*{event.anchor} is used before an &{event.anchor} that ends above"
            ) from None
        if depth + node.levels > MAX_DEPTH:
            raise self._refusal(event, f"with *{event.anchor}, nested more than {MAX_DEPTH} levels deep")
        self._aliased_values += node.size
        if self._aliased_values > MAX_ALIASED_VALUES:
            raise self._refusal(
                event,
                f"with *{event.anchor} the aliases repeat {self._aliased_values:,} values; "
                f"at most {MAX_ALIASED_VALUES:,} are allowed",
            )
        return node

    def _scalar(self, event: Any) -> Any:
        if event.tag is None and not event.implicit[0]:
            return event.value  # quoted or a block: always text
        try:
            return _scalar_value(event.tag, event.value)
        except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError) as error:
            if event.tag is None:
                return event.value  # it only looks like a number or a date, as 2024-13-01 does
            # An invalid explicit tag, such as !!int on a non-number, makes PyYAML fail in any of these ways.
            details = getattr(error, "problem", None) or str(error)
            raise self._refusal(
                event, f"{event.value!r} cannot be read: {details}; quote it if it is text"
            ) from None

    def _fill_collection(self, node: Node, start: Any, events: Iterator[Any], depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self._refusal(start, f"nested more than {MAX_DEPTH} levels deep")
        if start.tag not in _COLLECTION_TAGS:
            raise self._refusal(start, f"the tag {start.tag} is not supported; remove it")
        if isinstance(start, yaml.SequenceStartEvent):
            node.items = []
            while type(event := next(events)) is not yaml.SequenceEndEvent:
                node.items.append(self._node(event, events, depth))
            contents = node.items
        else:
            node.pairs, merged = self._pairs(events, depth)
            contents = [*(value for _, value in node.pairs.values()), *merged]
        node.size += sum(child.size for child in contents)
        node.levels = 1 + max((child.levels for child in contents), default=0)
        node.faults = tuple(dict.fromkeys(fault for child in contents for fault in child.faults))

    def _pairs(self, events: Iterator[Any], depth: int) -> tuple[Pairs, list[Node]]:
        """Returns the keys and values of a mapping, and the nodes that it merges."""
        own: Pairs = {}
        merged: Pairs = {}
        merged_nodes = []
        earlier: dict[
            str, list[Problem]
        ] = {}  # the faults of values that a later one replaces, and those of their keys
        while type(event := next(events)) is not yaml.MappingEndEvent:
            key = self._node(event, events, depth)
            if _is_merge_key(event):
                sources = self._node(next(events), events, depth)
                merged.update(self._merged_pairs(event, sources))
                merged_nodes.append(sources)
                continue
            name = self._key_name(event, key)
            self._path.append(name)
            value = self._node(next(events), events, depth)
            if name in own:
                replaced_key, replaced = own[name]
                earlier.setdefault(name, []).extend((*replaced.faults, self._duplicate(replaced_key, key)))
            self._path.pop()
            own[name] = (key, value)
        for name, faults in earlier.items():
            own[name][1].faults = tuple(dict.fromkeys((*faults, *own[name][1].faults)))
        return {**merged, **own} if merged else own, merged_nodes

    def _duplicate(self, first: Node, second: Node) -> Problem:
        counts = "" if self._strict else f"; the last one counts, which is that in line {second.line}"
        message = f"duplicate key, given before in line {first.line}{counts}; remove one of the two"
        place = Place(self._file, second.line, second.column)
        return Problem(place, ".".join(self._path), message, is_warning=not self._strict)

    def _merged_pairs(self, event: Any, value: Node) -> Pairs:
        """Returns what `<<` brings in: of a list of mappings the earlier one wins."""
        sources = value.items if value.items is not None else [value]
        pairs: Pairs = {}
        for source in reversed(sources):
            if source.pairs is None:
                raise self._refusal(
                    event, "<< takes a mapping or a list of mappings, such as *common_options"
                )
            self.merged.add(id(source))
            pairs.update(source.pairs)
        return pairs

    def _key_name(self, event: Any, key: Node) -> str:
        if key.text is None:
            raise self._refusal(event, "a key must be text")
        return key.text

    def _refusal(self, event: Any, message: str) -> SpecError:
        mark = event.start_mark
        return _unreadable(self._file, message, mark.line + 1, mark.column + 1)


@lru_cache(maxsize=4096)
def _scalar_value(tag: str | None, text: str) -> Any:
    """Types a plain scalar by YAML 1.1, as PyYAML's safe loader does."""
    if tag is None or tag == "!":
        tag = _SCALAR_RULES.resolve(yaml.ScalarNode, text, (tag is None, False))
    return _SCALAR_RULES.construct_object(yaml.ScalarNode(tag, text)) if tag != _TAGS + "merge" else text


def _is_merge_key(event: Any) -> bool:
    return type(event) is yaml.ScalarEvent and event.value == "<<" and bool(event.implicit[0])
