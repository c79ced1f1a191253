"""Variables of hosts, partitions and datasets: where their values come from, and what happens without one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from examples_utils.machine.vipu import vipu_server_host
from tests.pages import ROOT

NAMES = (
    "HOSTS", "VIPU_CLI_API_HOST", "IPUOF_VIPU_API_HOST", "IPUOF_VIPU_API_PARTITION_ID", "PARTITION",
    "VIPU_ALLOCATION_ID", "CLUSTER", "TCP_IF_INCLUDE", "DATASETS_DIR",
)  # fmt: skip
SERVER = "a: {cmd: echo --server=$VIPU_CLI_API_HOST --partition $IPUOF_VIPU_API_PARTITION_ID}\n"


@pytest.fixture
def machine(workplace, monkeypatch):
    """A workplace without any of the variables, and with a folder for programs in front of the PATH."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    (workplace.folder / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{workplace.folder / 'bin'}:{os.environ['PATH']}")
    return workplace


def vipu(machine, body: str) -> None:
    """Makes a stand-in for `vipu` that notes each call."""
    program = machine.folder / "bin/vipu"
    program.write_text(f'#!/bin/sh\necho "$*" >> {machine.folder}/asked\n{body}\n')
    program.chmod(0o755)


def printed(done, variant: str) -> str:
    return Path(done.by_variant[variant]["log_paths"]["out"]).read_text().strip()


@pytest.mark.parametrize("name", NAMES)
def test_a_variant_whose_variable_is_not_set_fails_with_the_remedy_and_the_others_run(machine, name):
    machine.spec(f"a: {{cmd: touch ran_$CASE, env: {{CASE: 'x${{{name}}}'}}}}\nb: {{cmd: echo b}}\n")
    done = machine.benchmark()
    assert done.exitcode == 1
    record = done.by_variant["a"]
    assert (record["status"], record["exitcode"]) == ("failed", 1)
    assert f"${name} is not set (the " in record["reason"]
    assert f"): export {name}=" in record["reason"]
    assert not list(machine.folder.glob("ran_*"))
    assert done.by_variant["b"]["status"] == "passed"


def test_all_variables_that_lack_a_value_are_named_and_those_that_have_one_are_not(machine, monkeypatch):
    machine.spec(
        "multi_host_gen:\n"
        '  cmd: poprun --host $HOSTS --vipu-partition=$PARTITION --mpi-global-args="--mca x $TCP_IF_INCLUDE" true\n'
    )
    monkeypatch.setenv("HOSTS", "")  # empty counts as not set
    monkeypatch.setenv("PARTITION", "p16")
    reason = machine.benchmark().by_variant["multi_host_gen"]["reason"]
    assert "$HOSTS is not set" in reason
    assert "$TCP_IF_INCLUDE is not set" in reason
    assert "PARTITION" not in reason


def test_a_parameter_and_an_entrys_own_env_count_like_the_command(machine):
    machine.spec(
        "values: {cmd: 'echo {p}', parameters: [[p], ['${HOSTS}'], [here]]}\n"
        "own: {cmd: echo $HOSTS, env: {HOSTS: 'one,two'}}\n"
        "itself: {cmd: echo $HOSTS, env: {HOSTS: '$HOSTS,two'}}\n"
    )
    done = machine.benchmark()
    statuses = {name: record["status"] for name, record in done.by_variant.items()}
    assert statuses == {
        "values_p_${HOSTS}": "failed",
        "values_p_here": "passed",
        "own": "passed",
        "itself": "failed",
    }
    assert printed(done, "own") == "one,two"


@pytest.mark.parametrize(
    "cmd",
    [
        "HOSTS=one; echo $HOSTS", "for HOSTS in one; do echo $HOSTS; done",
        "echo one | while read HOSTS; do echo $HOSTS; done",
        ". ./hosts.sh && echo $HOSTS", "cd . && . ./hosts.sh; echo $HOSTS", "bash -c 'source hosts.sh; echo $HOSTS'",
        'eval "$(cat hosts.sh)"; echo $HOSTS', "echo ${HOSTS:-one}",
    ],
)  # fmt: skip
def test_a_shell_may_set_a_variable_itself(machine, cmd):
    machine.script("hosts.sh", "HOSTS=one\n")
    machine.spec(f"a:\n  shell: true\n  cmd: |\n    {cmd}\n")
    assert printed(machine.benchmark(), "a") == "one"


@pytest.mark.parametrize("cmd", ["echo $HOSTS", "tar . $HOSTS", "echo --my-HOSTS=x source hosts.sh $HOSTS"])
def test_a_shell_that_sets_no_variable_does_not_start_without_it(machine, cmd):
    machine.spec(f"a: {{cmd: '{cmd}', shell: true}}\n")
    assert "$HOSTS is not set" in machine.benchmark().by_variant["a"]["reason"]


def test_arguments_that_are_removed_need_no_variable(machine):
    machine.spec(
        "a: {cmd: echo --vipu-partition=$PARTITION --vipu-server-host $VIPU_CLI_API_HOST --wandb-name $HOSTS x}\n"
    )
    done = machine.benchmark("--compile-only")
    assert printed(done, "a") == "x --compile-only"


def test_a_variable_that_is_set_is_used_before_its_fallbacks(machine, monkeypatch):
    vipu(machine, "echo host: other:8090")
    for name in ("VIPU_CLI_API_HOST", "IPUOF_VIPU_API_HOST", "IPUOF_VIPU_API_PARTITION_ID", "PARTITION"):
        monkeypatch.setenv(name, f"the_{name}")
    machine.spec(SERVER)
    done = machine.benchmark()
    assert printed(done, "a") == "--server=the_VIPU_CLI_API_HOST --partition the_IPUOF_VIPU_API_PARTITION_ID"
    assert not (machine.folder / "asked").exists()


def test_the_variables_of_the_ipu_driver_and_of_slurm_are_the_first_fallbacks(machine, monkeypatch):
    vipu(machine, "echo host: other:8090")
    monkeypatch.setenv("IPUOF_VIPU_API_HOST", "10.1.3.1")
    monkeypatch.setenv("PARTITION", "p16")
    machine.spec(
        SERVER
        + "b: {cmd: printenv IPUOF_VIPU_API_PARTITION_ID, env: {X: $IPUOF_VIPU_API_PARTITION_ID}}\n"
        + "c: {cmd: echo $VIPU_CLI_API_HOST, env: {IPUOF_VIPU_API_HOST: of_the_entry}}\n"
    )
    done = machine.benchmark()
    assert printed(done, "a") == "--server=10.1.3.1 --partition p16"
    assert printed(done, "b") == "p16"
    assert printed(done, "c") == "of_the_entry"
    assert done.by_variant["a"]["env"]["VIPU_CLI_API_HOST"] == "$IPUOF_VIPU_API_HOST"
    assert not (machine.folder / "asked").exists()


@pytest.mark.parametrize(
    ("line", "host"),
    [("host: localhost:8090", "localhost"), ("host: 10.1.3.1", "10.1.3.1"), ("host: [::1]:8090", "[::1]")],
)
def test_vipu_is_asked_once_for_the_host_of_its_server(machine, monkeypatch, line, host):
    vipu(machine, f"echo version: 1.18.0; echo '{line}'")
    monkeypatch.setenv("PARTITION", "p16")
    machine.spec(SERVER + SERVER.replace("a:", "b:"))
    done = machine.benchmark()
    assert printed(done, "b") == f"--server={host} --partition p16"
    assert (machine.folder / "asked").read_text() == "--server-version\n"


@pytest.mark.parametrize("body", ["exit 1", "echo version: 1.18.0", "printf '\\377'"])
def test_a_vipu_that_names_no_host_fails_the_variant_only(machine, body):
    vipu(machine, body)
    machine.spec("a: {cmd: echo $VIPU_CLI_API_HOST}\nb: {cmd: echo b}\n")
    done = machine.benchmark()
    assert "nor `vipu --server-version` names it" in done.by_variant["a"]["reason"]
    assert done.by_variant["b"]["status"] == "passed"


def test_a_vipu_that_does_not_answer_is_given_up(machine):
    # Its child is ended by the test, or the call would only return with it.
    child = machine.folder / "child"
    vipu(machine, f"sleep 600 &\necho $! > {child}.new; mv {child}.new {child}\nwait")
    found: list[str | None] = []
    while not child.exists():  # on a busy machine it may be given up before it has started its child
        found.append(vipu_server_host(os.environ["PATH"], timeout_s=2))
    try:
        assert set(found) == {None}
        assert Path(f"/proc/{child.read_text().strip()}").exists()
    finally:
        os.kill(int(child.read_text()), signal.SIGKILL)


def test_vipu_is_not_asked_for_commands_that_do_not_need_it_nor_to_list_them(machine):
    vipu(machine, "echo host: other:8090")
    machine.spec("a: {cmd: echo a}\n" + SERVER.replace("a:", "b:"))
    assert machine.benchmark("--benchmark", "a").exitcode == 0
    assert "--server=$VIPU_CLI_API_HOST" in machine.command("list").out
    assert not (machine.folder / "asked").exists()


def test_a_dry_run_shows_what_would_fail(machine):
    machine.spec("a: {cmd: echo $HOSTS}\nb: {cmd: echo b}\n")
    done = machine.benchmark("--dry-run")
    assert done.exitcode == 0
    assert "    fails: $HOSTS is not set (the hosts " in done.out
    assert "    echo b" in done.out


def test_an_entry_without_real_data_runs_without_a_datasets_folder(machine):
    machine.spec(
        "real: {cmd: echo $DATASETS_DIR/x}\ninfer_gen: {cmd: echo $DATASETS_DIR}\n"
        "made: {cmd: echo $DATASETS_DIR, synthetic: true}\n"
        "prepared: {cmd: echo a, pre_run_commands: [ls $DATASETS_DIR]}\n"
        "elsewhere: {cmd: x $DATASETS_DIR, requires: [n_]}\n"
    )
    done = machine.benchmark()
    assert {name: record["status"] for name, record in done.by_variant.items()} == {
        "real": "failed", "infer_gen": "passed", "made": "passed", "prepared": "passed", "elsewhere": "skipped",
    }  # fmt: skip
    assert (
        "fails: $DATASETS_DIR" in machine.benchmark("--dry-run", "--prepare", "--benchmark", "prepared").out
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_page_describes_every_variable(name):
    table = (ROOT / "docs/spec.md").read_text().split("### Variables of hosts")[1].split("```yaml")[0]
    assert f"`{name}`" in table
