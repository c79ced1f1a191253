"""Specs from a grammar, drawn by Hypothesis: mostly valid ones, with odd names, values and shapes."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from bench.fuzz.hostile import TEXTS, TRIVIAL_COMMANDS


def drawn_specs(number: int, count: int) -> list[dict[str, Any]]:
    """Returns up to `count` specs as trees; the same number gives the same specs."""
    specs: list[dict[str, Any]] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(_SPECS)
    def collect(spec: dict[str, Any]) -> None:
        specs.append(spec)

    collect()
    return specs


_WORDS = st.sampled_from(["a", "b", "n", "batch", "throughput", "latency", "items_per_s"])
_TEXTS = st.one_of(st.sampled_from(TEXTS), st.text(max_size=12))
_NAMES = st.one_of(_WORDS, _WORDS, _TEXTS)
_SCALARS = st.one_of(
    st.integers(), st.floats(), st.booleans(), _TEXTS, st.sampled_from(["1,2", "1, 4 ,8", "x"])
)
_REGEXPS = st.one_of(
    st.sampled_from(["throughput: *(.*?) samples", "latency avg: *(.*?) ms", r"([\d.]+)", "(x)?", "()"]),
    _TEXTS,
)
_METRICS = st.fixed_dictionaries(
    {"regexp": _REGEXPS},
    optional={
        "skip": st.integers(-1, 3),
        "reduction_type": st.sampled_from(["mean", "final", "min", "value", "median"]),
        "unit": _TEXTS,
        "direction": st.sampled_from(["higher", "lower", "up"]),
    },
)
_EXPRESSIONS = st.recursive(
    st.one_of(_WORDS, st.integers(-3, 9).map(str), st.sampled_from(["{n}", "1e308", "'x'"])),
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), part).map(" ".join),
        st.tuples(st.sampled_from(["min", "max", "abs", "round", "len"]), part).map(lambda p: f"{p[0]}({p[1]})"),
    ),
    max_leaves=6,
)  # fmt: skip
_PARAMETERS = st.one_of(
    st.dictionaries(_NAMES, st.one_of(_SCALARS, st.lists(_SCALARS, max_size=3)), max_size=3),
    st.lists(st.lists(_SCALARS, max_size=3), max_size=3),
)
_ENTRIES = st.fixed_dictionaries(
    {"cmd": st.one_of(st.sampled_from(TRIVIAL_COMMANDS), _TEXTS.map(lambda text: f"echo {text} {{n}}"))},
    optional={
        "parameters": _PARAMETERS,
        "data": st.dictionaries(_NAMES, _METRICS, max_size=3),
        "derived": st.dictionaries(_NAMES, st.fixed_dictionaries({"expr": _EXPRESSIONS}), max_size=2),
        "output": st.lists(st.one_of(st.tuples(_NAMES, _NAMES).map(list), st.dictionaries(_NAMES, _NAMES))),
        "env": st.dictionaries(_NAMES, _SCALARS, max_size=2),
        "timeout": st.one_of(st.integers(-1, 9), st.floats()),
        "tags": st.lists(_NAMES, max_size=2),
        "requires": st.lists(
            st.sampled_from(["ipu", "cuda", "python>=3.8", "cores>=1", "no_such_module"]), max_size=2
        ),
        "parser": st.sampled_from(["driver", "hyperfine", "loadgen", "poplar", "regex", "none"]),
        "description": _TEXTS,
        "location": st.sampled_from([".", "..", "/", "no-such-folder", "\x00"]),
        "compare": st.fixed_dictionaries({"threshold": st.one_of(_TEXTS, st.floats())}),
        "pre_run_commands": st.lists(st.sampled_from(TRIVIAL_COMMANDS), max_size=1),
    },
)
_SPECS = st.dictionaries(_NAMES, _ENTRIES, min_size=1, max_size=3)
