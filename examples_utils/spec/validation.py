"""Validates a spec: its schema first, then the rules that a schema cannot express."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from benchmark_parsers.derived import names_in
from benchmark_parsers.numbers import number_of
from benchmark_parsers.registry import REGEX, ParserError, UnknownParserError, check_parser
from examples_utils.original import KEYS
from examples_utils.problems import Problem, did_you_mean, nearest
from examples_utils.spec.command_words import command_words
from examples_utils.spec.entry_values import entry_values
from examples_utils.spec.placeholders import fill, placeholders
from examples_utils.spec.requirements import explain_bad_requirement
from examples_utils.spec.threshold import parse_threshold
from examples_utils.spec.variants import (
    MAX_TEXT,
    VariantError,
    check_parameters,
    equal_variants,
    expand,
    most_text,
    parameter_names,
    parameter_values,
    too_much_text,
)
from examples_utils.spec.yaml_nodes import Document, Node, Steps

_MOST_SCHEMA_PROBLEMS = 20  # of one entry: nobody reads more, and each takes time to explain


def check_file(document: Document) -> list[Problem]:
    """Returns the problems of the file as a whole."""
    if document.root.pairs is None:
        place = document.place(document.root)
        return [Problem(place, "", "a spec is a mapping of benchmark names to entries; this file has none")]
    return []


def check_entry(document: Document, name: str, key: Node, node: Node) -> list[Problem]:
    """Returns all problems of one entry; an entry with warnings only can run."""
    if not name.strip():
        return [Problem(document.place(key), "", "a benchmark has no name; write one before the colon")]
    if node.pairs is None:
        message = "a benchmark is a mapping with at least a cmd; name shared blocks ...options..."
        return [Problem(document.place(key), name, message)]
    entry = entry_values(node)
    problems = _schema_problems(document, name, node, entry)
    if not problems:
        problems = [
            Problem(document.place(node.at(steps) if steps else key), _dotted(name, steps), message)
            for steps, message in _semantic_problems(entry)
        ]
        problems = problems or [
            Problem(document.place(node.at(steps)), _dotted(name, steps), message, is_warning=True)
            for steps, message in _doubts(entry)
        ]
    return problems + _unknown_keys(document, name, node)


def spec_schema() -> dict[str, Any]:
    """Returns the JSON Schema of a spec, as shipped."""
    schema: dict[str, Any] = json.loads(Path(__file__).with_name("spec.schema.json").read_text("utf-8"))
    return schema


@cache
def _entry_schema() -> dict[str, Any]:
    entry: dict[str, Any] = spec_schema()["definitions"]["entry"]
    return {"$schema": "http://json-schema.org/draft-07/schema#", **entry}


@cache
def _accepts() -> Callable[[Any], Any]:
    # fastjsonschema compiles the schema and is a hundred times faster, but stops at the first fault and
    # explains little; jsonschema then explains the few entries that have faults.
    import fastjsonschema

    check: Callable[[Any], Any] = fastjsonschema.compile(_entry_schema(), use_default=False)
    return check


def _schema_problems(document: Document, name: str, node: Node, entry: dict[str, Any]) -> list[Problem]:
    from fastjsonschema import JsonSchemaValueException

    try:
        _accepts()(entry)
    except JsonSchemaValueException:
        from jsonschema import Draft7Validator

        errors = Draft7Validator(_entry_schema()).iter_errors(entry)
        return [
            Problem(document.place(node.at(steps)), _dotted(name, steps), _explain(error))
            for error in islice(errors, _MOST_SCHEMA_PROBLEMS)
            for steps in [tuple(error.absolute_path)]
        ]
    return []


def _explain(error: Any) -> str:
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"{missing} is missing: {error.schema['properties'][missing]['description']}"
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = next(key for key in error.instance if key not in known)
        return f"unknown key {unknown}; {did_you_mean(unknown, known)}"
    expected = error.schema.get("description", f"{error.validator} {error.validator_value}")
    return f"expected {expected}; got {_short(error.instance)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _semantic_problems(entry: dict[str, Any]) -> Iterator[tuple[Steps, str]]:
    notebook = entry.get("notebook")
    of_cells = notebook.get("timeout") if isinstance(notebook, dict) else None
    for steps, seconds in ((("timeout",), entry.get("timeout")), (("notebook", "timeout"), of_cells)):
        if not math.isfinite(seconds or 0):  # such as 1e999
            yield steps, f"expected a number of seconds above 0; got {seconds}; leave it out for no limit"
    yield from _command_problems(entry)
    known_parameters: tuple[str, ...] | None = None
    try:
        known_parameters = parameter_names(entry.get("parameters"))
        check_parameters(entry.get("parameters"))
    except VariantError as error:
        yield ("parameters", *error.steps), str(error)
    else:
        yield from _filled_command_problems(entry)
    if known_parameters is not None:
        yield from _placeholder_problems(entry, known_parameters)
        yield from _derived_problems(entry, known_parameters)
    for metric, data in (entry.get("data") or {}).items():
        if message := _regexp_fault(data["regexp"]):
            yield ("data", metric, "regexp"), message
    for index, requirement in enumerate(entry.get("requires") or ()):
        if message := explain_bad_requirement(requirement):
            yield ("requires", index), message
    if "compare" in entry:
        try:
            parse_threshold(entry["compare"]["threshold"])
        except ValueError as error:
            yield ("compare", "threshold"), str(error)
    if "parser" in entry and (message := _parser_fault(entry)):
        yield ("parser",), message
    if "requirements_file" in entry and "requirements_path" in entry:
        yield ("requirements_path",), "means the same as requirements_file; give one of the two"


def _command_problems(entry: dict[str, Any]) -> Iterator[tuple[Steps, str]]:
    if "cmd" not in entry and "notebook" not in entry:
        yield (), "cmd is missing: give the command to run (or a notebook); name shared blocks ...options..."
    if "cmd" in entry and "notebook" in entry:
        yield ("notebook",), "an entry has a cmd or a notebook, not both"
    if entry.get("shell") and "notebook" in entry:
        yield ("shell",), "is for a cmd; a notebook is run without a shell"
    if not entry.get("shell"):
        try:
            command_words(entry.get("cmd") or "")
        except ValueError as error:
            yield ("cmd",), f"cannot be split into words: {error}; close the quote, or set shell: true"


def _filled_command_problems(entry: dict[str, Any]) -> Iterator[tuple[Steps, str]]:
    """Values that make too much of the command, or with quotes in them, which may leave one open in it."""
    command = entry.get("cmd", "")
    used = set(placeholders(command))
    values = parameter_values(entry.get("parameters"))
    quotes_in_values = any(
        mark in value for name in used & values.keys() for value in values[name] for mark in "'\"\\"
    )
    if (characters := most_text(command, entry.get("parameters"))) > MAX_TEXT:
        yield ("parameters",), f"makes {too_much_text(characters)}"
        return
    if entry.get("shell") or not used <= values.keys() or not quotes_in_values:
        return
    for variant in expand("", entry.get("parameters")):
        row = dict(variant.params)
        try:
            command_words(fill(command, row))
        except ValueError as error:
            shown = ", ".join(f"{name}={_short(row[name])}" for name in sorted(used))
            yield (
                ("parameters",),
                f"with {shown} the cmd cannot be split into words: {error}; quote the value",
            )
            return


def _placeholder_problems(entry: dict[str, Any], known: tuple[str, ...]) -> Iterator[tuple[Steps, str]]:
    notebook = entry.get("notebook", {})
    texts: dict[Steps, str] = {("cmd",): entry.get("cmd", "")}
    if isinstance(notebook, str):
        texts["notebook",] = notebook
    else:
        texts |= {("notebook", key): notebook.get(key, "") for key in ("file", "working_directory")}
    for steps, name in [(steps, name) for steps, text in texts.items() for name in placeholders(text)]:
        if name not in known:
            remedy = did_you_mean(name, known) or "the entry has no parameters"
            yield (
                steps,
                f"{{{name}}} is not a parameter; {remedy} (write {{{{{name}}}}} for the literal text)",
            )


def _derived_problems(entry: dict[str, Any], parameters: tuple[str, ...]) -> Iterator[tuple[Steps, str]]:
    known = {*(entry.get("data") or {}), *parameters}
    for metric, data in (entry.get("derived") or {}).items():
        try:
            used = names_in(data["expr"])
        except ValueError as error:
            yield ("derived", metric, "expr"), str(error)
            continue
        for name in [] if _has_tool_parser(entry) else sorted(used - known):
            remedy = did_you_mean(name, sorted(known))
            yield ("derived", metric, "expr"), f"{name} is not a metric or parameter of this entry; {remedy}"
        known.add(metric)


def _has_tool_parser(entry: dict[str, Any]) -> bool:
    """Whether the entry has metrics that are known only after it has run."""
    return bool(entry.get("parser", REGEX) != REGEX)


def _parser_fault(entry: dict[str, Any]) -> str | None:
    name = entry["parser"]
    if name == REGEX:
        return None if entry.get("data") else "parser regex needs data: a mapping of metric name to regexp"
    try:
        check_parser(name)
    except UnknownParserError as error:
        return f"{error}; {did_you_mean(name, error.known)}"
    except ParserError as error:
        return str(error)
    return None


def _regexp_fault(regexp: str) -> str | None:
    try:
        re.compile(regexp)
    except (re.error, RecursionError, OverflowError) as error:
        position = getattr(error, "pos", None)
        where = f" at character {position + 1}" if position is not None else ""
        return f"is not a regular expression{where}: {getattr(error, 'msg', error)}; in {_short(regexp)}"
    return None


def _doubts(entry: dict[str, Any]) -> Iterator[tuple[Steps, str]]:
    """Yields what runs, but is probably not meant."""
    if shared := equal_variants(entry.get("parameters")):
        yield (
            ("parameters",),
            f"{_short(shared)} is given more than once; each runs, from the second on named with #2, #3, …",
        )
    for metric, data in (entry.get("data") or {}).items():
        if not re.compile(data["regexp"]).groups:
            message = "has no group, so the whole match is the value; write (…) around the number"
            yield ("data", metric, "regexp"), message
    if not _has_tool_parser(entry):
        yield from _unknown_sources(entry)


def _unknown_sources(entry: dict[str, Any]) -> Iterator[tuple[Steps, str]]:
    """Unknown `output` columns are no errors: they may name a custom metric, which a spec does not declare."""
    known = [*(entry.get("data") or {}), *(entry.get("derived") or {}), "total_compiling_time"]
    known += parameter_names(entry.get("parameters"))
    for index, column in enumerate(entry.get("output") or ()):
        source = column[1] if isinstance(column, list) else next(iter(column.values()))
        if source not in known and number_of(source) is None:
            message = f"{source} is not a metric or parameter of this entry; {did_you_mean(source, known)}"
            yield ("output", index), message


def _unknown_keys(document: Document, name: str, node: Node) -> list[Problem]:
    """Reports unknown keys as warnings: existing specs carry keys of their own."""
    known = list(_entry_schema()["properties"])
    problems = []
    for key, (key_node, _) in (node.pairs or {}).items():
        if key not in known:
            if remedy := KEYS.get(key, ""):
                remedy = f"only the original's platform_assessment reads it: {remedy}"
            remedy = remedy or nearest(key, known)
            message = f"unknown key, which has no effect{'; ' + remedy if remedy else ''}"
            problems.append(Problem(document.place(key_node), f"{name}.{key}", message, is_warning=True))
    return problems


def _dotted(name: str, steps: Steps) -> str:
    return ".".join([name, *map(str, steps)])
