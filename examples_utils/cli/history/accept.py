"""`history accept`, and `nightly --accept`: takes regressions as intended, or takes that back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from fnmatch import fnmatchcase

from examples_utils.cli.report import Nights, evidence_of, read_nights
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.text import accepted_line, open_regression_line, run_title
from examples_utils.history.fingerprint import machine_key
from examples_utils.history.location import opened_history
from examples_utils.history.regressions import Acceptance, ReportedRegression
from examples_utils.history.store import History
from examples_utils.machine.fingerprint import machine_fingerprint
from examples_utils.machine.user import user
from examples_utils.nightly.open_regressions import of_series, open_list
from examples_utils.problems import RequestError, did_you_mean
from examples_utils.run_model import MetricKey

_NIGHTS = 365  # in which a regression may have begun


def accept(names: Sequence[str], reason: str, run: str | None, history_url: str | None) -> list[str]:
    """Accepts the open regressions that the names select, in the nights up to a run; returns a line for each.

    Without `run` it is the latest one of this machine, or if the history has none, of any machine.

    A name is a benchmark or a variant, or a shell-style pattern of them, with or without `:METRIC`. What is accepted
    already stays as it is.

    Raises:
        RequestError: There is no reason; a name is unknown, or nothing of it was reported.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise RequestError(
            "--reason: is empty; give the reason in a few words, for those who read the report"
        )
    acceptance = Acceptance(user(), datetime.now(timezone.utc).isoformat(), reason)
    lines: list[str] = []

    def update(stored: Sequence[ReportedRegression]) -> list[ReportedRegression]:
        regressions = list(stored)
        for name in names:
            keys = _selected(name, nights, stored)
            if not _open(regressions, keys, nights):
                regressions += _called_now(regressions, keys, nights)
            chosen = _open(regressions, keys, nights)
            done = [one for one in of_series(regressions, nights.runs) if one.acceptance and one.key in keys]
            if not chosen and not done:
                raise RequestError(_nothing_to_accept(name, nights))
            for one in chosen:
                regressions[regressions.index(one)] = replace(one, acceptance=acceptance)
            lines.extend(accepted_line(replace(one, acceptance=acceptance)) for one in chosen)
            if not chosen:
                lines.extend(f"already accepted: {accepted_line(one)}" for one in done)
        return regressions

    with opened_history(history_url) as history:
        nights = nights_of(history, run)
        history.update_regressions(machine_key(nights.last.machine), update)
    return lines


def take_back(names: Sequence[str], run: str | None, history_url: str | None) -> list[str]:
    """Opens the last accepted regression of each selected metric again; returns a line for each. `run` as for `accept`.

    Raises:
        RequestError: A name is unknown, or nothing of it is accepted.
    """
    lines: list[str] = []

    def update(stored: Sequence[ReportedRegression]) -> list[ReportedRegression]:
        regressions = list(stored)
        for name in names:
            keys = _selected(name, nights, stored)
            last = {
                one.key: one
                for one in of_series(regressions, nights.runs)
                if one.acceptance and one.key in keys
            }
            if not last:
                raise RequestError(
                    f"{name}: nothing of it is accepted in the nights up to {run_title(nights.last)}; "
                    "history regressions lists what is"
                )
            for one in last.values():
                opened = replace(one, acceptance=None)
                regressions[regressions.index(one)] = opened
                lines.append(f"not accepted any more: {open_regression_line(opened)}")
        return regressions

    with opened_history(history_url) as history:
        nights = nights_of(history, run)
        history.update_regressions(machine_key(nights.last.machine), update)
    return lines


def nights_of(history: History, run: str | None) -> Nights:
    """Returns the nights up to a run; without `run`, up to the latest one of this machine, or of any.

    Raises:
        HistoryError: There is no such run.
    """
    here = history.runs(machine_key=machine_key(machine_fingerprint()), limit=1)
    reference = run or (here[0].run_id if here else "latest")
    return read_nights(history, reference, None, None, _NIGHTS, CompareOptions())


def _open(
    regressions: Sequence[ReportedRegression], keys: Collection[MetricKey], nights: Nights
) -> list[ReportedRegression]:
    return [one for one in of_series(regressions, nights.runs) if one.state == "open" and one.key in keys]


def _called_now(
    regressions: Sequence[ReportedRegression], keys: Collection[MetricKey], nights: Nights
) -> list[ReportedRegression]:
    """Returns what the verdict on the last run calls, for histories in which no night was recorded."""
    options = CompareOptions()
    found = open_list(regressions, nights.base, evidence_of(nights, options), options).reported
    return [one for one in found if one.key in keys and one.state == "open" and one not in regressions]


def _nothing_to_accept(name: str, nights: Nights) -> str:
    return (
        f"{name}: no night up to {run_title(nights.last)} has called a regression of it, so there is nothing to "
        "accept; history regressions lists what is open, --run names a run of another machine, branch or suite. "
        "Improvements need no acceptance"
    )


def _selected(name: str, nights: Nights, stored: Sequence[ReportedRegression]) -> set[MetricKey]:
    """Returns the metrics that a name selects; it may itself contain colons. Raises RequestError if there are none."""
    known = {*nights.last.metrics, *(one.key for one in of_series(stored, nights.runs))}
    for benchmark, metric in _readings(name):
        if found := {key for key in known if _matches(key, benchmark) and _fits(key.metric, metric)}:
            return found
    for benchmark, metric in _readings(name):
        if metrics := sorted({key.metric for key in known if _matches(key, benchmark)}):
            raise RequestError(f"{name}: {benchmark} has no metric {metric}; {did_you_mean(metric, metrics)}")
    names = sorted({part for key in known for part in (key.benchmark, key.variant)})
    benchmark = name.partition(":")[0]
    raise RequestError(
        f"{name}: no such benchmark or variant in {run_title(nights.last)} (--run names another run); "
        f"{did_you_mean(benchmark, names)}"
    )


def _readings(name: str) -> Iterator[tuple[str, str]]:
    """Yields the name as BENCHMARK, and as BENCHMARK:METRIC for each of its colons, the last one first."""
    yield name, "*"
    parts = name.split(":")
    for place in range(len(parts) - 1, 0, -1):
        yield ":".join(parts[:place]), ":".join(parts[place:])


def _matches(key: MetricKey, pattern: str) -> bool:
    return any(_fits(name, pattern) for name in (key.benchmark, key.variant, key.of_variant.title))


def _fits(name: str, pattern: str) -> bool:
    """Whether it is the pattern, in which brackets then mean themselves, or matches it."""
    return name == pattern or fnmatchcase(name, pattern)
