"""Reads measurements from a log folder, or from a result file of this or of the original runner.

Everything is validated with the schema of results first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from benchmark_parsers.result_check import ResultProblem, keys_of_the_original, read_checked
from examples_utils.history.readers.log_tails import log_tail
from examples_utils.history.readers.records import Record, executions, runs_of, started_utc
from examples_utils.planning.options import RunOptions
from examples_utils.problems import RequestError
from examples_utils.results.log_folder import record_files, stored_options
from examples_utils.results.repetitions import combined_results
from examples_utils.results.stored_records import stored_results
from examples_utils.run_model import Run, VariantKey

_RESULTS = "benchmark_results.json"
_MAX_SHOWN = 5


@dataclass(frozen=True)
class Reading:
    """The runs that were found, what was omitted, and warnings."""

    runs: tuple[Run, ...]
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_results(path: Path) -> Reading:
    """Reads the runs in a log folder, a `benchmark_results.json` or a `variant_result.json`; mostly one.

    Omits an invalid record of a log folder.

    Raises:
        RequestError: There are none, or the file is not a result.
    """
    if path.is_dir():
        records, left_out = _of_folder(path)
        folder = path
    else:
        records, left_out = _of_file(path), ()
        folder = path.parent
    # The paths are those of the repetition that the status describes: the first that failed, or the first.
    tails = {
        VariantKey.of_record(record): log_tail(record.get("log_paths") or {}, folder) for record in records
    }
    runs = runs_of(records, tails)
    if not runs:
        raise RequestError(f"{path}: contains no result of a variant that was run; name a run's --log-dir")
    return Reading(tuple(runs), left_out, tuple(_oddities(path, records)))


def _of_file(file: Path) -> list[Record]:
    by_benchmark, checked = read_checked(file)
    if checked.problems:
        raise RequestError(_listed(checked.problems))
    return [_checked_part(record) for record in chain.from_iterable(by_benchmark.values())]


def _checked_part(record: Record) -> Record:
    """Drops the keys that were not validated: a record of the original runner may contain anything else."""
    if "schema_version" in record:
        return record
    known = keys_of_the_original()
    return {key: value for key, value in record.items() if key in known}


def _listed(problems: Sequence[ResultProblem]) -> str:
    lines = [str(problem) for problem in problems[:_MAX_SHOWN]]
    if len(problems) > _MAX_SHOWN:
        lines.append(f"{problems[0].file}: … and {len(problems) - _MAX_SHOWN} more: see validate-results")
    return "\n".join(lines)


def _of_folder(folder: Path) -> tuple[list[Record], tuple[str, ...]]:
    files = record_files(folder)
    if not files and (folder / _RESULTS).exists():
        return _of_file(folder / _RESULTS), ()
    results, left_out = stored_results(folder)
    repeat = (stored_options(folder) or RunOptions()).repeat
    combined = combined_results(folder, results, repeat)
    return [result.as_json() for result in combined], tuple(left_out)


def _oddities(path: Path, records: Iterable[Record]) -> Iterable[str]:
    records = list(records)
    if _went_backwards(records):
        yield (
            f"{path}: a repetition started before the previous one: the clock was set back during the run. Its "
            f"values stay in the order of the repetitions"
        )
    commits = {(record.get("git") or {}).get("commit") for record in records if started_utc(record)}
    if len(commits) > 1:
        shown = ", ".join(sorted(str(commit)[:12] for commit in commits))
        yield f"{path}: contains results of several commits ({shown}); they are recorded under the first"
    keys: list[VariantKey] = [VariantKey.of_record(record) for record in records]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        yield f"{path}: contains {twice.title} more than once; the last one counts"


def _went_backwards(records: Iterable[Record]) -> bool:
    each = ([started_utc(one) or "" for one in executions(record)] for record in records)
    return any(list(filter(None, starts)) != sorted(filter(None, starts)) for starts in each)
