"""A lock that allows one night at a time on a machine: two would disturb each other's measurements."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from examples_utils.problems import RequestError


@contextlib.contextmanager
def only_night(file: Path) -> Iterator[None]:
    """Holds the file's lock; the kernel releases it when this process ends, however it ends.

    Raises:
        RequestError: Another night holds it, or it cannot be opened.
    """
    descriptor = _opened(file)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 1000, 0).decode(errors="replace").strip() or "another process"
            raise RequestError(
                f"another night is running on this machine ({holder}), and two would disturb each other; wait for its "
                f"end, or give this one its own --lock if they share no resources (now {file})"
            ) from None
        _write(
            descriptor, f"process {os.getpid()}, since {datetime.now():%Y-%m-%d %H:%M:%S}, in {Path.cwd()}"
        )
        yield
    finally:
        os.close(descriptor)


def _opened(file: Path) -> int:
    try:
        try:
            return os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except PermissionError:
            # The file of another user who once ran a night here. A lock needs no more than read access.
            return os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise RequestError(f"--lock {file}: cannot be opened: {error.strerror}; name another file") from None


def _write(descriptor: int, text: str) -> None:
    with contextlib.suppress(OSError):  # the file may belong to another user
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{text}\n".encode(errors="replace"), 0)
