"""What a history of a million figures costs: adding a night, comparing and reporting, and loading what they need.

On SQLite, and on a PostgreSQL server of its own if one is installed. Writes are durable on both.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

from bench.command import run_command
from bench.history_nights import BENCHMARKS, fill
from examples_utils.history.readers.results import read_results
from examples_utils.history.store import open_history
from examples_utils.results.log_folder import record_files
from tests.postgresql_server import installed_programs, running_server

_RUNNER = [sys.executable, "-m", "examples_utils"]
_SPEC = """
b:
  parameters: {{n: '{values}'}}
  cmd: echo throughput 1{{n}}.5 samples/sec latency 3.{{n}} ms p50 2.{{n}} ms p99 4.{{n}} ms memory 5{{n}} MiB
  data:
    throughput: {{regexp: 'throughput (.*?) samples/sec'}}
    latency: {{regexp: 'latency (.*?) ms'}}
    latency_p50: {{regexp: 'p50 (.*?) ms'}}
    latency_p99: {{regexp: 'p99 (.*?) ms'}}
    memory: {{regexp: 'memory (.*?) MiB'}}
"""
_BASE_NIGHTS = 14
Row = tuple[str, str, str, str]


def measure_all(rounds: int = 5) -> Iterator[Row]:
    """Rows of figure, measured value, bound and remark."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        logs = _night_of_results(folder)
        imports_s = median(
            _seconds(partial(run_command, [sys.executable, "-c", "import sqlalchemy"])) for _ in range(rounds)
        )
        yield "`import sqlalchemy` alone, as a process", f"{imports_s:.2f} s", "", ""
        yield from _rows("SQLite", str(folder / "history.db"), logs, rounds)
        if programs := installed_programs():
            server = stack.enter_context(running_server(programs, settings=""))
            yield from _rows("PostgreSQL", server.url, logs, rounds)


def _night_of_results(folder: Path) -> Path:
    (folder / "benchmarks.yml").write_text(_SPEC.format(values=",".join(map(str, range(BENCHMARKS)))))
    logs = folder / "logs"
    run_command(
        [*_RUNNER, "benchmark", "--spec", str(folder / "benchmarks.yml"), "--log-dir", str(logs), "--quiet"]
    )
    _shift(logs, days=-20)
    return logs


def _rows(database: str, url: str, logs: Path, rounds: int) -> Iterator[Row]:
    yield (
        f"{database}: inserting a million values",
        f"{_seconds(partial(fill, url)):.0f} s",
        "",
        "bulk inserts",
    )
    add = [*_RUNNER, "history", "add", str(logs), "--history", url]
    process_s, read_s, add_s = [], [], []
    for _ in range(rounds):
        _shift(logs, days=1)
        process_s.append(_seconds(partial(run_command, add)))
        _shift(logs, days=1)
        begun = time.perf_counter()
        reading = read_results(logs)
        read_s.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        with open_history(url) as history:
            assert history.add(reading.runs[0])
        add_s.append(time.perf_counter() - begun)
    parts = f"read and checked in {median(read_s):.2f} s, added in {median(add_s):.2f} s"
    yield f"{database}: 200 results read and added", f"{median(read_s) + median(add_s):.2f} s", "0.3 s", parts
    yield (
        f"{database}: `history add` of these results, as a process",
        f"{median(process_s):.2f} s",
        "",
        "with all imports",
    )
    yield from _verdict_rows(database, url, logs.parent / "report.html", rounds)
    yield from _loading_rows(database, url, rounds)


def _verdict_rows(database: str, url: str, page: Path, rounds: int) -> Iterator[Row]:
    history = ["--history", url]
    compare, report = [*_RUNNER, "compare", *history], [*_RUNNER, "report", *history, "--output", str(page)]
    commands = {
        f"{database}: `compare latest~1 latest`": ([*compare, "latest~1", "latest"], "1.0 s"),
        f"{database}: `compare branch:main:14 latest`": ([*compare, "branch:main:14", "latest"], "1.0 s"),
        f"{database}: `report`": (report, "10 s"),
    }
    for title, (command, bound) in commands.items():
        seconds = median(_seconds(partial(run_command, command)) for _ in range(rounds))
        yield title, f"{seconds:.2f} s", bound, f"as a process; {BENCHMARKS} benchmarks"


def _loading_rows(database: str, url: str, rounds: int) -> Iterator[Row]:
    with open_history(url) as history:
        night = f"{database}: a night and {_BASE_NIGHTS} before it"
        fortnight = [summary.run_id for summary in history.runs(limit=_BASE_NIGHTS + 1)]
        year = [summary.run_id for summary in history.runs(limit=365)]
        actions: dict[str, Callable[[], object]] = {
            f"{database}: listing the last 15 runs": partial(history.runs, suite="benchmarks.yml", limit=15),
            f"{night}, without logs": partial(history.load, fortnight, log_tails=False),
            f"{night}, one metric": partial(history.load, fortnight, ["throughput"], log_tails=False),
            f"{night}, with logs": partial(history.load, fortnight),
            f"{database}: a year of nights, without logs": partial(history.load, year, log_tails=False),
        }
        for title, action in actions.items():
            yield title, f"{median(_seconds(action) for _ in range(rounds)) * 1000:.0f} ms", "", ""


def _shift(logs: Path, days: int) -> None:
    """Makes another night of the same results: each record starts so many days later."""
    for file in record_files(logs):
        record = json.loads(file.read_text("utf-8"))
        started = datetime.fromisoformat(record["start_time_utc"]) + timedelta(days=days)
        file.write_text(json.dumps(record | {"start_time_utc": started.isoformat()}), "utf-8")


def _seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun
