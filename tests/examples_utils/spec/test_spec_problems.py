"""A wrong spec is refused before anything runs, with file, line, column, key and remedy."""

from __future__ import annotations

import json

import pytest

from examples_utils.problems import SpecError
from examples_utils.spec.loader import load_spec

# Each: the spec, the place of the problem, and a part of the message.
PROBLEMS = {
    "a timeout that is no number": ("r:\n  cmd: x\n  timeout: .nan\n", "3:12", "a number of seconds above 0"),
    "bad YAML": ("a: [1\nb: 2", "2:2", "not valid YAML"),
    "tab": ("a:\n\tcmd: x", "2:1", "not valid YAML"),
    "no mapping": ("- a\n- b", "1:1", "mapping of benchmark names"),
    "empty file": ("", "1:1", "mapping of benchmark names"),
    "two documents": ("a: {cmd: x}\n---\nb: {cmd: y}", "2:1", "second document"),
    "undefined alias": ("a: *nothing", "1:4", "*nothing is used before"),
    "value that holds itself": ("a: &a {cmd: x, env: *a}", "1:21", "*a is used before"),
    "deep nesting": ("a: " + "[" * 500, "1:103", "nested more than"),
    "unknown tag": ("a: {cmd: !!python/name:os.system x}", "1:10", "cannot be read"),
    "scalar entry": ("a: hello", "1:1", "a: a benchmark is a mapping"),
    "missing cmd": ("a:\n  timeout: 3", "1:1", "a: cmd is missing"),
    "empty cmd": ("a:\n  cmd: ''", "2:8", "a.cmd: expected the command"),
    "cmd is a list": ("a:\n  cmd: [x]", "2:8", "a.cmd: expected the command"),
    "cmd and notebook": ("a:\n  cmd: x\n  notebook: n.ipynb", "3:13", "not both"),
    "unclosed quote": ("a:\n  cmd: echo 'x", "2:8", "close the quote"),
    "quote in a value": ("a:\n  cmd: x {p}\n  parameters: {p: don't}", "3:15", "cannot be split into words"),
    "unknown parameter": ("a:\n  cmd: x {batchsiz}\n  parameters: {batchsize: 1}", "2:8", "did you mean batchsize"),
    "parameter without parameters": ("a:\n  cmd: x {n}", "2:8", "the entry has no parameters"),
    "parameter of a notebook": ("a:\n  notebook: x{n}.ipynb", "2:13", "the entry has no parameters"),
    "parameter of a folder": ("a:\n  notebook: {file: n, working_directory: '{n}'}", "2:42", "a.notebook.working_dir"),
    "bad regexp": ("a:\n  cmd: x\n  data:\n    t:\n      regexp: '(['", "5:15", "not a regular expression at"),
    "no regexp": ("a:\n  cmd: x\n  data: {t: {skip: 1}}", "3:13", "regexp is missing"),
    "bad skip": ("a:\n  cmd: x\n  data: {t: {regexp: '(a)', skip: -1}}", "3:35", "whole number from 0"),
    "bad reduction": ("a:\n  cmd: x\n  data: {t: {regexp: '(a)', reduction_type: p50}}", "3:45", "mean, final"),
    "derived from": ("a:\n  cmd: x\n  data: {t: {regexp: '(a)'}}\n  derived: {d: {expr: tt}}", "4:23", "you mean t"),
    "derived is invalid": ("a:\n  cmd: x\n  derived: {d: {expr: '1 +'}}", "3:23", "is not a valid expression"),
    "timeout": ("a:\n  cmd: x\n  timeout: soon", "3:12", "a number of seconds above 0; got 'soon'"),
    "negative timeout": ("a:\n  cmd: x\n  timeout: -1", "3:12", "a number of seconds above 0"),
    "short row": ("a:\n  cmd: x {p} {q}\n  parameters:\n    - [p, q]\n    - [1, 2]\n    - [3]", "6:7", "row 2 has 1"),
    "header alone": ("a:\n  cmd: x {p}\n  parameters:\n    - [p]", "4:5", "no row of values"),
    "header twice": ("a:\n  cmd: x {p}\n  parameters:\n    - [p, p]\n    - [1, 2]", "4:11", "in the header twice"),
    "empty parameter": ("a:\n  cmd: x {p}\n  parameters:\n    p:", "4:7", "comma-separated"),
    "requires": ("a:\n  cmd: x\n  requires: ['cores>=many']", "3:14", "'many' is not an amount"),
    "requires with a separator": ("a:\n  cmd: x\n  requires: ['cores>=1_0']", "3:14", "is not a requirement: write"),
    "threshold with a separator": ("a:\n  cmd: x\n  compare: {threshold: 0_5}", "3:24", "such as 2%; got '0_5'"),
    "requires of a program": ("a:\n  cmd: x\n  requires: ['torch>=2']", "3:14", "only python, cores and memory"),
    "tags": ("a:\n  cmd: x\n  tags: quick", "3:9", "expected a list of words"),
    "env": ("a:\n  cmd: x\n  env: {A: [1]}", "3:12", "expected text, a number"),
    "output": ("a:\n  cmd: x\n  output: [[one]]", "3:12", "label, metric"),
    "compare": ("a:\n  cmd: x\n  compare: 2%", "3:12", "a.compare: expected how comparisons judge the entry"),
    "compare without threshold": ("a:\n  cmd: x\n  compare: {}", "3:12", "threshold is missing: the smallest"),
    "compare with more": ("a:\n  cmd: x\n  compare: {threshold: 2%, treshold: 1%}", "3:12", "unknown key treshold"),
    "threshold": ("a:\n  cmd: x\n  compare: {threshold: 2}", "3:24", "such as 2%; got 2; write 2% if that is meant"),
    "threshold of nothing": ("a:\n  cmd: x\n  compare: {threshold: 0%}", "3:24", "compare.threshold: expected a share"),
    "threshold of all": ("a:\n  cmd: x\n  compare: {threshold: 100%}", "3:24", "below 100%, such as 2%; got '100%'"),
    "threshold in words": ("a:\n  cmd: x\n  compare: {threshold: little}", "3:24", "such as 2%; got 'little'"),
    "threshold not a number": ("a:\n  cmd: x\n  compare: {threshold: .nan}", "3:24", "such as 2%; got '.nan'"),
    "threshold true": ("a:\n  cmd: x\n  compare: {threshold: true}", "3:24", "such as 2%; got 'true'"),
    "timeout with a separator": ("a:\n  cmd: x\n  timeout: 1_000", "3:12", "of seconds above 0; got '1_000'"),
    "timeout in minutes": ("a:\n  cmd: x\n  timeout: 1:30", "3:12", "a number of seconds above 0; got '1:30'"),
    "timeout too large for a float": (f"a:\n  cmd: x\n  timeout: {'9' * 400}", "3:12", "a number of seconds above 0"),
    "notebook's timeout without end": (
        "a:\n  notebook: {file: x.ipynb, timeout: 1e999}", "2:38", "a number of seconds above 0"),
    "skip too large for a number": (
        f"a:\n  cmd: x\n  data: {{t: {{regexp: 't', skip: {'9' * 400}}}}}", "3:33", "expected"),
    "timeout without end": ("a:\n  cmd: x\n  timeout: 1e999", "3:12", "a number of seconds above 0"),
    "skip in octal": ("a:\n  cmd: x\n  data: {t: {regexp: '(a)', skip: 0o2}}", "3:35", "from 0; got '0o2'"),
    "no name": ("'': {cmd: x}", "1:1", "a benchmark has no name"),
    "a name of blanks": ("' ': {cmd: x}", "1:1", "a benchmark has no name"),
    "derived with text": ("a:\n  cmd: x\n  derived: {d: {expr: '\"a\".upper()'}}", "3:23", "is not arithmetic"),
    "derived with a list": ("a:\n  cmd: x\n  derived: {d: {expr: '[1]*9'}}", "3:23", "is not arithmetic: '[1]'"),
    "too many variants": ("a:\n  cmd: x\n  parameters: {p: '%s', q: '%s'}" % ((",".join(map(str, range(1000))),) * 2),
                          "3:15", "makes 1,000,000 variants; at most 100,000"),
    "in a merged block": ("x_options: &x\n  timeout: soon\na:\n  <<: *x\n  cmd: x", "2:12", "a.timeout: expected"),
}  # fmt: skip


@pytest.mark.parametrize("title", PROBLEMS)
def test_a_problem_is_told_with_its_place_and_remedy_before_anything_runs(workplace, title):
    text, place, message = PROBLEMS[title]
    file = workplace.spec(text)
    done = workplace.benchmark()
    assert done.exitcode == 2
    assert f"{file}:{place}: error: " in done.err
    assert message in done.err
    assert not workplace.log.exists()


def test_validate_tells_all_problems_of_all_specs_at_once(workplace):
    workplace.spec("a: {cmd: x, timeout: soon}\nb: {cmd: 'y {n}'}\n", "one.yml")
    workplace.spec("c: {}\n", "two.yml")
    workplace.spec("d: [\n", "three.yml")
    done = workplace.command("validate", "--spec", "*.yml")
    assert done.exitcode == 2
    assert done.out.count(" error: ") == 4
    assert "3 specs" in done.out


def test_an_unknown_key_is_a_warning_with_the_nearest_right_key(workplace):
    file = workplace.spec("a:\n  cmd: echo hi\n  paramters: {n: 1}\n")
    done = workplace.command("validate")
    assert done.exitcode == 0
    assert (
        f"{file}:3:3: warning: a.paramters: unknown key, which has no effect; did you mean parameters"
        in done.out
    )
    ran = workplace.benchmark()
    assert ran.exitcode == 0
    assert "a.paramters: unknown key" in ran.out


@pytest.mark.parametrize(
    "bad",
    ["bad: {cmd: [x]}", "bad: {cmd: x, timeout: y}", "b: &b {timeout: -1}\nbad: {<<: *b, cmd: x}"],
)
def test_a_faulty_entry_does_not_stand_in_the_way_of_another_that_is_named(workplace, bad):
    workplace.spec(f"{bad}\ngood: {{cmd: echo hi}}\n")
    assert workplace.benchmark("--benchmark", "good").exitcode == 0
    assert workplace.benchmark("--benchmark", "bad").exitcode == 2
    assert workplace.benchmark().exitcode == 2


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_without_end_is_refused_whether_by_us_or_by_the_parser_s_own_limit(workplace, opening):
    file = workplace.spec(opening * 50_000)
    done = workplace.command("validate")
    assert done.exitcode == 2
    assert f"{file}:1:" in done.out
    assert "nest" in done.out


DUPLICATES = {
    "an entry": ("a: {cmd: echo 1}\nb: {cmd: x}\na: {cmd: echo 2}", "3:1", "a: duplicate key, given before in line 1"),
    "a key": ("a:\n  cmd: echo 1\n  timeout: 9\n  cmd: echo 2", "4:3", "a.cmd: duplicate key, given before in line 2"),
    "a variable": ("a:\n  cmd: echo $A\n  env: {A: 1,\n A: 2}", "4:2", "a.env.A: duplicate key, given before"),
    "a key of a merged block": (
        "x_options: &x {cmd: echo 1,\n cmd: echo 2}\na: {<<: *x}", "2:2", "cmd: duplicate key, given before in line 1"),
    "a parameter": ("a:\n  cmd: echo {n}\n  parameters:\n    n: 1\n    n: 2", "5:5", "given before in line 4"),
}  # fmt: skip


@pytest.mark.parametrize("title", DUPLICATES)
def test_of_duplicate_keys_the_last_counts_with_a_warning_that_names_both_lines(workplace, title):
    text, place, message = DUPLICATES[title]
    file = workplace.spec(text)
    done = workplace.benchmark("--benchmark", "a")
    assert done.exitcode == 0
    assert f"{file}:{place}: " in done.out
    assert message in done.out
    assert f"which is that in line {place.split(':')[0]}" in done.out
    assert [(workplace.log / name / "stdout.log").read_text() for name in done.by_variant] == ["2\n"]


@pytest.mark.parametrize("title", DUPLICATES)
def test_validate_refuses_duplicate_keys_unless_it_is_not_strict(workplace, title):
    text, place, message = DUPLICATES[title]
    file = workplace.spec(text)
    assert workplace.benchmark("--strict").exitcode == 2
    assert workplace.command("list", "--strict").exitcode == 2
    assert workplace.command("validate", "--no-strict").exitcode == 0
    done = workplace.command("validate")
    assert done.exitcode == 2
    assert f"{file}:{place}: error: " in done.out
    assert message in done.out


def test_a_duplicate_key_does_not_hide_the_other_problems(workplace):
    workplace.spec(
        "a: {cmd: x, cmd: y, timeout: soon}\nb: {cmd: 'y {n}'}\nb_options: {tags: [x], tags: [y]}\n"
    )
    done = workplace.command("validate")
    assert done.out.count(" error: ") == 4
    assert "2 benchmarks" in done.out


@pytest.mark.parametrize(
    ("parameters", "commands"),
    [
        ("n: '1, 2,1'", ["echo 1", "echo 2", "echo 1"]),
        ("n: [x, x]", ["echo x", "echo x"]),
        ("[[n], [3], [3], [3]]", ["echo 3", "echo 3", "echo 3"]),
    ],
)
def test_equal_variants_all_run_and_are_told_apart_by_their_number(workplace, parameters, commands):
    workplace.spec(f"a:\n  cmd: echo {{n}}\n  parameters:\n    {parameters}\n")
    assert "0 errors, 1 warnings" in workplace.command("validate").out
    done = workplace.benchmark()
    assert done.exitcode == 0
    assert "is given more than once" in done.out
    assert [record["command"] for record in done.results["a"]] == commands
    assert [name for name in done.by_variant if name.endswith("#2")]


def test_a_regular_expression_without_a_group_takes_the_whole_match_with_a_warning(workplace):
    workplace.spec("a:\n  cmd: echo rate 12.5 items\n  data: {rate: {regexp: '[0-9.]+'}}\n")
    done = workplace.benchmark()
    assert done.exitcode == 0
    assert "a.data.rate.regexp: has no group, so the whole match is the value" in done.out
    assert done.by_variant["a"]["results"]["rate"] == {"mean": 12.5}


def test_an_output_column_of_nothing_known_is_a_warning(workplace):
    workplace.spec(
        "a:\n  cmd: echo v=1 {p}\n  parameters: {p: 7}\n  data: {value: {regexp: 'v=(.)'}}\n"
        "  output: [[v, value], [p, p], [batch, 16], [x, valu]]\n"
    )
    done = workplace.command("validate")
    assert done.exitcode == 0
    assert "0 errors, 1 warnings" in done.out
    assert (
        "5:45: warning: a.output.3: valu is not a metric or parameter of this entry; did you mean value?"
        in done.out
    )


@pytest.mark.parametrize(
    "text",
    [
        "common_options: &c {timeout: 5}\na: {<<: *c, cmd: x}",
        "shared_opts: &c\n  timeout: 5\na:\n  <<: *c\n  cmd: x",
        "x: &number 5\na: {cmd: x, timeout: *number}",
    ],
)
def test_shared_blocks_are_no_benchmarks(workplace, text):
    spec = load_spec(workplace.spec(text))
    assert [(benchmark.name, benchmark.timeout_s) for benchmark in spec.benchmarks] == [("a", 5)]
    assert not spec.problems


def test_of_several_merged_blocks_the_earlier_wins_and_own_keys_beat_both(workplace):
    spec = load_spec(
        workplace.spec(
            "a_options: &a {timeout: 1, description: first, tags: [x]}\nb_options: &b {timeout: 2, location: .}\n"
            "n:\n  <<: [*a, *b]\n  description: own\n  cmd: x\n"
        )
    )
    benchmark = spec.benchmarks[0]
    assert (benchmark.timeout_s, benchmark.description, benchmark.tags) == (1, "own", ("x",))


def test_a_file_that_cannot_be_read_is_named(workplace):
    workplace.folder.joinpath("latin.yml").write_bytes(b"a: {cmd: caf\xe9}")
    with pytest.raises(SpecError, match=r"latin\.yml:1:1.*not UTF-8"):
        load_spec(workplace.folder / "latin.yml")
    done = workplace.benchmark("--spec", "benchmark.yaml")
    assert done.exitcode == 2
    assert "no such file" in done.err


def test_the_shipped_schema_accepts_what_the_runner_accepts(workplace):
    from jsonschema import Draft7Validator

    from examples_utils.spec.validation import spec_schema

    schema = spec_schema()
    Draft7Validator.check_schema(schema)
    validator = Draft7Validator(schema)
    assert validator.is_valid({"a_options": {"anything": [1]}, "b": {"cmd": "x", "parameters": {"n": "1,2"}}})
    assert not validator.is_valid({"b": {"cmd": ["x"]}})
    assert json.dumps(schema)
