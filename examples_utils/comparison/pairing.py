"""Pairs the comparable metrics of two sides, and settles the verdict on all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from examples_utils.comparison.verdicts import MetricVerdict, Verdict
from examples_utils.history.fingerprint import (
    differing_hardware,
    differing_software,
    same_machine,
    shown_fact,
)
from examples_utils.history.settings import (
    MODEL_CACHE,
    OF_THE_START,
    comparable,
    differing_settings,
    unknown_identities,
)
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey

STATUS = "status"  # the metric of the only verdict on a variant that has no metrics on either side

_PASSED = VariantFacts(status="passed")


@dataclass(frozen=True)
class Pair:
    """A metric that both sides have: its repetitions in each run, base runs first, () where a run has none."""

    key: MetricKey
    unit: str | None
    direction: str | None
    threshold: float | None
    repetitions: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Pairing:
    """Two sides, paired: `base` and `new` are the runs that count, of one machine.

    `settled` are the verdicts that need no statistics; `order` has the key of every verdict once.
    """

    base: tuple[Run, ...]
    new: tuple[Run, ...]
    pairs: tuple[Pair, ...]
    settled: tuple[MetricVerdict, ...]
    order: tuple[MetricKey, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True)
class _Sides:
    """One variant on both sides. A run that does not count (it failed, or had other settings) is None.

    `unknown` names what identifies the input but is unknown on one side, in a base run that counts.
    """

    facts: VariantFacts | None
    base: tuple[Run | None, ...]
    new: tuple[Run | None, ...]
    other_settings: str
    left_out: int
    other_settings_of_new: str
    unknown: str


def pair(base: Sequence[Run], new: Sequence[Run], usual: float = 0.0) -> Pairing:
    """Pairs the metrics of `new` (at least one run; the last one leads) with those of `base` (none: all are new).

    A variant that `new` lacks is missing, if at least the share `usual` of the base runs since its first one have it.
    Rarer variants are not expected in each run, and get no verdict.
    """
    last = new[-1]
    kept_new = tuple(run for run in new if same_machine(run, last))
    same = tuple(run for run in base if same_machine(run, last))
    foreign = "" if same or not base else f"machine: {differing_hardware(base[-1].machine, last.machine)}"
    kept = same or tuple(base)
    keys = dict.fromkeys(key for run in (*reversed(new), *reversed(kept)) for key in run.metrics)
    if usual:
        lacking = {key.of_variant for key in keys}.difference(*map(_variants_of, new))
        rare = _rare(lacking, kept, usual)
        keys = {key: None for key in keys if key.of_variant not in rare}
    variants = dict.fromkeys((*(key.of_variant for key in keys), *last.variants))
    sides = {variant: _sides(variant, kept, kept_new) for variant in variants}
    outcomes = [_sort_out(key, sides[key.of_variant], kept, foreign) for key in keys]
    with_metrics = {key.of_variant for key in keys}
    outcomes += [
        MetricVerdict(MetricKey(*variant, STATUS), _unfit(facts), reason=_ended(facts))
        for variant, facts in last.variants.items()
        if variant not in with_metrics and facts.status != _PASSED.status
    ]
    return Pairing(
        base=kept,
        new=kept_new,
        pairs=tuple(one for one in outcomes if isinstance(one, Pair)),
        settled=tuple(one for one in outcomes if isinstance(one, MetricVerdict)),
        order=tuple(one.key for one in outcomes),
        differences=(
            *_machine_differences(base, new),
            *_software_differences(kept, last),
            *_settings_differences(sides),
            *_direction_differences(outcomes, kept),
        ),
    )


def _variants_of(run: Run) -> set[VariantKey]:
    return {*run.variants, *(key.of_variant for key in run.metrics)}


def _rare(variants: Collection[VariantKey], runs: Sequence[Run], usual: float) -> set[VariantKey]:
    """Returns the variants that less than the share `usual` of the runs have, from the first run that has it on."""
    known = [_variants_of(run) for run in runs] if variants else []
    rare = set()
    for variant in variants:
        has = [variant in those for those in known]
        since = has[has.index(True) :]
        if sum(since) < usual * len(since):
            rare.add(variant)
    return rare


def _sides(variant: VariantKey, base: Sequence[Run], new: Sequence[Run]) -> _Sides:
    known = [run.variants[variant] for run in new if variant in run.variants]
    facts = known[-1] if known else None
    settings = facts.settings if facts else {}
    kept: list[Run | None] = []
    other_settings, left_out, unknown = "", 0, ""
    for run in base:
        earlier = run.variants.get(variant, _PASSED)
        if earlier.status != _PASSED.status:
            kept.append(None)
        elif facts and variant in run.variants and not comparable(earlier.settings, settings):
            kept.append(None)
            other_settings, left_out = differing_settings(earlier.settings, settings), left_out + 1
        else:
            kept.append(run)
            unknown = unknown or unknown_identities(earlier.settings, settings)
    passed: list[Run | None] = []
    differing = ""
    for run in new:
        of_run = run.variants.get(variant, _PASSED)
        alike = variant not in run.variants or comparable(of_run.settings, settings)
        passed.append(run if alike and of_run.status == _PASSED.status else None)
        differing = (
            differing
            if alike
            else differing_settings(of_run.settings, settings, "earlier", "in the last run")
        )
    return _Sides(facts, tuple(kept), tuple(passed), other_settings, left_out, differing, unknown)


def _sort_out(key: MetricKey, sides: _Sides, base: Sequence[Run], foreign: str) -> Pair | MetricVerdict:
    earlier = [run.metrics[key] for run in base if key in run.metrics]
    metrics = [
        run.metrics[key] for run in sides.new if run and key in run.metrics and run.metrics[key].values
    ]
    metric = metrics[-1] if metrics else None
    if sides.facts is not None and sides.facts.status != _PASSED.status:
        return _settled(key, _unfit(sides.facts), earlier, None, _ended(sides.facts))
    if metric is None:
        reason = "the run gave no value" if sides.facts else "it is not in the new run"
        return _settled(key, Verdict.MISSING, earlier, None, reason)
    if not earlier:
        return _settled(key, Verdict.NEW, earlier, metric, "the base does not have it")
    if foreign:
        return _settled(key, Verdict.NOT_COMPARABLE, earlier, metric, foreign)
    if sides.left_out and not any(sides.base):
        return _settled(key, Verdict.NOT_COMPARABLE, earlier, metric, f"settings: {sides.other_settings}")
    settings = sides.facts.settings if sides.facts else {}
    found = [_of_same_start(run, key, settings) for run in sides.base]
    if not any(found) and any(run and key in run.metrics for run in sides.base):
        reason = f"the base does not have it with {MODEL_CACHE} {settings[MODEL_CACHE]}"
        return _settled(key, Verdict.NEW, [], metric, reason)
    if not any(one and one.values for one in found):
        return _settled(key, Verdict.NEW, [], metric, "it did not pass in the base")
    if reason := _meaning(found, metric):
        return _settled(key, Verdict.NOT_COMPARABLE, earlier, metric, reason)
    found += [_of_same_start(run, key, settings) for run in sides.new]
    repetitions = tuple(one.values if one and alike(one, metric) else () for one in found)
    threshold = sides.facts.threshold if sides.facts else None
    return Pair(key, metric.unit, metric.direction, threshold, repetitions)


def _of_same_start(run: Run | None, key: MetricKey, settings: Mapping[str, str]) -> Metric | None:
    """Returns the metric unless it depends on the state of the model cache, which differs; other settings agree."""
    if run is None:
        return None
    of_run = run.variants.get(key.of_variant, _PASSED).settings
    states = {of[MODEL_CACHE] for of in (of_run, settings) if MODEL_CACHE in of}
    return run.metrics.get(key) if key.metric not in OF_THE_START or len(states) < 2 else None


def _meaning(base: Sequence[Metric | None], metric: Metric) -> str:
    """Returns why no metric of the base means the same as `metric`; empty if one does."""
    if any(one and one.values and alike(one, metric) for one in base):
        return ""
    other = next(one for one in reversed(base) if one and one.values)
    if other.unit != metric.unit:
        return f"unit: {shown_fact(other.unit)} in the base, {shown_fact(metric.unit)} now"
    return f"reduction: {other.reduction} in the base, {metric.reduction} now"


def alike(one: Metric, other: Metric) -> bool:
    """Whether the values of both mean the same."""
    return one.unit == other.unit and one.reduction == other.reduction


def _settled(
    key: MetricKey, verdict: Verdict, earlier: Sequence[Metric], metric: Metric | None, reason: str
) -> MetricVerdict:
    """A verdict without statistics, with the medians for the reader; values in different units have no ratio."""
    known = metric or (earlier[-1] if earlier else None)
    same = [one for one in earlier if known and alike(one, known)]
    earlier = same or [one for one in earlier if alike(one, earlier[-1])]
    values = [value for one in earlier for value in one.values]
    base = median(values) if values else None
    new = median(metric.values) if metric else None
    comparable = verdict is Verdict.NOT_COMPARABLE and same and base and new and base * new > 0
    one_unit = all(known and one.unit == known.unit for one in earlier)
    return MetricVerdict(
        key,
        verdict,
        unit=known.unit if known and one_unit else None,
        direction=known.direction if known else None,
        base=base,
        new=new,
        ratio=new / base if comparable and base and new else None,
        base_runs=sum(bool(one.values) for one in earlier),
        base_values=len(values),
        new_values=len(metric.values) if metric else 0,
        reason=reason,
    )


def _unfit(facts: VariantFacts) -> Verdict:
    return Verdict.FAILED if facts.status == "failed" else Verdict.MISSING


def _ended(facts: VariantFacts) -> str:
    return f"{facts.status}: {facts.reason}" if facts.reason else facts.status


def _machine_differences(base: Sequence[Run], new: Sequence[Run]) -> Iterator[str]:
    last = new[-1]
    for side, runs in (("base", base), ("new", new)):
        then = "in the base" if side == "base" else "earlier"
        foreign = [run for run in runs if not same_machine(run, last)]
        others = Counter(differing_hardware(run.machine, last.machine, then) for run in foreign)
        outcome = "nothing is comparable" if others.total() == len(runs) else "omitted"
        for difference, count in others.items():
            which = f"{count} of the {len(runs)} {side} runs" if len(runs) > 1 else f"the {side} run"
            yield f"machine: {difference}: {which} {'was' if count == 1 else 'were'} made on another machine; {outcome}"


def _software_differences(base: Sequence[Run], last: Run) -> Iterator[str]:
    """Yields the differing versions of kernel, microcode and drivers: such runs are compared nevertheless."""
    for difference, count in Counter(differing_software(run.machine, last.machine) for run in base).items():
        if difference:
            which = f"{count} of the {len(base)} base runs" if len(base) > 1 else "the base run"
            yield f"software of the machine: {difference}: in {which}; a change may come from it"


def _settings_differences(sides: Mapping[VariantKey, _Sides]) -> Iterator[str]:
    kinds: dict[str, Callable[[_Sides], str]] = {
        "the base runs with those are omitted": lambda one: one.other_settings if any(one.base) else "",
        "not comparable": lambda one: "" if any(one.base) else one.other_settings,
        "the new runs with those are omitted": lambda one: one.other_settings_of_new,
        "compared nevertheless": lambda one: one.unknown,
    }
    for outcome, text_of in kinds.items():
        variants: dict[str, list[str]] = {}
        for key, one in sides.items():
            if text := text_of(one):
                variants.setdefault(text, []).append(key.variant)
        for text, names in variants.items():
            yield f"settings: {text}: {_example('variants', names)}; {outcome}"


def _direction_differences(outcomes: Sequence[Pair | MetricVerdict], base: Sequence[Run]) -> Iterator[str]:
    """Yields the metrics whose better direction is another one than in the last base run that has them."""
    metrics: dict[str, list[str]] = {}
    for pair in outcomes:
        if isinstance(pair, Pair):
            earlier = next(run.metrics[pair.key] for run in reversed(base) if pair.key in run.metrics)
            if earlier.direction != pair.direction:
                text = f"{shown_fact(earlier.direction)} in the base, {shown_fact(pair.direction)} now"
                metrics.setdefault(text, []).append(f"{pair.key.variant} {pair.key.metric}")
    for text, names in metrics.items():
        yield f"better direction: {text}: {_example('metrics', names)}; the verdict uses that of now"


def _example(noun: str, names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} {noun}, such as {names[0]}"
