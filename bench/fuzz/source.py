"""An endless series of cases, determined by the seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from itertools import count

from bench.fuzz.case import Case
from bench.fuzz.corpus import SPEC, LogFolder, outputs, spec_tree
from bench.fuzz.grammar import drawn_specs
from bench.fuzz.structure import mutated_tree, written
from bench.fuzz.text import mutated_text, re_encoded

_DRAWN_AT_ONCE = 40


def cases(seed: int, run: LogFolder) -> Iterator[Case]:
    """Yields cases: specs of a grammar and mutations of valid files, in turn."""
    drawn: list[str] = []
    for number in count():
        name = f"{seed}-{number}"
        source = random.Random(name)
        kind = source.choices(("grammar", "spec", "record", "results", "output"), (3, 4, 3, 3, 4))[0]
        if kind == "grammar":
            if not drawn:
                specs = drawn_specs(source.getrandbits(32), _DRAWN_AT_ONCE)
                drawn = [written(spec, source, is_yaml=True) for spec in reversed(specs)]
            yield Case("spec", drawn.pop(), seed=name)
        else:
            text, part = _MAKERS[kind](source, run)
            yield Case(kind, text, part, name)


def _spec(source: random.Random, _run: LogFolder) -> tuple[str, str]:
    if source.random() < 0.25:
        return mutated_text(SPEC, source), ""
    return _spelt(written(mutated_tree(spec_tree(source), source), source, is_yaml=True), source), ""


def _record(source: random.Random, run: LogFolder) -> tuple[str, str]:
    name = source.choice([name for name in run.files if name.endswith("_result.json") or name == "run.json"])
    return _mutated_json(run.files[name], source), name


def _results(source: random.Random, run: LogFolder) -> tuple[str, str]:
    return _mutated_json(run.files["benchmark_results.json"], source), ""


def _output(source: random.Random, _run: LogFolder) -> tuple[str, str]:
    parser, text = source.choice(outputs())
    if text.lstrip().startswith("{") and source.random() < 0.7:
        return _mutated_json(text, source), parser
    text = mutated_text(text, source) if source.random() < 0.8 else text
    return _spelt(text, source), parser


def _mutated_json(text: str, source: random.Random) -> str:
    if source.random() < 0.8:
        text = written(mutated_tree(json.loads(text), source), source, is_yaml=False)
        return _spelt(text, source)
    return mutated_text(text, source)


def _spelt(text: str, source: random.Random) -> str:
    """Returns mostly the same text, else one that is spelt otherwise."""
    kind = source.random()
    if kind < 0.8:
        return text
    return mutated_text(text, source) if kind < 0.9 else re_encoded(text, source)


_MAKERS: dict[str, Callable[[random.Random, LogFolder], tuple[str, str]]] = {
    "spec": _spec,
    "record": _record,
    "results": _results,
    "output": _output,
}
