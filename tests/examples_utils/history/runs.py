"""Runs to fill histories with."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st

from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey

MACHINE = {"hostname": "h", "cpu": "c", "cores": 2, "memory_bytes": 8 << 30, "accelerators": []}


def night(number: int, *, variants: int = 2, repetitions: int = 3, **changes: object) -> Run:
    """The run of one night, which starts `number` days after the first."""
    keys = [VariantKey("benchmarks.yml", f"b{i}", f"b{i}_n_1") for i in range(variants)]
    values = tuple(100.0 + number + 0.1 * repetition for repetition in range(repetitions))
    facts = {
        "run_id": f"{number:016x}",
        "started_utc": (datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(days=number)).isoformat(),
        "machine": MACHINE,
        "software": {"python": "3.11", "packages": {"numpy": "2"}},
        "commit": f"{number:040x}",
        "dirty": False,
        "branch": "main",
        "canary": {"compute": (0.5, 0.51), "memory": (0.2,)},
        "variants": {
            key: VariantFacts(
                "passed", None, {"threads": "2"}, {"n": "1"}, f"run {key.benchmark}", log_tail="end"
            )
            for key in keys
        },
        "metrics": {
            MetricKey(*key, metric): Metric(values, unit, direction, "mean")
            for key in keys
            for metric, unit, direction in (
                ("throughput", "samples/sec", "higher"),
                ("latency", "ms", "lower"),
            )
        },
    }
    return Run(**{**facts, **changes})  # type: ignore[arg-type]


_words = st.text(max_size=20) | st.sampled_from(
    ["", "\0", "\\u0000", "\\", "\ud800", "ä", "' OR 1=1 --", "%"]
)
_floats = st.floats(allow_nan=False, allow_infinity=False)
_texts = st.dictionaries(_words, _words, max_size=3)
_facts = st.recursive(
    st.none() | st.booleans() | st.integers() | _floats | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
    max_leaves=8,
)
_keys = st.builds(VariantKey, _words, _words, _words)
_times = st.datetimes(
    datetime(1970, 1, 2),
    datetime(2200, 1, 1),
    timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=-7))]),
)


@st.composite
def any_run(draw: st.DrawFn) -> Run:
    """Whatever a Run may hold."""
    keys = draw(st.lists(_keys, max_size=3, unique=True))
    figure = st.builds(
        Metric,
        st.lists(_floats, min_size=1, max_size=4).map(tuple),
        st.none() | _words,
        st.sampled_from(["higher", "lower", None]),
        _words,
    )
    facts = st.builds(
        VariantFacts,
        status=st.sampled_from(["passed", "failed", "skipped", "not run"]),
        reason=st.none() | _words,
        settings=_texts,
        params=_texts,
        command=_words,
        threshold=st.none() | _floats,
        warnings=st.lists(_words, max_size=2).map(tuple),
        log_tail=_words,
    )
    return Run(
        run_id=draw(st.text(min_size=1, max_size=20)),
        started_utc=draw(_times).isoformat(),
        machine=draw(st.dictionaries(_words, _facts, max_size=3)),
        software=draw(st.dictionaries(_words, _facts, max_size=3)),
        commit=draw(st.none() | _words),
        dirty=draw(st.none() | st.booleans()),
        branch=draw(st.none() | _words),
        canary=draw(st.dictionaries(_words, st.lists(_floats, max_size=3).map(tuple), max_size=2)),
        variants={key: draw(facts) for key in keys},
        metrics=draw(st.dictionaries(_metric_keys(keys), figure, max_size=4)) if keys else {},
    )


def _metric_keys(keys: list[VariantKey]) -> st.SearchStrategy[MetricKey]:
    return st.builds(lambda key, name: MetricKey(*key, name), st.sampled_from(keys), _words)
