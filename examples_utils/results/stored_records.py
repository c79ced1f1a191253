"""Reads the records in a log folder. Whatever else lies there under their names is named and omitted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from sys import float_info
from typing import Any

from benchmark_parsers.result_check import keys_of_the_original, read_checked
from examples_utils.results.log_folder import in_order, record_files
from examples_utils.results.record import VariantResult

# Python's reader and writer of JSON fail at about a thousand levels; a record has fewer than ten.
_MOST_LEVELS = 100


def stored_results(log_folder: Path) -> tuple[list[VariantResult], list[str]]:
    """Returns all records in a log folder in the order of their start, and messages about unreadable ones."""
    results, unreadable = [], []
    for file in record_files(log_folder):
        result, problem = _read(file)
        if result:
            results.append(result)
        else:
            unreadable.append(f"{problem}; this record is omitted")
    return in_order(results), unreadable


def _read(file: Path) -> tuple[VariantResult | None, str]:
    by_benchmark, checked = read_checked(file)
    if checked.problems:
        return None, str(checked.problems[0])
    records = [record for records in by_benchmark.values() for record in records]
    if len(records) != 1:
        return None, f"{file}: error: holds {len(records)} records, not one"
    if _is_deep(records[0]):
        return None, f"{file}: error: is nested too deeply"
    return VariantResult.from_json(_in_our_form(records[0])), ""


def _in_our_form(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a valid record with the types of `VariantResult`; the schema also allows those of the original runner.

    Records without `schema_version` are of the first version; only their plain keys were checked.
    """
    known = record if "schema_version" in record else {key: record[key] for key in _original_keys(record)}
    return {
        **known,
        "benchmark_path": record.get("benchmark_path") or "",
        "params": {name: str(value) for name, value in record["params"].items()},
        "command": str(record["command"] or ""),
        "log_paths": {name: path for name, path in (record.get("log_paths") or {}).items() if path},
        "duration_s": _finite(known.get("duration_s")),
    }


def _finite(seconds: float | None) -> float | None:
    # A file may hold 1e999, which is read as infinity, and whole numbers that are no float.
    return seconds if seconds is not None and seconds <= float_info.max else None


def _original_keys(record: Mapping[str, Any]) -> frozenset[str]:
    return keys_of_the_original() & record.keys()


def _is_deep(value: Any, levels: int = _MOST_LEVELS) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return not levels or any(_is_deep(part, levels - 1) for part in inner)
