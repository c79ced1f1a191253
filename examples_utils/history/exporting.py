"""`history export`: one row per measured value, for other tools."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from examples_utils.history.store import History
from examples_utils.problems import RequestError
from examples_utils.results.csv_cells import cells, header
from examples_utils.run_model import Run, VariantKey

# Column to type; a variant without metrics, such as a failed one, has one row without metric and value.
COLUMNS = {
    "run_id": "text", "started_utc": "text", "hostname": "text", "commit": "text", "dirty": "bool", "branch": "text",
    "suite": "text", "benchmark": "text", "variant": "text", "params": "text", "settings": "text", "status": "text",
    "reason": "text", "metric": "text", "unit": "text", "direction": "text", "reduction": "text",
    "repetition": "int", "value": "float",
}  # fmt: skip
_RUNS_AT_A_TIME = 20
_Row = dict[str, Any]


def file_format(file: str, given: str | None) -> str:
    """Returns the requested format, or that of the file's extension. Raises RequestError if it is not supported."""
    kind = given or Path(file).suffix.removeprefix(".")
    if kind not in _WRITERS:
        raise RequestError(
            f"export {file}: the name does not determine the format; give --format {', '.join(_WRITERS)}"
        )
    if kind == "parquet" and file == "-":
        raise RequestError("export --format parquet -: cannot be written to standard output; name a file")
    return kind


def export_runs(history: History, run_ids: Sequence[str], file: str, kind: str, csv_raw: bool = False) -> int:
    """Writes the runs in this order, a few at a time; returns the number of rows. The file appears when complete.

    Raises:
        RequestError: The file cannot be written, or a package is missing.
    """
    count = 0

    def blocks() -> Iterator[list[_Row]]:
        nonlocal count
        for runs in _loaded(history, run_ids):
            rows = [row for run in runs for row in run_rows(run)]
            count += len(rows)
            yield rows

    try:
        with _target(file, binary=kind == "parquet") as stream:
            write = partial(_write_csv, raw=csv_raw) if kind == "csv" else _WRITERS[kind]
            write(blocks(), stream)
    except OSError as error:
        if file == "-":
            raise
        raise RequestError(f"export {file}: cannot be written: {error.strerror}") from None
    return count


def _loaded(history: History, run_ids: Sequence[str]) -> Iterator[list[Run]]:
    rest = iter(run_ids)
    while some := list(islice(rest, _RUNS_AT_A_TIME)):
        yield history.load(some, log_tails=False)


def run_rows(run: Run) -> Iterator[_Row]:
    """Yields the rows of a run, with the columns in the order of `COLUMNS`."""
    of_run = {
        "run_id": run.run_id,
        "started_utc": run.started_utc,
        "hostname": run.machine.get("hostname"),
        "commit": run.commit,
        "dirty": run.dirty,
        "branch": run.branch,
    }
    with_metrics = set()
    for key, metric in sorted(run.metrics.items()):
        with_metrics.add(key.of_variant)
        described = {"unit": metric.unit, "direction": metric.direction, "reduction": metric.reduction}
        for repetition, value in enumerate(metric.values, start=1):
            yield (
                of_run
                | _of_variant(run, key.of_variant)
                | {"metric": key.metric}
                | described
                | {
                    "repetition": repetition,
                    "value": value,
                }
            )
    for variant in sorted(set(run.variants) - with_metrics):
        yield dict.fromkeys(COLUMNS) | of_run | _of_variant(run, variant)


def _of_variant(run: Run, key: VariantKey) -> _Row:
    facts = run.variants.get(key)
    return {
        **key._asdict(),
        "params": json.dumps(dict(facts.params)) if facts else None,
        "settings": json.dumps(dict(facts.settings)) if facts else None,
        "status": facts.status if facts else None,
        "reason": facts.reason if facts else None,
    }


@contextmanager
def _target(file: str, binary: bool) -> Iterator[Any]:
    if file == "-":
        yield sys.stdout
        return
    temporary = Path(file).with_name(f".{Path(file).name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") if binary else _text_file(temporary) as stream:
            yield stream
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _text_file(file: Path) -> TextIOWrapper:
    """Opens a text file; surrogates, which UTF-8 does not allow, are written as a backslash, u and four digits."""
    return file.open("w", encoding="utf-8", errors="backslashreplace", newline="")


def _write_csv(blocks: Iterable[list[_Row]], stream: TextIO, raw: bool = False) -> None:
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writerow(header(COLUMNS, raw))
    for rows in blocks:
        writer.writerows(cells(row, raw) for row in rows)


def _write_json(blocks: Iterable[list[_Row]], stream: TextIO) -> None:
    between = "[\n"
    for rows in blocks:
        for row in rows:
            stream.write(between + json.dumps(row))
            between = ",\n"
    stream.write("[]\n" if between == "[\n" else "\n]\n")


def _write_parquet(blocks: Iterable[list[_Row]], stream: BinaryIO) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise RequestError(
            f"export --format parquet: needs the package {error.name}: pip install -e '.[history]'"
        ) from None
    types = {"text": pa.string(), "bool": pa.bool_(), "int": pa.int32(), "float": pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    with pq.ParquetWriter(stream, schema) as writer:
        for rows in blocks:
            try:
                table = pa.Table.from_pylist(rows, schema)
            except UnicodeEncodeError:
                table = pa.Table.from_pylist(list(map(_escaped, rows)), schema)
            writer.write_table(table)


def _escaped(row: _Row) -> _Row:
    """Escapes texts as `_text_file` does."""
    return {
        name: value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
        for name, value in row.items()
    }


_WRITERS: dict[str, Callable[[Iterable[list[_Row]], Any], None]] = {
    "parquet": _write_parquet,
    "csv": _write_csv,
    "json": _write_json,
}
