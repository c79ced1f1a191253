"""The steps of a comparison, from two sides of comparable runs to the verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp, inf, isnan, log
from statistics import median

import numpy as np

from examples_utils.comparison.constant_metrics import constant_metric_verdict
from examples_utils.comparison.decision import Evidence, Rule, decide, needed, reason, with_disturbances
from examples_utils.comparison.nonpositive_metrics import Criterion, has_no_ratio, nonpositive_metric_verdict
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.pairing import Pair, Pairing, alike
from examples_utils.comparison.statistics import estimates, run_noise
from examples_utils.comparison.statistics.estimates import Estimates
from examples_utils.comparison.statistics.levels import Floats, Ints, Levels, levels
from examples_utils.comparison.statistics.machine_drift import Movement, machine_movement, speed_sensitivity
from examples_utils.comparison.statistics.run_noise import RunNoise
from examples_utils.comparison.statistics.step_detection import Steps, steps
from examples_utils.comparison.verdicts import Comparison, MachineDrift, MetricVerdict, Verdict
from examples_utils.history.settings import comparable
from examples_utils.results.record import PASSED
from examples_utils.run_model import Run

_95_PERCENT = 1.96  # standard deviations
_WORTH_REPORTING = 0.02  # a movement of most of the suite that no canary confirms
_MOST_OF_THE_SUITE = 0.7


@dataclass(frozen=True)
class Measured:
    """The levels of `pairs` without the common movement of each run.

    `extra` `(metrics, runs)` is the additional variance from removing the movement.
    """

    pairs: Sequence[Pair]
    data: Levels
    moved: Movement
    extra: Floats


def measure(pairs: Sequence[Pair], runs: Sequence[Run], base_runs: int, recent: int = 0) -> Measured:
    """Returns the levels of metrics above 0, without the common movement of canary and suite relative to the base.

    The last `recent` base runs may be those after a step.
    """
    data = levels([pair.repetitions for pair in pairs], len(runs))
    each = [speed_sensitivity(pair.key.metric, pair.unit, pair.direction) for pair in pairs]
    signs = np.array(each, float)[:, None]
    follow = signs[:, 0] != 0
    canaries = [run.canary for run in runs]
    slowness, noise = data.centres[follow] * signs[follow], _noise(data)[follow]
    moved = machine_movement(slowness, base_runs, canaries, noise, recent)
    extra = signs**2 * (moved.deviation**2 + moved.unevenness**2)
    signs[follow] *= moved.sensitivity[:, None]
    return Measured(pairs, data.shifted(signs * moved.shift), moved, extra)


def measured_and_settled(
    pairing: Pairing, lengths: tuple[int, ...], level: float, options: CompareOptions, varying: bool = True
) -> tuple[Measured, list[MetricVerdict]]:
    """Returns the metrics that need statistics, and the verdicts on the others.

    `varying`: runs have levels that vary by themselves, so that one run per side cannot show a change.
    """
    base_runs = len(pairing.base)
    lacking = {pair.key: pair for pair in pairing.pairs if has_no_ratio(pair)}
    tested = sum(pair.direction is not None for pair in lacking.values())
    criterion = Criterion(lengths, level, tested, varying)
    plain, pairs = [], []
    for pair in pairing.pairs:
        threshold = options.threshold_of(pair.threshold)
        if pair.key in lacking:
            plain.append(nonpositive_metric_verdict(pair, base_runs, threshold, criterion))
        elif one := constant_metric_verdict(pair, base_runs, threshold):
            plain.append(one)
        else:
            pairs.append(pair)
    recent = max(lengths) - len(pairing.new)
    return measure(pairs, (*pairing.base, *pairing.new), base_runs, recent), plain


def _noise(data: Levels) -> Floats:
    """Returns the variance `(metrics,)` of the difference of two runs due to their repetitions alone."""
    of_one = data.within / np.maximum(data.freedom, 1)
    variance: Floats = 2 * of_one / np.maximum(np.median(data.counts, axis=1), 1)
    return variance


def steps_of(measured: Measured, lengths: tuple[int, ...]) -> Steps:
    """Returns the likeliest of the steps before the last 1, 2, ... runs of each metric."""
    # Runs do not average it out: a metric that follows the machine more than others does so in all of them.
    extra = np.stack([np.sqrt(measured.extra[:, -length:]).mean(axis=1) ** 2 for length in lengths], axis=1)
    return steps(measured.data, lengths, extra, groups_of(measured.pairs))


def groups_of(pairs: Sequence[Pair]) -> Ints:
    """Returns the number of the variant of each pair, from 0."""
    variants = {
        variant: number for number, variant in enumerate(dict.fromkeys(pair.key.of_variant for pair in pairs))
    }
    return np.array([variants[pair.key.of_variant] for pair in pairs], np.int64)


def judge(pairing: Pairing, lengths: tuple[int, ...], level: float, options: CompareOptions) -> Comparison:
    """Returns the whole comparison; steps are sought before the last of the `lengths` runs, the shortest first."""
    measured, plain = measured_and_settled(pairing, lengths, level, options)
    judged = [*pairing.settled, *plain]
    if measured.pairs:
        found = estimates.of_series(measured.data, steps_of(measured, lengths), level, options.confidence)
        judged += _judged(pairing, measured, found, level, options)
    return _comparison(pairing, measured.moved, judged)


def judge_two(
    pairing: Pairing, level: float, options: CompareOptions, earlier: Sequence[Run] = ()
) -> Comparison:
    """The same, where only chance and the noise between runs lie between the two sides.

    `earlier` are runs of the same machine, oldest first, from which that noise is estimated.
    """
    measured, plain = measured_and_settled(pairing, (len(pairing.new),), level, options, varying=False)
    used = ""
    judged = [*pairing.settled, *plain]
    if measured.pairs:
        base = len(pairing.base)
        runs = base + len(pairing.new)
        sides = measured.data if runs == 2 else _runs_as_repetitions(measured.data, base)
        between = _run_noise(measured, sides, earlier, pairing.new[-1], options)
        used = "" if options.interleaved else _noise_text(between, options.run_noise, len(earlier))
        extra = sum(side.mean(axis=1) / side.shape[1] for side in np.split(measured.extra, [base], axis=1))
        # Only worse metrics count as false alarms: half of a two-sided level.
        level = level if options.interleaved else 2 * options.false_alarms
        found = estimates.of_two(
            sides,
            extra + between.variance,
            level,
            between_freedom=between.freedom,
            confidence=options.confidence,
            resamples=options.resamples,
            seed=options.seed,
        )
        judged += _judged(pairing, measured, found, level, options)
    comparison = replace(_comparison(pairing, measured.moved, judged), run_noise=used)
    # Interleaved runs share the machine's state: a movement that most metrics have in common is the code's.
    return replace(comparison, differences=pairing.differences) if options.interleaved else comparison


def _run_noise(
    measured: Measured, sides: Levels, earlier: Sequence[Run], new: Run, options: CompareOptions
) -> RunNoise:
    if options.interleaved or options.run_noise is not None:
        return run_noise.given(0.0 if options.interleaved else options.run_noise or 0.0, len(sides.counts))
    variance = sides.within / np.maximum(sides.freedom, 1)
    before = within = np.empty((len(sides.counts), 0))
    if earlier:
        data = levels([[_like(run, pair, new) for run in earlier] for pair in measured.pairs], len(earlier))
        before = data.centres
        within = (data.within / np.maximum(data.freedom, 1))[:, None] / np.maximum(data.counts, 1)
    return run_noise.estimated(
        sides.centres[:, 1] - sides.centres[:, 0],
        variance * (1 / sides.counts).sum(axis=1),
        np.array([-1.0 if pair.direction == "higher" else 1.0 for pair in measured.pairs]),
        before,
        within,
    )


def _noise_text(noise: RunNoise, given: float | None, runs: int) -> str:
    """Returns how much two runs of the same code are taken to differ, and the source of that."""
    share = float(np.sqrt(np.median(noise.variance) / 2))
    if given is not None:
        source = "given by --run-noise"
    elif noise.from_history.any():
        source = f"from {runs} earlier {'run' if runs == 1 else 'runs'} of this machine in the history"
    elif noise.metrics:
        source = f"from the spread of the changes of {noise.metrics} metrics; the history does not hold enough runs"
    else:
        source = "assumed: few metrics, and the history does not hold enough runs"
    return f"{share:.2%} (standard deviation between two runs of the same code, {source})"


def _like(run: Run, pair: Pair, new: Run) -> tuple[float, ...]:
    """Returns the repetitions of a metric in an earlier run; none if they mean something else or have no logarithm."""
    metric, facts = run.metrics.get(pair.key), run.variants.get(pair.key.of_variant)
    of_new = new.variants.get(pair.key.of_variant)
    if metric is None or not alike(metric, new.metrics.get(pair.key, metric)):
        return ()
    if facts and facts.status != PASSED:
        return ()
    if facts and of_new and not comparable(facts.settings, of_new.settings, pair.key.metric):
        return ()
    return metric.values if all(0 < value < inf for value in metric.values) else ()


def _runs_as_repetitions(data: Levels, base_runs: int) -> Levels:
    """Turns each run into one repetition, its level, so that runs are permuted and resampled."""
    levels_of_runs = np.exp(data.centres).tolist()
    sides = [
        [[level for level in side if not isnan(level)] for side in (metric[:base_runs], metric[base_runs:])]
        for metric in levels_of_runs
    ]
    return levels(sides, 2)


def _judged(
    pairing: Pairing, measured: Measured, found: Estimates, level: float, options: CompareOptions
) -> Iterator[MetricVerdict]:
    runs = len(pairing.base) + len(pairing.new)
    columns = (found.size, found.low, found.high, found.q, found.fixed, found.each, found.length)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for pair, row, p in zip(measured.pairs, rows, found.p.tolist(), strict=True):
        evidence = Evidence(*row)
        threshold = options.threshold_of(pair.threshold)
        largest = max(threshold, options.largest_unseen)
        rule = Rule(level, options.confidence, threshold, largest, pair.direction)
        verdict = decide(evidence, rule)
        before = pair.repetitions[: min(len(pairing.base), runs - evidence.length)]
        base = [value for run in before for value in run]
        new = [value for run in pair.repetitions[len(pairing.base) :] for value in run]
        known = not isnan(evidence.low)
        more = needed(evidence, rule) if verdict is Verdict.UNCERTAIN else None
        if known and more is not None and more <= len(new) and evidence.fixed > 0:
            more = None  # it has them already: what is open is how much its level varies
        yield MetricVerdict(
            pair.key,
            verdict,
            unit=pair.unit,
            direction=pair.direction,
            base=median(base),
            new=median(new),
            ratio=exp(evidence.size),
            low=exp(evidence.low) if known else None,
            high=exp(evidence.high) if known else None,
            p=p if known else None,
            q=evidence.q if known else None,
            threshold=threshold,
            base_runs=sum(bool(run) for run in before),
            base_values=len(base),
            new_values=len(new),
            lasted_runs=evidence.length,
            needed=more,
            reason=reason(evidence, rule, verdict, more),
        )


def _comparison(pairing: Pairing, moved: Movement, judged: Sequence[MetricVerdict]) -> Comparison:
    by_key = {one.key: one for one in with_disturbances(judged, pairing.new)}
    better = [
        -log(one.ratio) if one.direction == "lower" else log(one.ratio)
        for one in judged
        if one.ratio and one.direction and one.verdict is not Verdict.NOT_COMPARABLE
    ]
    new_runs = len(pairing.new)
    return Comparison(
        base_title=_title(pairing.base),
        new_title=_title(pairing.new),
        judged=tuple(by_key[key] for key in pairing.order),
        movement=_movement(moved, new_runs),
        differences=(*pairing.differences, *_unconfirmed(moved, new_runs)),
        geometric_mean=exp(sum(better) / len(better)) if better else None,
    )


def _title(runs: Sequence[Run]) -> str:
    if not runs:
        return "no run"
    return runs[-1].run_id if len(runs) == 1 else f"{len(runs)} runs up to {runs[-1].run_id}"


def _movement(moved: Movement, new_runs: int) -> MachineDrift | None:
    """Returns the movement of the new runs, on average."""
    if not moved.confirmed[-new_runs:].any():
        return None
    shift = moved.shift[-new_runs:].mean()
    half = _95_PERCENT * np.sqrt((moved.deviation[-new_runs:] ** 2).sum()) / new_runs
    return MachineDrift(
        slowdown=float(np.exp(shift)),
        low=float(np.exp(shift - half)),
        high=float(np.exp(shift + half)),
        share_of_suite=float(moved.share[-new_runs:].mean()),
        canary={
            kernel: float(np.exp(np.nanmean(movement[-new_runs:])))
            for kernel, movement in moved.canary.items()
            if np.isfinite(movement[-new_runs:]).any()
        },
    )


def _unconfirmed(moved: Movement, new_runs: int) -> Iterator[str]:
    """Yields a note if most of the suite moved, and the machine is not confirmed as the cause."""
    suite, share = moved.suite[-new_runs:].mean(), moved.share[-new_runs:].mean()
    if moved.confirmed[-new_runs:].any() or abs(suite) < _WORTH_REPORTING or share < _MOST_OF_THE_SUITE:
        return
    change = f"{abs(np.exp(suite) - 1):.1%} {'slower' if suite > 0 else 'faster'}"
    speed = f"{share:.0%} of the metrics are slower or faster together, {change} in the median"
    if any(np.isfinite(movement[-new_runs:]).any() for movement in moved.canary.values()):
        yield f"{speed}, but the canary is not: the machine as a whole is not the cause"
    else:
        yield f"{speed}; no canary ran on both sides, so slower code and a slower machine cannot be distinguished"
