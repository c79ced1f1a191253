"""The cores of a host are shared by the instances on it, unless their launcher did so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driver.instances.cores import Place, own_cores, remarks
from driver.instances.errors import LaunchError


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3))
def test_who_may_use_the_same_cores_gets_an_even_share_of_its_own(each: int, here: int, hosts: int) -> None:
    cores = tuple(range(each * here))
    places = [Place(f"host {n % hosts}", cores) for n in range(here * hosts)]
    for host in range(hosts):
        shares = [own_cores(places, n) for n in range(len(places)) if n % hosts == host]
        assert {len(share) for share in shares} == {each}
        assert sorted(core for share in shares for core in share) == list(cores)


def test_whom_the_launcher_bound_to_cores_of_its_own_stays_there() -> None:
    places = [Place("host", (0, 1)), Place("host", (2,))]
    assert [own_cores(places, n) for n in range(2)] == [(0, 1), (2,)]
    assert remarks(places) == ()


def test_instances_bound_to_the_same_socket_share_it() -> None:
    places = [Place("host", cores) for cores in ((0, 1), (2, 3), (0, 1), (2, 3))]
    assert [own_cores(places, n) for n in range(4)] == [(0,), (2,), (1,), (3,)]


def test_idle_and_overlapping_cores_are_warned_of() -> None:
    assert "1 of them stays idle" in remarks([Place("host", (0, 1, 2))] * 2)[0]
    assert "overlapping" in remarks([Place("host", (0, 1)), Place("host", (1, 2))])[0]
    assert remarks([Place("host", (0, 1)), Place("another", (1, 2))]) == ()


def test_more_instances_than_cores_are_refused() -> None:
    with pytest.raises(LaunchError, match="3 instances share 2 cores"):
        own_cores([Place("host", (0, 1))] * 3, 0)
