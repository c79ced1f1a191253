"""Connections from every instance to instance 0, by which each learns at once of another one's end.

The kernel closes the connections of a process that ends, however it ends, and says so at the other end. So
threads that are blocked in reading are all that is needed, and none of them wakes up while host calls are timed.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from driver.instances.errors import InstanceLost

OnLost = Callable[[str, int], None]
"""Told why the run cannot go on, and the exit code that goes with it; from a thread of its own."""

GRACE_S = 3.0
"""How long an instance may take to find by itself what another one gave up for: its own words are better."""

HELLO_S = 5.0
"""How long a connection may take to say who it is: it does so at once."""

KEEPALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
"""Seconds, seconds and probes until the kernel gives up a host that is gone without a word: 25 s."""


class Lifeline(Protocol):
    """One instance's side."""

    def reached(self) -> bool:
        """Tells that this instance has its figures; whether all have."""

    def leave(self, error: str | None = None, code: int = 1) -> None:
        """Ends the connections: in peace, or with the error that ended this instance."""


def stop_process(words: str, code: int) -> None:
    """Ends this process from any thread: an engine may not react for minutes."""
    sys.stderr.write(f"error: {words}\n")  # as one piece, whoever else writes
    sys.stderr.flush()
    os._exit(code)


@dataclass
class _Line:
    """One connection: JSON messages, a line each."""

    socket: socket.socket

    def __post_init__(self) -> None:
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for option, value in KEEPALIVE:
            self.socket.setsockopt(socket.IPPROTO_TCP, option, value)
        self._reader = self.socket.makefile("r", encoding="utf-8")

    def send(self, event: str, **more: Any) -> None:
        try:
            self.socket.sendall((json.dumps({"event": event, **more}) + "\n").encode())
        except OSError:  # it is gone, which reading tells
            return

    def messages(self) -> Iterator[dict[str, Any]]:
        """Until the other end is closed."""
        try:
            for text in self._reader:
                yield json.loads(text)
        except (OSError, ValueError):
            return

    def first(self, timeout_s: float) -> dict[str, Any] | None:
        """The first message; None if there is none in time."""
        self.socket.settimeout(timeout_s)
        try:
            message = next(self.messages(), None)
        finally:
            self.socket.settimeout(None)
        return message

    def close(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def instance_name(index: int, count: int) -> str:
    return f"instance {index + 1}/{count}"


def this_process() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


@dataclass
class Hub:
    """Instance 0's side: it hears of every end, and passes it on."""

    count: int
    lines: dict[int, _Line]
    names: dict[int, str]
    on_lost: OnLost
    threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._waiting_for = set(range(self.count))
        self._lock = threading.Lock()
        self._all_reached = threading.Event()
        self._leaving = threading.Event()
        for index, line in self.lines.items():
            thread = threading.Thread(
                target=self._listen, args=(index, line), name=f"lifeline-{index}", daemon=True
            )
            self.threads.append(thread)
            thread.start()

    @staticmethod
    def open(server: socket.socket, count: int, until_s: float, on_lost: OnLost = stop_process) -> Hub:
        """The hub, as soon as all are there. Raises `InstanceLost`, also at those that are, for those that are not."""
        lines: dict[int, _Line] = {}
        names = {0: f"{instance_name(0, count)} ({this_process()})"}
        with server:
            while len(lines) < count - 1 and (left_s := until_s - time.monotonic()) > 0:
                server.settimeout(left_s)
                try:
                    line = _Line(server.accept()[0])
                except TimeoutError:
                    break
                hello = line.first(max(min(left_s, HELLO_S), 1.0))
                match hello:
                    case {"event": "hello", "index": int(index), "process": str(process)} if (
                        0 < index < count
                    ):
                        lines[index] = line
                        names[index] = f"{instance_name(index, count)} ({process})"
                    case _:  # a stranger at the port
                        line.close()
        missing = [instance_name(index, count) for index in range(1, count) if index not in lines]
        if missing:
            words = f"{', '.join(missing)} did not join in time: ended, or never started"
            for line in lines.values():
                line.send("lost", words=words, code=1)
            raise InstanceLost(words)
        for line in lines.values():
            line.send("joined", hub=names[0])
        return Hub(count, lines, names, on_lost)

    def reached(self) -> bool:
        self._note_reached(0)
        return self._all_reached.is_set()

    def leave(self, error: str | None = None, code: int = 1) -> None:
        self._leaving.set()
        if error is None:
            for thread in self.threads:
                thread.join(GRACE_S)
        else:
            self._tell_all("gave_up", words=f"{self.names[0]} gave up: {error}", code=code)
        for line in self.lines.values():
            line.close()

    def _listen(self, index: int, line: _Line) -> None:
        for message in line.messages():
            match message["event"]:
                case "reached":
                    self._note_reached(index)
                case "bye":
                    return
                case "gave_up":
                    words = f"{self.names[index]} gave up: {message['words']}"
                    self._tell_all("gave_up", words=words, code=message["code"])
                    if not self._leaving.wait(GRACE_S):
                        self.on_lost(words, message["code"])
                    return
        if not self._leaving.is_set():
            words = _ended_unasked(self.names[index])
            self._tell_all("lost", words=words, code=1)
            self.on_lost(words, 1)

    def _note_reached(self, index: int) -> None:
        with self._lock:
            if index not in self._waiting_for:
                return
            self._waiting_for.discard(index)
            if self._waiting_for:
                return
        self._all_reached.set()
        self._tell_all("all_reached")

    def _tell_all(self, event: str, **more: Any) -> None:
        for line in self.lines.values():
            line.send(event, **more)


@dataclass
class Spoke:
    """Another instance's side."""

    line: _Line
    hub_name: str
    on_lost: OnLost

    def __post_init__(self) -> None:
        self._reached = False
        self._all_reached = threading.Event()
        self._leaving = threading.Event()
        threading.Thread(target=self._listen, name="lifeline", daemon=True).start()

    @staticmethod
    def open(
        address: tuple[str, int], index: int, count: int, until_s: float, on_lost: OnLost = stop_process
    ) -> Spoke:
        """The connection to instance 0, once all have joined it. Raises `InstanceLost` where they do not."""
        hub_name = instance_name(0, count)
        try:
            line = _Line(socket.create_connection(address, timeout=max(until_s - time.monotonic(), 1.0)))
        except OSError as error:
            raise InstanceLost(
                f"{hub_name} does not answer at {address[0]}:{address[1]} ({error})"
            ) from error
        line.send("hello", index=index, process=this_process())
        # Instance 0 knows who is missing, so it is given the time to say so.
        message = line.first(max(until_s - time.monotonic(), 1.0) + GRACE_S)
        match message:
            case {"event": "joined", "hub": name}:
                return Spoke(line, name, on_lost)
            case {"event": "lost", "words": words}:
                raise InstanceLost(words)
            case _:
                raise InstanceLost(f"{hub_name} ended, or did not hear from all instances in time")

    def reached(self) -> bool:
        if not self._reached:
            self._reached = True
            self.line.send("reached")
        return self._all_reached.is_set()

    def leave(self, error: str | None = None, code: int = 1) -> None:
        self._leaving.set()
        if error is None:
            self.line.send("bye")
        else:
            self.line.send("gave_up", words=error, code=code)
        self.line.close()

    def _listen(self) -> None:
        for message in self.line.messages():
            match message["event"]:
                case "all_reached":
                    self._all_reached.set()
                case "gave_up":
                    if not self._leaving.wait(GRACE_S):
                        self.on_lost(message["words"], message["code"])
                    return
                case "lost":
                    self.on_lost(message["words"], message["code"])
                    return
        if not self._leaving.is_set():
            self.on_lost(_ended_unasked(self.hub_name), 1)


def _ended_unasked(name: str) -> str:
    return (
        f"{name} ended before the run was done: killed, or out of memory, "
        "unless its own words on its stderr say otherwise"
    )
