"""Immediate notification when another instance ends: its last message, or the connection that it leaves broken.

The kernel closes the connections of a process that ends, however it ends, and `recv` fails at once. So threads that
are blocked in `recv` are all that is needed, and none of them wakes up while host calls are timed.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import psutil
import torch
import torch.distributed as dist

GRACE_S = 3.0
"""How long an instance may take to report the error of another one itself: its own message is better."""

SEND_TIMEOUT = timedelta(seconds=2)
MESSAGE_BYTES = 4096

SILENT_HOST = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 25_000),
)
"""The kernel gives up on a host without power or network after 25 s, with data in flight (ms) or without (s)."""


@dataclass(frozen=True)
class Watch:
    """One thread per other instance, which ends this process if that instance ends prematurely.

    `names`: the names of the instances in messages. Needs torch.distributed's default process group.
    """

    index: int
    names: Sequence[str]
    threads: list[threading.Thread] = field(default_factory=list)
    leaving: threading.Event = field(default_factory=threading.Event)
    last_message: threading.Lock = field(default_factory=threading.Lock)
    """Held by the thread that sends the last message, and never released."""

    @staticmethod
    def start(index: int, names: Sequence[str]) -> Watch:
        watch = Watch(index, names)
        for other in watch._others():
            thread = threading.Thread(target=watch._wait_for, args=(other,), daemon=True)
            watch.threads.append(thread)
            thread.start()
        return watch

    def leave(self, error: str = "", code: int = 1) -> None:
        """Ends the watch, and sends the error that ends this instance, if any. To be called by all instances."""
        self.leaving.set()
        self.last_message.acquire()
        self._send(f"{code} {self.names[self.index]} aborted: {error}" if error else "")
        # A thread that wakes up while the interpreter shuts down would abort the process.
        until_s = time.monotonic() + 2 * GRACE_S
        for thread in self.threads:
            thread.join(max(until_s - time.monotonic(), 0.0))

    def _others(self) -> list[int]:
        return [other for other in range(len(self.names)) if other != self.index]

    def _wait_for(self, other: int) -> None:
        message = torch.zeros(MESSAGE_BYTES, dtype=torch.uint8)
        try:
            dist.recv(message, other)
        except RuntimeError:
            if not self.leaving.is_set():
                self._stop(
                    f"{self.names[other]} ended before the run was done: killed, out of memory, or unreachable, "
                    "unless its own stderr names another reason",
                    1,
                )
            return
        code, _, error = message.numpy().tobytes().rstrip(b"\0").decode(errors="ignore").partition(" ")
        if error and not self.leaving.wait(GRACE_S):
            self._stop(error, int(code))

    def _stop(self, error: str, code: int) -> None:
        """Forwards the error to the others, which could otherwise mistake the end of this process for the cause."""
        if self.last_message.acquire(blocking=False):
            self._send(f"{code} {error}")
            stop_process(error, code)

    def _send(self, text: str) -> None:
        content = bytearray(text.encode()[:MESSAGE_BYTES].ljust(MESSAGE_BYTES, b"\0"))
        for other in self._others():
            with suppress(RuntimeError):  # it has ended as well
                sending = dist.isend(torch.frombuffer(content, dtype=torch.uint8), other)
                assert sending is not None
                sending.wait(SEND_TIMEOUT)


def stop_process(error: str, code: int) -> None:
    """Ends this process from any thread: an engine may not react for minutes."""
    sys.stderr.write(f"error: {error}\n")  # in one call, as other processes write too
    sys.stderr.flush()
    os._exit(code)


def notice_silent_hosts() -> None:
    """Makes the kernel close this process's connections to hosts that no longer respond."""
    for connection in psutil.Process().net_connections("tcp"):
        if connection.status == psutil.CONN_ESTABLISHED:
            with socket.socket(fileno=os.dup(connection.fd)) as own:
                for level, option, value in SILENT_HOST:
                    own.setsockopt(level, option, value)
