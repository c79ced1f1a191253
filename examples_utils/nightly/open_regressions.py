"""The open list: a regression that a night has called stays on it until it is gone or accepted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf, log, log1p

from examples_utils.comparison.changes import Change
from examples_utils.comparison.compare_night import compare_night
from examples_utils.comparison.onset import Regression, open_regressions
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.history.regressions import ReportedRegression, known_of
from examples_utils.run_model import MetricKey, Run

# Two onsets of one step differ by no more nights, as it is dated again each night.
_SAME_STEP = CompareOptions.recent_nights + 1

_Id = tuple[MetricKey, str]


@dataclass(frozen=True)
class Evidence:
    """What a night has found: its comparison, the `called` regressions, and the change points of `nights`.

    `nights` are oldest first, and end with this one.
    """

    nights: Sequence[Run]
    comparison: Comparison
    called: Sequence[Regression]
    changes: Sequence[Change]


@dataclass(frozen=True)
class OpenList:
    """All `reported` regressions of the machine, and what tonight makes of them.

    `called` are those of tonight's verdict that nobody has accepted. The others that are open are `called_again` if an
    earlier night called them for the first time no more than `CompareOptions.recent_nights` nights ago, and tonight is
    at least half as bad; else `persisting`. `accepted` began in the nights of the history, or before.
    """

    reported: tuple[ReportedRegression, ...] = ()
    called: tuple[Regression, ...] = ()
    called_again: tuple[ReportedRegression, ...] = ()
    persisting: tuple[ReportedRegression, ...] = ()
    accepted: tuple[ReportedRegression, ...] = ()


def open_list(
    stored: Sequence[ReportedRegression], base: Sequence[Run], found: Evidence, options: CompareOptions
) -> OpenList:
    """Returns the open list of tonight from that of the nights before; `base` are the nights of the comparison.

    A regression is gone if tonight, compared with the nights before it began, is not worse by the threshold, and the
    interval excludes half of its size; or if nothing is comparable with these nights any more.
    """
    nights = found.nights
    tonight = nights[-1]
    ours = of_series(stored, nights)
    now = _compared_with_before(ours, nights, options)
    reported = [
        replace(one, gone_utc=tonight.started_utc) if (verdict := now.get(_id(one))) and _is_gone(one, verdict)
        else one
        for one in ours
    ]  # fmt: skip
    places = {run.run_id: place for place, run in enumerate(nights)}
    called = []
    for regression in found.called:
        one = _as_reported(regression, tonight)
        if not _is_accepted(one, reported, places):
            called.append(regression)
            _add(one, reported, places)
    for change in open_regressions(found.comparison, found.changes, nights):
        _add_unless_known(change, reported, places)
    still_open = open_ones(reported, tonight, {regression.judged.key for regression in called})
    last = [run.started_utc for run in base[-options.recent_nights :]] if options.recent_nights else []
    again = [
        one
        for one in still_open
        if one.called_utc in last and (verdict := now.get(_id(one))) and _is_half_as_bad(one, verdict)
    ]
    return OpenList(
        reported=(*(one for one in stored if one not in ours), *reported),
        called=tuple(called),
        called_again=tuple(again),
        persisting=tuple(one for one in still_open if one not in again),
        accepted=tuple(accepted_ones(reported, tonight)),
    )


def open_ones(
    reported: Sequence[ReportedRegression], tonight: Run, called: Collection[MetricKey]
) -> list[ReportedRegression]:
    """Returns the open regressions of the metrics that tonight has measured and not `called`."""
    return [
        one
        for one in reported
        if one.state == "open" and one.key in tonight.metrics and one.key not in called
    ]


def of_series(stored: Sequence[ReportedRegression], nights: Sequence[Run]) -> list[ReportedRegression]:
    """Returns the regressions that began in these nights; on the same branch also those before, and of other suites."""
    known, first = {run.run_id for run in nights}, nights[0]
    suites = {suite for run in nights for suite in suites_of(run)}
    return [
        one
        for one in stored
        if one.first_after.run_id in known
        or (
            one.first_after.branch == nights[-1].branch
            and (one.key.suite not in suites or _started(one.first_after) < _started(first))
        )
    ]


def accepted_ones(reported: Sequence[ReportedRegression], tonight: Run) -> list[ReportedRegression]:
    """Returns the accepted regressions of tonight's suites."""
    suites = suites_of(tonight)
    return [one for one in reported if one.acceptance and one.key.suite in suites]


def suites_of(run: Run) -> set[str]:
    """Returns the suites of the variants of a run."""
    return {key.suite for key in run.variants} | {key.suite for key in run.metrics}


def accepted_starts(stored: Sequence[ReportedRegression], base: Sequence[Run]) -> dict[MetricKey, str]:
    """Returns the run with which the base of each metric begins that has an accepted regression."""
    starts = {}
    for one in sorted(stored, key=lambda one: _started(one.first_after)):
        since = one.first_after
        if one.acceptance and (
            start := next(
                (run for run in base if run.run_id == since.run_id or _started(run) >= _started(since)), None
            )
        ):
            starts[one.key] = start.run_id
    return starts


def _id(one: ReportedRegression) -> _Id:
    return one.key, one.first_after.run_id


def _compared_with_before(
    ours: Sequence[ReportedRegression], nights: Sequence[Run], options: CompareOptions
) -> dict[_Id, MetricVerdict]:
    """Returns tonight's verdict on the metric of each open regression, compared with the nights before it began."""
    *earlier, tonight = nights
    of_night: dict[str, list[ReportedRegression]] = {}
    for one in open_ones(ours, tonight, ()):
        of_night.setdefault(one.first_after.run_id, []).append(one)
    found: dict[_Id, MetricVerdict] = {}
    for place, night in enumerate(earlier):
        before = earlier[max(0, place - options.nights_needed) : place]
        if night.run_id not in of_night or not before:
            continue
        judged = compare_night(before, tonight, options, accepted_starts(ours, before)).judged
        verdicts = {verdict.key: verdict for verdict in judged}
        found |= {_id(one): verdicts[one.key] for one in of_night[night.run_id] if one.key in verdicts}
    return found


def _is_gone(one: ReportedRegression, now: MetricVerdict) -> bool:
    if now.verdict is Verdict.NOT_COMPARABLE:
        return True
    if now.ratio is None or now.low is None or now.high is None:
        return now.verdict in (Verdict.UNCHANGED, Verdict.IMPROVED)
    worst = max(_worse(now.low, now), _worse(now.high, now))
    return _worse(now.ratio, now) <= log1p(now.threshold or 0.0) and worst < _size(one) / 2


def _is_half_as_bad(one: ReportedRegression, now: MetricVerdict) -> bool:
    if now.ratio is None:
        return now.verdict not in (Verdict.UNCHANGED, Verdict.IMPROVED)
    return _worse(now.ratio, now) >= (_size(one) / 2 if one.ratio else 0.0)


def _worse(ratio: float, one: MetricVerdict) -> float:
    """Returns by how much a ratio is worse, as a logarithm; below 0 if it is better."""
    return -log(ratio) if one.direction == "higher" else log(ratio)


def _size(one: ReportedRegression) -> float:
    return abs(log(one.ratio)) if one.ratio else inf


def _is_accepted(
    one: ReportedRegression, reported: Sequence[ReportedRegression], places: dict[str, int]
) -> bool:
    """Whether somebody accepted the step: one that began no earlier than this regression, but close to it."""
    place = places.get(one.first_after.run_id, 0)
    return any(
        0 <= places.get(known.first_after.run_id, 0) - place <= _SAME_STEP
        for known in reported
        if known.key == one.key and known.acceptance
    )


def _add(one: ReportedRegression, reported: list[ReportedRegression], places: dict[str, int]) -> None:
    """Adds a called regression; one that is known gets its latest estimate and date, and one that was gone is open."""
    place = places.get(one.first_after.run_id, 0)
    for number, known in enumerate(reported):
        since = places.get(known.first_after.run_id, 0)
        is_open = known.state == "open" and abs(since - place) <= _SAME_STEP
        is_back = known.state == "gone" and since == place
        if known.key == one.key and (is_open or is_back):
            reported[number] = replace(one, called_utc=known.called_utc or one.called_utc)
            return
    reported.append(one)


def _add_unless_known(change: Change, reported: list[ReportedRegression], places: dict[str, int]) -> None:
    """Adds a regression that no night has called."""
    near = [
        known
        for known in reported
        if known.key == change.key
        and abs(places.get(known.first_after.run_id, 0) - change.point.index) <= _SAME_STEP
    ]
    if not near:
        point = change.point
        before, after = known_of(change.last_before), known_of(change.first_after)
        reported.append(ReportedRegression(change.key, after, before, point.ratio, point.low, point.high))


def _as_reported(regression: Regression, tonight: Run) -> ReportedRegression:
    one, before = regression.judged, regression.last_before
    return ReportedRegression(
        one.key,
        known_of(regression.first_after),
        known_of(before) if before else None,
        one.ratio,
        one.low,
        one.high,
        called_utc=tonight.started_utc,
    )


def _started(run: Run) -> datetime:
    return datetime.fromisoformat(run.started_utc)
