"""A history of a million metric rows, by bulk inserts: 1,000 nights of 200 benchmarks with 5 metrics each."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, insert, select
from sqlalchemy.engine import Engine

from examples_utils.history.database import tables
from examples_utils.history.database.connection import database_url, open_engine, writing
from examples_utils.history.database.insertion import microseconds
from examples_utils.history.store import open_history
from examples_utils.machine.fingerprint import machine_fingerprint, software_fingerprint
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey

NIGHTS, BENCHMARKS, REPETITIONS = 1000, 200, 5
_METRICS = (("throughput", "samples/sec", "higher"), ("latency", "ms", "lower"), ("latency_p50", "ms", "lower"),
            ("latency_p99", "ms", "lower"), ("peak_memory", "MiB", "lower"))  # fmt: skip
_NOISE = 0.02
_LAST_NIGHT_DAYS_AGO = 30
# The log tail of a driver run is 40 lines; its values differ from night to night.
_LOG_LINE = "Throughput: {:.2f} imgs/sec; Latency range: {:.3f}..{:.3f} ms\n"


def fill(url: str, nights: int = NIGHTS) -> None:
    """Creates a history of so many nights, the last of them a month ago."""
    with open_history(url, create=True) as history:
        history.add(replace(_night(), started_utc=_start(nights - 1).isoformat()))
    engine = open_engine(database_url(url), create=False)
    try:
        with writing(engine) as connection:
            _copy_nights(connection, nights)
        _analyse(engine)
    finally:
        engine.dispose()


def _night() -> Run:
    random = np.random.default_rng(0)
    keys = [VariantKey("benchmarks.yml", f"model_{i}", f"model_{i}_batch_size_8") for i in range(BENCHMARKS)]
    return Run(
        run_id=f"{0:016x}",
        started_utc="",
        machine=machine_fingerprint(),
        software=software_fingerprint(),
        commit=f"{0:040x}",
        dirty=False,
        branch="main",
        canary={
            "compute": tuple(_noisy(random, 0.006, BENCHMARKS)),
            "memory": tuple(_noisy(random, 0.01, BENCHMARKS)),
        },
        variants={
            key: VariantFacts(
                "passed",
                settings={f"setting_{n}": f"value {n}" for n in range(20)},
                params={"batch_size": "8"},
                command=f"python3 run_benchmark.py --model {key.benchmark} --batch-size 8",
            )
            for key in keys
        },
        metrics={
            MetricKey(*key, name): Metric((1.0,) * REPETITIONS, unit, direction, "mean")
            for key in keys
            for name, unit, direction in _METRICS
        },
    )


def _copy_nights(connection: Connection, nights: int) -> None:
    """Copies the first night's rows to every other night, with different values."""
    runs, results, figures = tables.runs, tables.results, tables.figures
    first_run = connection.execute(select(runs)).one()
    first_results = connection.execute(select(results)).all()
    metric_ids = connection.execute(select(figures.c.metric).order_by(figures.c.metric)).scalars().all()
    random = np.random.default_rng(1)
    levels = random.uniform(10, 1000, len(metric_ids))
    numbers = range(first_run.id + 1, first_run.id + nights)
    run_rows = [
        first_run._asdict()
        | {
            "id": number,
            "run_id": f"{number:016x}",
            "commit_hash": f"{number // 2:040x}",
            "started_utc": _start(back).isoformat(),
            "ordered_us": microseconds(_start(back)),
        }
        for number, back in zip(numbers, reversed(range(nights - 1)), strict=True)
    ]
    _insert(connection, runs, [tuple(row.values()) for row in run_rows])
    _insert(connection, tables.run_suites, [(number, "benchmarks.yml") for number in numbers])
    for number in numbers:
        _insert(connection, results, [(number, *row[1:]) for row in first_results])
        _insert(connection, tables.log_tails, [(number, row.variant, _tail(random)) for row in first_results])
        _insert(connection, figures, _figure_rows(random, number, metric_ids, levels))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT setval('runs_id_seq', {numbers[-1]})")


def _figure_rows(
    random: np.random.Generator, number: int, metric_ids: Sequence[int], levels: Any
) -> list[tuple[int, int, str]]:
    values = np.round(levels[:, None] * random.normal(1, _NOISE, (len(levels), REPETITIONS)), 4).tolist()
    return [
        (number, metric, json.dumps(five, separators=(",", ":")))
        for metric, five in zip(metric_ids, values, strict=True)
    ]


def _tail(random: np.random.Generator) -> bytes:
    figures = random.uniform(10, 100, (40, 3))
    return zlib.compress("".join(_LOG_LINE.format(*line) for line in figures.tolist()).encode(), 1)


def _insert(connection: Connection, table: Table, rows: list[tuple[Any, ...]]) -> None:
    """Inserts rows in the order of the table's columns; PostgreSQL is fastest with COPY."""
    names = [column.name for column in table.columns]
    if connection.dialect.name == "sqlite":
        connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
        return
    cursor: Any = connection.connection.cursor()
    with cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _analyse(engine: Engine) -> None:
    """Collects planner statistics, as PostgreSQL's autovacuum does after a while."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE")


def _start(nights_back: int) -> datetime:
    today = datetime.now(timezone.utc).replace(hour=2, minute=0, second=0, microsecond=0)
    return today - timedelta(days=nights_back + _LAST_NIGHT_DAYS_AGO)


def _noisy(random: np.random.Generator, level: float, count: int) -> Iterator[float]:
    return (float(value) for value in level * random.normal(1, _NOISE, count))
