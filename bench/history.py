"""The cost of a history of a million metric rows: adding a night, comparing, reporting, and loading.

On SQLite, and on a temporary PostgreSQL server if one is installed. Writes are durable on both.
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

from bench.command import run_command, seconds
from bench.history_nights import BENCHMARKS, fill
from bench.targets import NO_TARGET, Row, Target
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


def measure_all(rounds: int = 5) -> Iterator[Row]:
    """The rows of each database."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        logs = _night_of_results(folder)
        imports_s = median(
            seconds(partial(run_command, [sys.executable, "-c", "import sqlalchemy"])) for _ in range(rounds)
        )
        yield _seconds_row("`import sqlalchemy` alone, as a process", imports_s)
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
    yield _seconds_row(
        f"{database}: inserting a million values",
        seconds(partial(fill, url)),
        details="bulk inserts",
        decimals=0,
    )
    add = [*_RUNNER, "history", "add", str(logs), "--history", url]
    process_s, read_s, add_s = [], [], []
    for _ in range(rounds):
        _shift(logs, days=1)
        process_s.append(seconds(partial(run_command, add)))
        _shift(logs, days=1)
        begun = time.perf_counter()
        reading = read_results(logs)
        read_s.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        with open_history(url) as history:
            assert history.add(reading.runs[0])
        add_s.append(time.perf_counter() - begun)
    parts = f"read and checked in {median(read_s):.2f} s, added in {median(add_s):.2f} s"
    both_s = median(read_s) + median(add_s)
    yield _seconds_row(f"{database}: 200 results read and added", both_s, Target(at_most=0.3), parts)
    yield _seconds_row(
        f"{database}: `history add` of these results, as a process",
        median(process_s),
        details="with all imports",
    )
    yield from _verdict_rows(database, url, logs.parent / "report.html", rounds)
    yield from _loading_rows(database, url, rounds)


def _verdict_rows(database: str, url: str, page: Path, rounds: int) -> Iterator[Row]:
    history = ["--history", url]
    compare, report = [*_RUNNER, "compare", *history], [*_RUNNER, "report", *history, "--output", str(page)]
    commands = {
        f"{database}: `compare latest~1 latest`": ([*compare, "latest~1", "latest"], 1.0),
        f"{database}: `compare branch:main:14 latest`": ([*compare, "branch:main:14", "latest"], 1.0),
        f"{database}: `report`": (report, 10.0),
    }
    for title, (command, most_s) in commands.items():
        seconds = median(seconds(partial(run_command, command)) for _ in range(rounds))
        details = f"as a process; {BENCHMARKS} benchmarks"
        yield _seconds_row(title, seconds, Target(at_most=most_s), details)


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
            yield Row(title, median(seconds(action) for _ in range(rounds)) * 1000, unit="ms", decimals=0)


def _seconds_row(
    what: str, seconds: float, target: Target = NO_TARGET, details: str = "", decimals: int = 2
) -> Row:
    return Row(what, seconds, target=target, details=details, unit="s", decimals=decimals)


def _shift(logs: Path, days: int) -> None:
    """Turns the results into those of another night: each record starts so many days later."""
    for file in record_files(logs):
        record = json.loads(file.read_text("utf-8"))
        started = datetime.fromisoformat(record["start_time_utc"]) + timedelta(days=days)
        file.write_text(json.dumps(record | {"start_time_utc": started.isoformat()}), "utf-8")
