"""The words of a command are those of a POSIX shell."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples_utils.spec.command_words import command_words

# Without line breaks, and without what only a shell treats specially.
TEXTS = st.text(st.sampled_from("abc-= \t'\"\\{}é"), max_size=40)
PIECES = st.sampled_from(["${A}", '"$A"', "${B}", "x", " ", "'y z'", '"-$B-"', "\\$A ", '"\\$A"'])
VALUES = st.text(st.sampled_from("ab' \t\n\"\\$"), max_size=12)


@given(TEXTS)
def test_without_variables_the_words_are_those_of_shlex(text):
    try:
        expected = shlex.split(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"No (closing quotation|escaped character)"):
            command_words(text)
    else:
        assert command_words(text) == expected


@settings(deadline=None)
@given(st.lists(PIECES, max_size=8), VALUES, VALUES)
def test_variables_are_split_as_a_shell_splits_them(pieces, first, second):
    text = "".join(pieces)
    shell = subprocess.run(
        ["/bin/sh", "-fc", f"printf '%s\\0' : {text}"],
        env={"A": first, "B": second, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    expected = shell.stdout.decode().split("\0")[1:-1]
    assert command_words(text, {"A": first, "B": second}) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('run "\n    -x A\n    -x B" end', ["run", " -x A -x B", "end"]),
        ("run 'a  b \n\n  c' end", ["run", "a  b c", "end"]),
        ('run "a\r\n b"\n\nend', ["run", "a b", "end"]),
        ('run "a   b"', ["run", "a   b"]),
        ("run \\\n  --flag", ["run", "--flag"]),
    ],
)
def test_a_line_break_inside_quotes_becomes_one_blank(text, words):
    assert command_words(text) == words


def test_a_name_that_is_not_set_and_one_in_single_quotes():
    assert command_words("$UNSET '$A' $1", {"A": "1 2"}) == ["$UNSET", "1 2", "$1"]


def test_a_run_splits_a_variable_of_the_entry_and_joins_quoted_lines(workplace):
    workplace.script("words.py", "import json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    workplace.spec(
        "a:\n"
        "  env: {ARGS: '--x 1  --y 2', NONE: ''}\n"
        "  cmd: >-\n"
        "    python3 words.py\n"
        '      --local="\n'
        "        -x A\n"
        '        -x B"\n'
        '    $ARGS $NONE "$ARGS"\n'
    )
    done = workplace.benchmark()
    assert done.exitcode == 0
    expected = '["--local= -x A -x B", "--x", "1", "--y", "2", "--x 1  --y 2"]'
    assert expected in Path(done.by_variant["a"]["log_paths"]["out"]).read_text()


@pytest.mark.slow
def test_a_shell_makes_the_same_words_of_the_recorded_command(workplace):
    workplace.script("words.py", "import json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    variables = {"ARGS": "--x 1  --y 2", "NONE": ""}
    workplace.spec(
        f"a:\n  env: {json.dumps(variables)}\n"
        """  cmd: >-
    python3 words.py $ARGS "$ARGS" '$ARGS' pre"$ARGS"post --o="${ARGS}" "a 'b' $NONE" $NONE "$NONE" '$'\n"""
    )
    record = workplace.benchmark().by_variant["a"]
    by_shell = subprocess.run(
        ["sh", "-c", record["command"]], env={**os.environ, **variables}, capture_output=True, check=True
    )
    assert by_shell.stdout == Path(record["log_paths"]["out"]).read_bytes()


@pytest.mark.parametrize(
    "entry", ["cmd: $NONE\n  env: {NONE: ''}", "cmd: '{p}'\n  parameters: {p: ['', ' ']}"]
)
def test_a_command_without_words_fails_its_variant(workplace, entry):
    workplace.spec(f"a:\n  {entry}\nnext: {{cmd: echo hi}}\n")
    done = workplace.benchmark()
    assert done.exitcode == 1
    assert "the command has no words: its parameters and variables are empty" in done.out
    assert done.by_variant["next"]["status"] == "passed"
