"""Each instance learns at once, and by name, of another one's end."""

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from driver.instances import lifeline
from driver.instances.errors import InstanceLost
from driver.instances.lifeline import Hub, Spoke

PATIENCE_S = 20.0


@dataclass
class Run:
    """Three instances in threads of this process, and what each was told of lost ones."""

    sides: dict[int, Hub | Spoke] = field(default_factory=dict)
    told: dict[int, "queue.Queue[tuple[str, int]]"] = field(
        default_factory=lambda: {n: queue.Queue() for n in range(3)}
    )
    refused: dict[int, str] = field(default_factory=dict)

    def lost(self, index: int) -> tuple[str, int]:
        return self.told[index].get(timeout=PATIENCE_S)


@contextmanager
def run(present: tuple[int, ...] = (0, 1, 2), timeout_s: float = PATIENCE_S) -> Iterator[Run]:
    server = socket.create_server(("127.0.0.1", 0))
    address, until_s, found = server.getsockname(), time.monotonic() + timeout_s, Run()

    def join(index: int) -> None:
        def on_lost(words: str, code: int) -> None:
            found.told[index].put((words, code))

        try:
            if index == 0:
                found.sides[0] = Hub.open(server, 3, until_s, on_lost)
            else:
                found.sides[index] = Spoke.open(address, index, 3, until_s, on_lost)
        except InstanceLost as error:
            found.refused[index] = str(error)

    threads = [threading.Thread(target=join, args=(index,)) for index in present]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        yield found
    finally:
        server.close()
        for side in found.sides.values():
            side.leave("the test is over")


def dies(side: Hub | Spoke) -> None:
    """As the kernel does with the connections of a process that is killed."""
    side._leaving.set()  # its own thread belongs to the dead
    for line in side.lines.values() if isinstance(side, Hub) else [side.line]:
        line.close()


@pytest.mark.parametrize("dead", [0, 1, 2])
def test_one_that_dies_is_named_to_all_others(dead: int) -> None:
    with run() as found:
        dies(found.sides[dead])
        for index in {0, 1, 2} - {dead}:
            words, code = found.lost(index)
            assert words.startswith(f"instance {dead + 1}/3 (process ")
            assert code == 1


@pytest.mark.parametrize("quitter", [0, 2])
def test_one_that_gives_up_is_quoted_to_all_others(quitter: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifeline, "GRACE_S", 0.1)
    with run() as found:
        found.sides[quitter].leave("--images nowhere: no such folder", 2)
        for index in {0, 1, 2} - {quitter}:
            words, code = found.lost(index)
            assert words.startswith(f"instance {quitter + 1}/3 (process ")
            assert words.endswith("gave up: --images nowhere: no such folder")
            assert code == 2


def test_who_gives_up_for_the_same_reason_speaks_for_itself() -> None:
    with run() as found:
        for side in found.sides.values():
            side.leave("--weights nowhere.pth: no such file", 2)
    assert all(told.empty() for told in found.told.values())


def test_all_have_reached_when_the_last_one_has() -> None:
    with run() as found:
        assert not found.sides[2].reached()
        assert not found.sides[0].reached()
        assert not found.sides[0].reached()
        found.sides[1].reached()
        for side in found.sides.values():
            assert side._all_reached.wait(PATIENCE_S)
            assert side.reached()


def test_leaving_in_peace_alarms_nobody() -> None:
    with run() as found:
        leaving = [threading.Thread(target=found.sides[index].leave) for index in (2, 0, 1)]
        for thread in leaving:
            thread.start()
        for thread in leaving:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        assert all(told.empty() for told in found.told.values())


def test_those_that_came_learn_who_did_not() -> None:
    with run(present=(0, 2), timeout_s=0.5) as found:
        assert found.sides == {}
        for index in (0, 2):
            assert found.refused[index].startswith("instance 2/3 did not join in time")


def test_a_stranger_at_the_port_does_not_count() -> None:
    connect: Callable[..., socket.socket] = socket.create_connection
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        strangers = [connect(address) for _ in range(2)]
        for stranger, words in zip(strangers, (b"GET / HTTP/1.1\n", b'{"event": "hello"}\n'), strict=True):
            stranger.sendall(words)
        hub: list[Hub] = []
        opening = threading.Thread(
            target=lambda: hub.append(Hub.open(server, 2, time.monotonic() + PATIENCE_S, lambda *lost: None))
        )
        opening.start()
        spoke = Spoke.open(address, 1, 2, time.monotonic() + PATIENCE_S, lambda *lost: None)
        opening.join(PATIENCE_S)
        assert set(hub[0].lines) == {1}
        spoke.leave()
        hub[0].leave()
        for stranger in strangers:
            stranger.close()
