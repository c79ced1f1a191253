"""Comparing one night with earlier nights: the metrics to rerun now, and then the verdict."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.pairing import Pair, Pairing, pair
from examples_utils.comparison.pipeline import Measured, groups_of, judge, measured_and_settled, steps_of
from examples_utils.comparison.statistics.base_start import MIN_NIGHTS, base_starts
from examples_utils.comparison.statistics.confirmation.curtailment import certain, open_ended
from examples_utils.comparison.statistics.estimates import of_series
from examples_utils.comparison.statistics.levels import Floats, Ints, Levels, medians
from examples_utils.comparison.statistics.power import NightRule, smallest_changes
from examples_utils.comparison.statistics.step_detection import Steps
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.history.fingerprint import same_machine
from examples_utils.run_model import MetricKey, Run

# The first run of a metric's base, by its ID, for changes that somebody accepted.
Accepted = Mapping[MetricKey, str]
NOTHING_ACCEPTED: Accepted = MappingProxyType({})

_USUAL = 0.5  # share of the nights since a variant first ran; a rarer variant is not reported missing


def suspects(
    history: Sequence[Run], night: Run, options: CompareOptions, accepted: Accepted = NOTHING_ACCEPTED
) -> tuple[MetricKey, ...]:
    """Returns the metrics of `night` that look worse than in `history`, the likeliest first.

    Rerun their variants before the verdict, in rounds, at most `options.confirmations` times: after each round,
    `unsettled` are those that need another one. Append the values of these repetitions to `Metric.values` of the night
    that `compare_night` gets. About `options.suspicion` of the metrics of a good night are suspects.

    `history` is oldest first, of the same machine and without this night; its last `options.nights_needed`
    comparable runs count, so pass at least as many if available. Metrics whose change the machine's common
    movement explains, or which no repetitions of this night could confirm, are no suspects.
    """
    look = _look(history, night, options, accepted)
    # Those without a ratio, such as a throughput of 0, are far from any random variation.
    sure = tuple(one.key for one in look.plain if one.verdict is Verdict.REGRESSED and one.ratio is None)
    if not look.pairs:
        return sure
    worth = (look.tail <= options.suspicion) & look.open_ended(options.confirmations, options)
    order = np.argsort(look.tail, kind="stable")
    return (*sure, *(look.pairs[index].key for index in order if worth[index]))


def unsettled(
    history: Sequence[Run],
    night: Run,
    options: CompareOptions,
    suspected: Collection[MetricKey],
    more: int,
    accepted: Accepted = NOTHING_ACCEPTED,
) -> tuple[MetricKey, ...]:
    """Returns those of `suspected` whose verdict is open: `more` repetitions of this night could still change it.

    It is settled once the metric is certainly worse, whatever follows, or once a regression has become unlikely.
    """
    look = _look(history, night, options, accepted)
    if not look.pairs or not more:
        return ()
    judged = of_series(look.data, look.found, options.false_alarms, options.confidence)
    called = certain(judged.q, options.false_alarms, look.worse, look.repetitions, more, look.least)
    undecided = ~called & look.open_ended(more, options)
    return tuple(
        pair.key
        for pair, is_open in zip(look.pairs, undecided, strict=True)
        if is_open and pair.key in suspected
    )


@dataclass(frozen=True)
class _Look:
    """A look at a night that is not over: `pairs` need statistics, `plain` none. Arrays are `(metrics,)`.

    `worse` is the size of the likeliest step, the larger the worse, `least` the one that matters, and `tail` the
    one-sided p-value. `steps` is the number of steps that were sought.
    """

    pairs: Sequence[Pair]
    plain: Sequence[MetricVerdict]
    data: Levels
    found: Steps
    worse: Floats
    least: Floats
    tail: Floats
    steps: int

    @property
    def repetitions(self) -> Floats:
        """The number of repetitions after the step."""
        counts = self.data.counts
        after = np.arange(counts.shape[1]) >= (counts.shape[1] - self.found.length)[:, None]
        repetitions: Floats = np.maximum(np.where(after, counts, 0).sum(axis=1), 1).astype(float)
        return repetitions

    def open_ended(self, more: int, options: CompareOptions) -> np.ndarray:
        """Whether `more` repetitions could end with a regression."""
        return open_ended(
            self.found, self.worse, self.repetitions, more, self.least, options.false_alarms, self.steps
        )


def _look(history: Sequence[Run], night: Run, options: CompareOptions, accepted: Accepted) -> _Look:
    pairing = _pairing(history, night, options, accepted)
    lengths = _lengths(len(pairing.base), options)
    measured, plain = measured_and_settled(pairing, lengths, options.false_alarms, options)
    found = steps_of(measured, lengths)
    lower = np.array([pair.direction == "lower" for pair in measured.pairs], bool)
    higher = np.array([pair.direction == "higher" for pair in measured.pairs], bool)
    return _Look(
        pairs=measured.pairs,
        plain=plain,
        data=measured.data,
        found=found,
        worse=np.where(lower, found.size, np.where(higher, -found.size, -np.inf)),
        least=np.log1p(_thresholds(measured, options)),
        tail=np.where(lower, found.rise, np.where(higher, found.fall, 1.0)),
        steps=len(lengths),
    )


def compare_night(
    history: Sequence[Run], night: Run, options: CompareOptions, accepted: Accepted = NOTHING_ACCEPTED
) -> Comparison:
    """Returns the verdict on every metric of `night`, whose suspects have been rerun.

    For each metric, a step is sought before this night and before each of the last `options.recent_nights`, so that
    a small step is detected once it has lasted; the ratio is that of the likeliest of these steps. The night's own
    level is assumed to vary as those of the other nights did (see docs/comparison-method.md). Everything else is as in
    `compare_runs`. With an empty history every metric is new.
    """
    pairing = _pairing(history, night, options, accepted)
    return judge(pairing, _lengths(len(pairing.base), options), options.false_alarms, options)


def callable_changes(
    history: Sequence[Run],
    night: Run,
    options: CompareOptions,
    more: Sequence[int] = (0,),
    accepted: Accepted = NOTHING_ACCEPTED,
) -> tuple[float, ...]:
    """Returns the smallest slowdown that a night like this one shows with 80% power, as a share (0.05 is 5%).

    It is that of the median metric. There is one entry for each of `more`, ascending: the number of nights that come in
    addition, 0 for now. The result is empty if no metric has an earlier night and repetitions that vary.
    """
    pairing = _pairing(history, night, options, accepted)
    measured, _ = measured_and_settled(pairing, (1,), options.false_alarms, options)
    if not measured.pairs:
        return ()
    least = np.log1p(_thresholds(measured, options))
    groups, found = groups_of(measured.pairs), list[float]()
    for nights in more:
        steps = len(_lengths(len(pairing.base) + nights, options))
        rule = NightRule(steps, options.confirmations, options.false_alarms)
        sizes = smallest_changes(measured.data, groups, least, rule, nights)
        if not (known := np.isfinite(sizes)).any():
            return ()
        size = float(np.expm1(np.median(sizes[known])))
        found.append(min([size, *found[-1:]]))  # the simulated nights scatter
    return tuple(found)


def _pairing(history: Sequence[Run], night: Run, options: CompareOptions, accepted: Accepted) -> Pairing:
    """Pairs with the last nights on the same machine; if there are none, with the last nights, not comparable.

    The base of each metric begins at its last step that earlier nights have shown, or at its accepted run.
    """
    comparable = [run for run in history if same_machine(run, night)]
    pairing = pair((comparable or history)[-options.nights_needed :], [night], _USUAL)
    places = {run.run_id: place for place, run in enumerate(pairing.base)}
    begun = {pair.key: places.get(accepted.get(pair.key, ""), 0) for pair in pairing.pairs}
    measured, _ = measured_and_settled(pairing, (1,), options.false_alarms, options)
    if measured.pairs:
        thresholds = _thresholds(measured, options)
        shown = base_starts(measured.data.centres[:, :-1], thresholds, options.recent_nights)
        shown = np.maximum(shown, _first_levels(measured, thresholds, options))
        begun |= {
            pair.key: max(begun[pair.key], start)
            for pair, start in zip(measured.pairs, shown.tolist(), strict=True)
        }
    return replace(pairing, pairs=tuple(_from(pair, begun[pair.key]) for pair in pairing.pairs))


def _thresholds(measured: Measured, options: CompareOptions) -> Floats:
    return np.array([options.threshold_of(pair.threshold) for pair in measured.pairs], float)


def _first_levels(measured: Measured, thresholds: Floats, options: CompareOptions) -> Ints:
    """Returns the number of nights `(metrics,)`, 0, 1 or 2, that the earlier nights begin with at another level.

    One or two nights are too few for a change point: they are found by the night's own test, as if no night followed
    the first three of the new level, or more.
    """
    levels, least = measured.data.centres[:, :-1], np.log1p(thresholds)
    earlier = levels.shape[1]
    found = np.zeros(len(thresholds), np.int64)
    for nights in range(earlier, max(earlier - options.recent_nights, MIN_NIGHTS + 1) - 1, -1):
        now = medians(levels[:, nights - MIN_NIGHTS : nights])
        moved = np.abs(levels[:, 0] - now) >= least
        if nights < earlier:
            moved &= np.abs(medians(levels[:, nights:]) - now) >= least
        if not moved.any():  # which saves most of the time
            continue
        lengths = tuple(range(max(nights - 2, MIN_NIGHTS), nights))
        part = replace(measured, data=measured.data.first(nights), extra=measured.extra[:, :nights])
        step = steps_of(part, lengths)
        shown = moved & (step.p * len(step.p) <= options.false_alarms) & (np.abs(step.size) >= least)
        found = np.maximum(found, np.where(shown, nights - step.length, 0))
    return found


def _from(pair: Pair, start: int) -> Pair:
    """Returns a metric without the runs before `start`, unless no earlier run would be left."""
    if not any(pair.repetitions[start:-1]):
        return pair
    return replace(pair, repetitions=((),) * start + pair.repetitions[start:])


def _lengths(earlier: int, options: CompareOptions) -> tuple[int, ...]:
    """Returns the numbers of last nights before which a step is sought, with so many earlier nights."""
    return tuple(range(1, max(1, min(1 + options.recent_nights, earlier)) + 1))
