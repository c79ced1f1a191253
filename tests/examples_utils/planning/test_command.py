"""From an entry's cmd to the words that are executed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples_utils.planning.command import build_command, mpi_instances
from examples_utils.planning.environment import additions, resolve
from examples_utils.planning.options import CommandOptions
from examples_utils.problems import Place
from examples_utils.spec.command_line import join_words
from examples_utils.spec.loader import Benchmark
from examples_utils.spec.placeholders import fill, placeholders
from examples_utils.spec.variants import expand


def words(
    cmd: str, folder: Path = Path("/nowhere"), options: CommandOptions | None = None, parameters=None, **entry
):
    benchmark = Benchmark("b", Place(folder / "s.yml", 1, 1), folder, cmd=cmd, parameters=parameters, **entry)
    variant = expand("b", parameters)[0]
    env = entry.pop("env", ())
    return list(
        build_command(benchmark, variant, options or CommandOptions(), {"HOME": "/h"}, dict(env)).argv
    )


@given(
    st.lists(
        st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=12),
        max_size=6,
    )
)
def test_joining_words_is_the_inverse_of_splitting(argv):
    assert shlex.split(join_words(argv)) == argv


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("run {n} --b={micro-batch}", "run 4 --b=8"),
        ("run {{n}} {n}", "run {n} 4"),
        ("""run '{"a": {"b": 1}}' {n}""", """run '{"a": {"b": 1}}' 4"""),
        ("echo ${HOME} $n {n}", "echo ${HOME} $n 4"),
        ("awk '{print $1}' {n}", "awk '{print $1}' 4"),
        ("open { {n}", "open { 4"),
    ],
)
def test_parameters_are_put_in_and_other_braces_are_left_alone(text, filled):
    assert fill(text, {"n": "4", "micro-batch": "8"}) == filled


def test_placeholders_are_the_names_that_must_be_parameters():
    assert placeholders("a {x} ${HOME} {{z}} {y}") == ["x", "y"]


def test_a_script_after_python_becomes_its_absolute_path(tmp_path):
    (tmp_path / "run.py").touch()
    script = str(tmp_path / "run.py")
    assert words("python3 run.py run.py", tmp_path) == ["python3", script, "run.py"]
    assert words("mpirun -n 2 python3.11 -u -W ignore run.py", tmp_path)[-1] == script
    assert words("python3 -m run.py", tmp_path) == ["python3", "-m", "run.py"]
    assert words("python3 -c run.py", tmp_path) == ["python3", "-c", "run.py"]
    assert words("python3 absent.py", tmp_path) == ["python3", "absent.py"]
    assert words("ipython run.py", tmp_path) == ["ipython", "run.py"]


def test_variables_of_the_environment_and_the_entry_are_expanded():
    cmd = "x $HOME ${DATA}/train $NOT_SET '$HOME'"
    assert words(cmd, env=(("DATA", "/d"),)) == ["x", "/h", "/d/train", "$NOT_SET", "/h"]


@pytest.mark.parametrize("shell", [False, True])
def test_wandb_arguments_and_their_values_are_removed_unless_allowed(shell):
    cmd = "x --wandb --wandb-project 'my project' --lr 1 --wandb-name=n --wandb"
    removed = words(cmd, shell=shell)
    assert shlex.split(removed[-1] if shell else join_words(removed)) == ["x", "--lr", "1"]
    for kept in (words(cmd, allow_wandb=True), words(cmd, options=CommandOptions(allow_wandb=True))):
        assert kept == shlex.split(cmd)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x --wandb | tee log --wandb-x y; z", "x | tee log ; z"),
        ("x --wandb-name $(date +%s) --wandb-tag='a b'\"c\" --lr 1", "x --lr 1"),
        ("x --wandb>log && y --wandb && z", "x >log && y && z"),
    ],
)
def test_wandb_removal_leaves_the_rest_of_a_shell_command_alone(text, kept):
    assert words(text, shell=True)[-1].split() == kept.split()


@pytest.mark.parametrize("shell", [False, True])
def test_every_option_with_wandb_in_its_name_goes_and_what_switches_it_off_stays(shell):
    cmd = (
        "python3 train_wandb.py --enable-wandb true --use_wandb=False --Wandb.offset -1 --x 1 "
        "--log-wandb-every '2 k' -x WANDB_API_KEY --report-to wandb --no-wandb --disable_wandb --wandb-dir -v"
    )
    removed = words(cmd, shell=shell)
    kept = "python3 train_wandb.py --x 1 -x WANDB_API_KEY --report-to wandb --no-wandb --disable_wandb -v"
    assert (removed[-1].split() if shell else removed) == kept.split()


def test_compile_only_is_appended_and_vipu_arguments_are_removed():
    cmd = "poprun --vipu-partition=p --vipu-server-host h --vipu-server-timeout 3 --vipu-server-port 1 python3 x.py"
    expected = ["poprun", "--vipu-server-timeout", "3", "python3", "x.py", "--compile-only"]
    assert words(cmd, options=CommandOptions(compile_only=True)) == expected


def test_profile_is_handed_to_our_own_driver_only():
    profile = CommandOptions(profile=True)
    assert words("python3 run_benchmark.py", options=profile)[-1] == "--profile"
    assert words("python3 train.py", options=profile)[-1] == "train.py"


@pytest.mark.parametrize(
    ("cmd", "count"),
    [
        ("mpirun -np 4 x", 4), ("/opt/bin/mpirun --tag-output --np 2 python3 x -n 9", 2), ("mpirun -n=3 x", 3),
        ("mpirun python3 x -n 9", 1), ("poprun -n 4 x", 1), ("torchrun -n 4 x", 1), ("mpirun -np many x", 1),
    ],
)  # fmt: skip
def test_only_mpirun_multiplies(cmd, count):
    assert mpi_instances(cmd.split()) == count


def test_entry_variables_may_use_the_environment_and_each_other():
    entry = {
        "A": "$B/a",
        "B": "${HOME}/b",
        "PATH": "/opt:$PATH",
        "LOOP": "$POOL",
        "POOL": "x$LOOP",
        "C": "$5 $UNSET",
    }
    assert resolve(entry, {"HOME": "/h", "PATH": "/bin"}) == {
        "A": "/h/b/a", "B": "/h/b", "PATH": "/opt:/bin", "LOOP": "x$LOOP", "POOL": "x$POOL", "C": "$5 $UNSET",
    }  # fmt: skip


def test_logging_is_handed_on_to_poplar_and_a_users_own_level_stays_without_it():
    assert additions({}, CommandOptions(), {"POPLAR_LOG_LEVEL": "TRACE"}).get("POPLAR_LOG_LEVEL") is None
    assert additions({}, CommandOptions(), {})["POPART_LOG_LEVEL"] == "INFO"
    given = additions({}, CommandOptions(logging="WARNING"), {"POPLAR_LOG_LEVEL": "TRACE"})
    assert (given["POPLAR_LOG_LEVEL"], given["POPART_LOG_LEVEL"]) == ("WARN", "WARN")


def test_profile_joins_the_engine_options_of_the_entry():
    entry = {"POPLAR_ENGINE_OPTIONS": '{"exchange.enablePrefetch": "false"}'}
    options = json.loads(additions(entry, CommandOptions(profile=True), {})["POPLAR_ENGINE_OPTIONS"])
    assert options["exchange.enablePrefetch"] == "false"
    assert options["autoReport.all"] == "true"
