"""A run's own folder in shared memory, whose name prefixes all shared memory of the run's server.

A server that is killed leaves the regions of its Python backend in /dev/shm. They are identified by that prefix, and
removed with the folder: at the end of the run or, if the run itself was killed, at the start of the next one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from serving.errors import ServingError

SHARED_MEMORY = Path("/dev/shm")
PREFIX = "triton_benchmark_"
_BEFORE_REGION = "-"


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new, empty folder. Raises `ServingError` if it cannot be created.

    This process holds a lock on it: containers may share /dev/shm (`--ipc=host`), where a process id does not show
    whether a run is still alive, but a lock does.
    """
    with ExitStack() as held:
        try:
            with _locked(SHARED_MEMORY):  # otherwise another run could remove a folder that is not locked yet
                _remove_leftovers()
                folder = Path(mkdtemp(prefix=PREFIX, dir=SHARED_MEMORY))
                held.enter_context(_locked(folder))
        except OSError as error:
            raise ServingError(
                f"{SHARED_MEMORY}: the server needs shared memory, which cannot be used ({error.strerror or error}): "
                "make it writable, or free some of it"
            ) from None
        try:
            yield folder
        finally:
            _remove(folder)


def region_prefix(folder: Path) -> str:
    """The name prefix of the shared memory that is removed with the folder."""
    return f"{folder.name}{_BEFORE_REGION}"


def _remove_leftovers() -> None:
    for path in SHARED_MEMORY.glob(f"{PREFIX}*"):
        folder = path.with_name(path.name.partition(_BEFORE_REGION)[0])
        if not _in_use(folder):
            _remove(folder)


def _in_use(folder: Path) -> bool:
    try:
        with _locked(folder, fcntl.LOCK_NB):
            return False
    except FileNotFoundError:
        return False
    except OSError:  # locked, or owned by another user
        return True


def _remove(folder: Path) -> None:
    for region in SHARED_MEMORY.glob(f"{region_prefix(folder)}*"):
        with suppress(OSError):
            region.unlink()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, flags: int = 0) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | flags)
        yield
    finally:
        os.close(descriptor)
