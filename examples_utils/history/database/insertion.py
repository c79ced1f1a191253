"""Inserts a run as rows of the tables."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, insert

from examples_utils.history.database import tables
from examples_utils.history.database.regressions import insert_regressions
from examples_utils.history.database.shared_rows import ids_of, ids_of_contents
from examples_utils.history.fingerprint import canonical, machine_key
from examples_utils.history.regressions import ReportedRegression
from examples_utils.results.record import PASSED
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey


def insert_run(connection: Connection, run: Run, added: datetime) -> None:
    """Inserts a run that is not there yet, with all its contents. Raises what `run_row` and `insert_contents` raise."""
    row = run_row(connection, run, added)
    number = connection.execute(insert(tables.runs).returning(tables.runs.c.id), row).scalar_one()
    insert_contents(connection, run, number)


def write_and_roll_back(connection: Connection) -> None:
    """Inserts a run and a regression into every table, and rolls the transaction back: nothing changes.

    A server grants its rights table by table. Raises DBAPIError if one of the tables accepts no row.
    """
    now = datetime.now(timezone.utc)
    probe = _probe_run(now)
    insert_run(connection, probe, now)
    insert_regressions(connection, probe.run_id, [ReportedRegression(key, probe) for key in probe.metrics])
    connection.rollback()


def _probe_run(now: datetime) -> Run:
    """Returns a run of which nothing can exist already: an existing row is not written."""
    word = f"probe {uuid4()}"
    key = VariantKey(word, word, word)
    return Run(
        run_id=word,
        started_utc=now.isoformat(),
        machine={"hostname": word},
        software={"packages": word},
        variants={key: VariantFacts(PASSED, None, {word: word}, {word: word}, word, log_tail=word)},
        metrics={MetricKey(*key, word): Metric((1.0,))},
    )


def run_row(connection: Connection, run: Run, added: datetime) -> dict[str, Any]:
    """Returns the row of `runs`. Raises ValueError for NaN, infinities, and an invalid start."""
    started = datetime.fromisoformat(run.started_utc)
    machine, software = canonical(run.machine), canonical(run.software)
    return {
        "run_id": run.run_id,
        "started_utc": run.started_utc,
        "added_utc": added.isoformat(),
        # No run starts after it is added: such a start means that its clock is ahead.
        "ordered_us": min(microseconds(started), microseconds(added)),
        "machine": ids_of_contents(connection, tables.machines, [machine])[machine],
        "machine_key": machine_key(run.machine),
        "software": ids_of_contents(connection, tables.software, [software])[software],
        "commit_hash": run.commit,
        "dirty": run.dirty,
        "branch": run.branch,
        "canary": canonical({kernel: _floats(times) for kernel, times in run.canary.items()}),
    }


def insert_contents(connection: Connection, run: Run, number: int) -> None:
    """Writes the results, log tails and metrics of the run with this `runs.id`, which has none yet.

    Raises:
        ValueError: A value is NaN or an infinity.
    """
    keys = dict.fromkeys([*run.variants, *(key.of_variant for key in run.metrics)])
    variants = ids_of(
        connection,
        tables.variants,
        {canonical(key): dict(zip(VariantKey._fields, key, strict=True)) for key in keys},
    )
    variant_ids = {key: variants[canonical(key)] for key in keys}
    if keys:
        suites = sorted({key.suite for key in keys})
        connection.execute(insert(tables.run_suites), [{"run": number, "suite": suite} for suite in suites])
    _insert_results(connection, run, number, variant_ids)
    _insert_metrics(connection, run, number, variant_ids)


def _insert_results(
    connection: Connection, run: Run, number: int, variant_ids: Mapping[VariantKey, int]
) -> None:
    if not run.variants:
        return
    of_settings = {key: canonical(dict(facts.settings)) for key, facts in run.variants.items()}
    of_params = {key: canonical(dict(facts.params)) for key, facts in run.variants.items()}
    settings = ids_of_contents(connection, tables.settings, of_settings.values())
    parameters = ids_of_contents(connection, tables.parameters, of_params.values())
    commands = ids_of_contents(
        connection, tables.commands, (facts.command for facts in run.variants.values())
    )
    rows = [
        {
            "run": number,
            "variant": variant_ids[key],
            "status": facts.status,
            "reason": facts.reason,
            "settings": settings[of_settings[key]],
            "parameters": parameters[of_params[key]],
            "command": commands[facts.command],
            "threshold": facts.threshold,
            "warnings": json.dumps(facts.warnings),
        }
        for key, facts in run.variants.items()
    ]
    connection.execute(insert(tables.results), rows)
    tails = [
        {"run": number, "variant": variant_ids[key], "tail": packed(facts.log_tail)}
        for key, facts in run.variants.items()
        if facts.log_tail
    ]
    if tails:
        connection.execute(insert(tables.log_tails), tails)


def _insert_metrics(
    connection: Connection, run: Run, number: int, variant_ids: Mapping[VariantKey, int]
) -> None:
    if not run.metrics:
        return
    described = {
        key: _metric_row(key, metric, variant_ids[key.of_variant]) for key, metric in run.metrics.items()
    }
    identities = {key: canonical(list(row.values())) for key, row in described.items()}
    ids = ids_of(connection, tables.metrics, {identities[key]: row for key, row in described.items()})
    rows = [
        {"run": number, "metric": ids[identities[key]], "measured": canonical(_floats(metric.values))}
        for key, metric in run.metrics.items()
    ]
    connection.execute(insert(tables.figures), rows)


def _metric_row(key: MetricKey, metric: Metric, variant: int) -> dict[str, Any]:
    return {
        "variant": variant,
        "metric": key.metric,
        "unit": metric.unit,
        "direction": metric.direction,
        "reduction": metric.reduction,
    }


def microseconds(time: datetime) -> int:
    """Converts to microseconds since 1970. A time without offset is interpreted as local."""
    return round(time.timestamp() * 1_000_000)


def packed(text: str) -> bytes:
    """Compresses text; the tail of a log shrinks to a quarter."""
    return zlib.compress(text.encode("utf-8", "surrogatepass"))


def _floats(values: tuple[float, ...]) -> list[float]:
    return list(map(float, values))
