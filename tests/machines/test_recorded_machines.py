"""Driver and runner find the core budget and the facts of every recorded machine, and agree."""

from itertools import groupby
from pathlib import Path

import pytest

from examples_utils.machine.hardware import hardware_facts
from measurement.machine import budgeted_cores
from measurement.topology import cpu_list, logical_cpus
from tests.machines.recorded import MACHINES, Recorded
from tests.machines.trees import write_tree

ROOT = Path(__file__).parents[2]
SHARED = ("cgroup.py", "topology.py")


@pytest.fixture(scope="module", params=MACHINES)
def recorded(request: pytest.FixtureRequest) -> Recorded:
    return MACHINES[request.param]


@pytest.fixture(scope="module")
def root(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(recorded.machine, tmp_path_factory.mktemp("machine"))


@pytest.mark.parametrize("name", SHARED)
def test_driver_and_runner_read_the_machine_by_the_same_rules(name: str) -> None:
    ours, theirs = ROOT / "measurement" / name, ROOT / "examples_utils" / "machine" / name
    assert ours.read_text() == theirs.read_text(), f"edit one, then: cp {ours} {theirs}, or the other way"


def test_the_driver_uses_the_core_budget(recorded: Recorded, root: Path) -> None:
    cores = budgeted_cores(recorded.machine.allowed, root)
    assert tuple(sorted(cores)) == cpu_list(recorded.cpus)
    siblings = [cpu.siblings for cpu in logical_cpus(cores, root)]
    assert len(list(groupby(siblings))) == len(set(siblings)), "hyperthreads of one core are apart"


def test_the_runner_records_the_facts(recorded: Recorded, root: Path) -> None:
    facts = hardware_facts(recorded.machine.allowed, root)
    assert {name: facts[name] for name in recorded.facts} == recorded.facts
    assert facts["cores"] == len(cpu_list(recorded.cpus))
