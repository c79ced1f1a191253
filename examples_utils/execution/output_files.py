"""The files of a command's output, which stay files whatever the command does to them."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """Creates the file, in place of an older one, and opens it.

    At the end, it is there again if the command replaced it by something that could block its readers, such as a
    FIFO or a device, or removed it.

    Raises:
        OSError: The file cannot be created.
    """
    path.unlink(missing_ok=True)
    with path.open("x+b") as file:
        try:
            yield file
        finally:
            if not _is_file(path):
                _restore(file, path)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _restore(file: BinaryIO, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    copy = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    file.seek(0)
    with copy.open("wb") as stream:
        shutil.copyfileobj(file, stream)
    copy.replace(path)
