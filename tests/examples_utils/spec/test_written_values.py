"""What is written in a spec is what runs, whatever value YAML 1.1 makes of it."""

from __future__ import annotations

import json
import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from benchmark_parsers.numbers import number_of
from examples_utils.spec.loader import load_spec
from examples_utils.spec.variants import expand

# Of each, YAML 1.1 makes a value whose text is another.
DIFFERENT = {
    "2024.10": "2024.1", "0123456": "42798", "010": "8", "0x10": "16", "0b11": "3", "1_000": "1000", "1:30": "90",
    "no": "False", "on": "True", "null": "None", "~": "None", "1.": "1.0", ".5": "0.5", "1.0e+3": "1000.0",
    ".inf": "inf", "+7": "7",
}  # fmt: skip
SAME = [
    "2024-13-01",
    "9" * 5000,
    "16.16",
    "1e3",
    "12e4567",
    "2025.0.0",
    "1.5",
    "7",
    "-7",
    "text",
    "2024-01-02",
    "a b",
]
PLAIN = st.text(st.sampled_from(string.ascii_letters + string.digits + "._+-:~xeE"), min_size=1, max_size=9)


@pytest.mark.parametrize("written", [*DIFFERENT, *SAME], ids=lambda written: written[:12])
@pytest.mark.parametrize(
    "parameters", ["{{p: {}}}", "{{p: [{}]}}", "[[p], [{}]]", "\n    p: {}\n", "\n    - [p]\n    - [{}]\n"]
)
def test_a_parameter_is_the_text_that_is_written(tmp_path, written, parameters):
    file = tmp_path / "s.yml"
    file.write_text(f"a:\n  cmd: echo {{p}}\n  parameters: {parameters.format(written)}\n")
    spec = load_spec(file)
    assert not spec.problems
    assert [dict(variant.params) for variant in expand("a", spec.benchmarks[0].parameters)] == [
        {"p": written}
    ]


@given(PLAIN)
def test_every_plain_scalar_stays_as_it_is_written(tmp_path_factory, written):
    text = f"a:\n  cmd: {written}\n  parameters:\n    - [p]\n    - [{written}]\n  env: {{V: {written}}}\n"
    try:
        yaml.compose(text)
    except yaml.YAMLError:  # such as a key where none may be
        return
    if ": " in written or written.endswith(":") or "{" in written:
        return
    file = tmp_path_factory.mktemp("spec") / "s.yml"
    file.write_text(text)
    spec = load_spec(file)
    if written.lower() in ("~", "null"):  # nothing as a whole key
        return
    benchmark = spec.benchmarks[0]
    assert benchmark.cmd == written
    assert benchmark.parameters == [["p"], [written]]
    assert benchmark.env == (("V", written),)


@pytest.mark.parametrize("written", DIFFERENT)
def test_a_run_gets_what_is_written_and_the_record_holds_it(workplace, written):
    workplace.script(
        "show.py",
        "import json, os, sys\nprint(json.dumps([*sys.argv[1:], os.environ['V'], os.environ['W']]))\n",
    )
    workplace.spec(
        f"base_options: &b\n  env: {{V: {written}, W: &w {written}}}\n"
        f"a:\n  <<: *b\n  cmd: python3 show.py {written} {{p}} {{q}}\n  parameters: {{p: {written}, q: [*w]}}\n"
        f"  output: [[{written}, {written}]]\n  tags: [{written}]\n"
    )
    done = workplace.benchmark("--tag", written)
    assert done.exitcode == 0
    record = done.by_variant[f"a_p_{written}_q_{written}"]
    assert json.dumps([written] * 5) in done.out
    assert record["params"] == {"p": written, "q": written}
    assert record["output"] == [[written, written]]


@pytest.mark.parametrize("written", DIFFERENT)
def test_validate_remarks_on_each_value_of_which_the_original_ran_another(workplace, written):
    file = workplace.spec(
        f"a:\n  cmd: echo {{p}} {{q}}\n  parameters:\n    p: {written}\n    q: '{written}'\n"
    )
    done = workplace.command("validate")
    assert done.exitcode == 0
    assert done.out.count(": remark: ") == 1
    assert f"{file}:4:8: remark: a.parameters.p: {written} runs as it is written" in done.out
    assert f"the original ran {DIFFERENT[written]}, " in done.out


@pytest.mark.parametrize("written", SAME, ids=lambda written: written[:12])
def test_validate_does_not_remark_on_a_value_that_both_run_alike(workplace, written):
    workplace.spec(f"a:\n  cmd: echo {{p}}\n  parameters: {{p: {written}}}\n  env: {{V: {written}}}\n")
    assert ": remark: " not in workplace.command("validate").out


def test_a_shared_block_is_remarked_on_once(workplace):
    workplace.spec("o_options: &o {env: {V: no}}\na: {<<: *o, cmd: x}\nb: {<<: *o, cmd: x}\n")
    assert workplace.command("validate").out.count(": remark: ") == 1


@pytest.mark.parametrize(
    ("written", "seconds"), [("010", 10), ("1e3", 1000), ("90.", 90), ("+5", 5), ("'60'", 60)]
)
def test_a_number_is_made_of_what_is_written(tmp_path, written, seconds):
    file = tmp_path / "s.yml"
    file.write_text(
        f"a: {{cmd: x, timeout: {written}}}\nb: {{notebook: {{file: n.ipynb, timeout: {written}}}}}\n"
    )
    first, second = load_spec(file).benchmarks
    assert first.timeout_s == seconds
    assert second.notebook.timeout_s == seconds


@pytest.mark.parametrize("switch", ["yes", "on", "true", "True"])
def test_a_switch_is_still_what_yaml_makes_of_it(tmp_path, switch):
    file = tmp_path / "s.yml"
    file.write_text(f"a: {{cmd: x, shell: {switch}, allow_wandb: {switch}, generated: {switch}}}\n")
    benchmark = load_spec(file).benchmarks[0]
    assert (benchmark.shell, benchmark.allow_wandb, benchmark.needs_no_dataset) == (True, True, True)


@given(st.one_of(st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False)))
def test_the_text_of_a_number_is_that_number(number):
    assert number_of(repr(number)) == number
    assert number_of(f" {number} ") == number


@given(st.text(st.sampled_from("0123456789_.,:xeE+- "), max_size=8))
def test_what_is_a_number_is_one_for_python_and_has_no_separators(text):
    number = number_of(text)
    if number is not None:
        assert number == float(text)
        assert not set(text) & set("_,:x")
