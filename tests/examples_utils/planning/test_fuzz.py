"""A mutated spec gives a plan or a clean refusal, never another exception."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from examples_utils.cli.list import listing
from examples_utils.planning.command import build_command, without_installation
from examples_utils.planning.options import CommandOptions, Selection
from examples_utils.planning.plan import make_plan
from examples_utils.problems import RequestError
from examples_utils.spec.loader import load_spec

SEED = """common_options: &c
  data:
    throughput: {regexp: 'throughput: *(.*?) samples\\/sec', skip: 1}
    latency: {regexp: "latency: *(.*?) ms", reduction_type: final}
  derived: {both: {expr: '{throughput} * latency'}}
  output:
    - [samples/sec, 'throughput']
    - latency(ms): latency
  env: {A: $B, B: '{"x": 1}'}
first:
  <<: [*c]
  description: |
    Several lines
  parameters: {batchsize: "1, 4", n: 3}
  cmd: >-
    mpirun -np {n} python3 run.py --batch {batchsize} --data "$HOME/x"
  timeout: 60
  tags: [quick]
second:
  <<: *c
  parameters:
    - [a, b]
    - [1, x y]
    - [2, z]
  cmd: echo {a} {b} | cat
  requires: [poprun, python>=3.10]
  pre_run_commands: ['echo 1']
third: {notebook: {file: n.ipynb, timeout: 3}, generated: true}
"""
TOKENS = [
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "\n",
    "  ",
    "'",
    '"',
    "&c ",
    "*c",
    "<<: ",
    "null",
    "~",
    "{}",
    "[]",
    "0",
    "-1",
]
TOKENS += [
    "1e999",
    "\t",
    "\\",
    "%",
    "!!int ",
    "!!bool ",
    "? ",
    "| ",
    "> ",
    "#",
    ",",
    "cmd",
    "é",
    "\x07",
    "(",
    ")",
    "*",
]
TOKENS += ["$", "{n}", "true", "2020-99-99"]


def mutated(source: random.Random) -> str:
    text = SEED
    for _ in range(source.randint(1, 5)):
        start = source.randrange(len(text))
        end = min(len(text), start + source.choice([0, 0, 1, 2, 5, 20]))
        kind = source.random()
        if kind < 0.6:
            text = text[:start] + source.choice(TOKENS) + text[end:]
        elif kind < 0.8:
            lines = text.split("\n")
            source.shuffle(lines) if source.random() < 0.1 else lines.insert(
                source.randrange(len(lines)), source.choice(lines)
            )
            text = "\n".join(lines)
        else:
            text = text[:start] + text[end:]
    return text


@pytest.mark.slow
def test_two_thousand_mutated_specs_give_a_plan_or_a_clean_refusal(tmp_path: Path):
    file = tmp_path / "benchmarks.yml"
    source = random.Random(20260718)
    plans = 0
    for _ in range(2000):
        text = mutated(source)
        file.write_text(text)
        try:
            plan = make_plan(Selection((str(file),)), CommandOptions(), {"HOME": "/h", "PATH": "/bin"})
        except RequestError as error:
            assert str(file) in str(error) or "--tag" in str(error), text  # noqa: PT017
            continue
        plans += 1
        for form in ("tree", "json", "yaml"):
            assert listing(plan, form) or not plan.variants
    assert 200 < plans < 1900


def test_an_accepted_spec_can_be_planned_under_every_option(tmp_path: Path):
    file = tmp_path / "benchmarks.yml"
    file.write_text(SEED)
    options = CommandOptions(allow_wandb=True, compile_only=True, profile=True, logging="DEBUG", timeout_s=5)
    for planned in make_plan(Selection((str(file),)), options, {}).variants:
        env, env_text = dict(planned.command.env), dict(planned.command.env_text)
        rebuilt = build_command(planned.benchmark, planned.variant, options, {}, env, env_text)
        assert planned.command == (without_installation(rebuilt) if planned.benchmark.notebook else rebuilt)
    assert len(load_spec(file).benchmarks) == 3
