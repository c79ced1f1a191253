"""Checks a result file: format, schema, and the rules that a schema cannot express."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timezone
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from benchmark_parsers.result_file import Steps, UnusableError, not_numbers, read_results
from benchmark_parsers.times import read_time

# A foreign file may have a problem in each of its millions of elements; the check stops after this many.
MAX_PROBLEMS = 1000

_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = 60


@dataclass(frozen=True)
class ResultProblem:
    """`place` is a JSON pointer, or line and column where the file is not JSON."""

    file: Path
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.place}: error: {self.message}"


@dataclass(frozen=True)
class CheckedFile:
    """The number of records in a file, and all its problems (the first `MAX_PROBLEMS`)."""

    records: int
    problems: tuple[ResultProblem, ...]


def check_results(file: Path) -> CheckedFile:
    """Checks a `benchmark_results.json`, or a `variant_result.json`. Reports problems; never raises for bad content."""
    return read_checked(file)[1]


def read_checked(file: Path) -> tuple[dict[str, list[dict[str, Any]]], CheckedFile]:
    """Returns benchmark name to records, for a file of either kind, and the result of `check_results`.

    Records are returned only if the file has no problem.
    """
    try:
        document, holds_not_numbers = read_results(file)
        checked = _check(file, document, holds_not_numbers)
    except UnusableError as error:
        return {}, CheckedFile(0, (ResultProblem(file, error.place, str(error)),))
    except RecursionError:
        return {}, CheckedFile(
            0, (ResultProblem(file, "/", "is not a result file: it is nested too deeply"),)
        )
    if checked.problems:
        return {}, checked
    return {document["benchmark_name"]: [document]} if _is_record(document) else document, checked


def first_fault(record: Mapping[str, Any]) -> str | None:
    """Returns the first problem of one record, with a JSON pointer to its place; None if there is none."""
    problems = _check(Path(), record, holds_not_numbers=False).problems
    return f"{problems[0].place}: {problems[0].message}" if problems else None


def keys_of_the_original() -> frozenset[str]:
    """Returns the keys that are checked in a record without `schema_version`; other keys may hold anything."""
    return frozenset(_definitions()["record"]["properties"])


def result_schema() -> dict[str, Any]:
    """Returns the JSON Schema of a result file, as shipped."""
    schema: dict[str, Any] = json.loads(Path(__file__).with_name("result.schema.json").read_text("utf-8"))
    return schema


def _check(file: Path, document: Any, holds_not_numbers: bool) -> CheckedFile:
    found_nans = not_numbers(document) if holds_not_numbers else ()
    nans = ((steps, f"{value} is not a valid JSON number") for steps, value in found_nans)
    found: dict[Steps, str] = {}
    for steps, message in chain(nans, _problems(document)):
        found.setdefault(steps, message)
        if len(found) == MAX_PROBLEMS:
            break
    problems = tuple(ResultProblem(file, _pointer(steps), message) for steps, message in found.items())
    return CheckedFile(_count(document), problems)


def _records(document: Mapping[str, Any]) -> Iterator[tuple[Steps, Any]]:
    if _is_record(document):
        yield (), document
        return
    for name, records in document.items():
        if isinstance(records, list):
            yield from (((name, index), record) for index, record in enumerate(records))


def _is_record(document: Mapping[str, Any]) -> bool:
    return isinstance(document.get("variant_name"), str)


def _count(document: Any) -> int:
    if not isinstance(document, dict):
        return 0
    if _is_record(document):
        return 1
    return sum(len(records) for records in document.values() if isinstance(records, list))


def _problems(document: Any) -> Iterator[tuple[Steps, str]]:
    if not isinstance(document, dict) or not document:
        yield (), f"expected a mapping of benchmark name to records; got {_short(document)}"
        return
    for steps, record in _records(document):
        faults = list(_schema_faults(record))
        faults = faults or [*_contradictions(steps, record), *_wrong_times(record)]
        yield from ((steps + inner, message) for inner, message in faults)
    if _is_record(document):
        return
    for name, value in document.items():
        if not isinstance(value, list):
            yield (name,), f"expected a list of records; got {_short(value)}"


def _schema_faults(record: Any) -> Iterator[tuple[Steps, str]]:
    from fastjsonschema import JsonSchemaValueException

    try:
        _accepts()(record)
    except JsonSchemaValueException:
        for error in _explaining_validator().iter_errors(record):
            yield tuple(error.absolute_path), _explain(error)


@cache
def _accepts() -> Callable[[Any], Any]:
    # A hundred times faster than jsonschema, but it stops at the first fault and explains little. It supports
    # draft 7; the schema uses nothing that 2020-12 has changed (except the name of $defs, a mere path).
    import fastjsonschema

    draft_7 = {**_record_schema(), "$schema": "http://json-schema.org/draft-07/schema#"}
    check: Callable[[Any], Any] = fastjsonschema.compile(draft_7, use_default=False)
    return check


@cache
def _explaining_validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(_record_schema())


def _record_schema() -> dict[str, Any]:
    schema = result_schema()
    return {"$schema": schema["$schema"], "$ref": "#/$defs/record", "$defs": schema["$defs"]}


@cache
def _definitions() -> dict[str, Any]:
    definitions: dict[str, Any] = result_schema()["$defs"]
    return definitions


def _explain(error: Any) -> str:
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        description = _description(error.schema.get("properties", {}).get(missing, {}))
        return f"{missing} is missing{': ' + description if description else ''}"
    if error.validator == "additionalProperties" and error.validator_value is False:
        unknown = next(key for key in error.instance if key not in error.schema["properties"])
        return f"unknown key {unknown!r}; known: {', '.join(error.schema['properties'])}"
    expected = _description(error.schema) or f"{error.validator} {error.validator_value}"
    return f"expected {expected}; got {_short(error.instance)}"


def _description(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        schema = {**_definitions()[schema["$ref"].rpartition("/")[2]], **schema}
    return str(schema.get("description", ""))


def _contradictions(steps: Steps, record: Mapping[str, Any]) -> Iterator[tuple[Steps, str]]:
    """Yields pairs of keys of one record that do not agree."""
    if steps and record["benchmark_name"] != steps[0]:
        yield ("benchmark_name",), f"is {_short(record['benchmark_name'])} under {_short(steps[0])}"
    if "schema_version" not in record:
        return
    for inner, part in _parts(record):
        for name, metric in part["metrics"].items():
            value = part["results"].get(name, {}).get(metric["reduction"])
            if value != metric["value"]:
                yield (
                    (*inner, "metrics", name, "value"),
                    f"is {_short(metric['value'])}, but {_short(value)} in results",
                )


def _wrong_times(record: Mapping[str, Any]) -> Iterator[tuple[Steps, str]]:
    """Yields starts that match the pattern of a time but are not valid: the history could not order them."""
    ours = "schema_version" in record
    # The original runner recorded local time only.
    key, definition = ("start_time_utc", "full_record") if ours else ("start_time", "record")
    for steps, part in _parts(record):
        if part[key] and not _is_time(part[key]):
            expected = _description(_definitions()[definition]["properties"][key])
            yield (*steps, key), f"expected a time: {expected}; got {_short(part[key])}"


def _is_time(text: str) -> bool:
    try:
        read_time(text).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return False
    return True


def _parts(record: Mapping[str, Any]) -> list[tuple[Steps, Mapping[str, Any]]]:
    """Returns a record and, if it is ours, its repetitions; others may hold anything under that name."""
    repetitions = record["repetitions"] if "schema_version" in record else ()
    return [((), record), *((("repetitions", index), part) for index, part in enumerate(repetitions))]


def _pointer(steps: Steps) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps) or "/"


def _short(value: Any) -> str:
    # A foreign file may hold millions of elements where one number is expected.
    text = "nothing" if value is None else _brief.repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
