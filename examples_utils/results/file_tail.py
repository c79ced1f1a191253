"""The end of a command's output."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

_LAST_BYTES = 4096
_LONGEST = 300
_ERROR = re.compile(r"^(?:\S+: )?(?:error|fatal): (\S.*)$", re.MULTILINE)


def open_to_read(file: Path) -> int | None:
    """Opens a file without waiting; None if there is none, or it is something else, such as a link or a FIFO."""
    with contextlib.suppress(OSError):
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    return None


def tail(file: Path, size: int) -> str:
    """Returns the last `size` bytes of a file as text; empty if it cannot be read, or is no file."""
    descriptor = open_to_read(file)
    if descriptor is None:
        return ""
    with os.fdopen(descriptor, "rb") as stream, contextlib.suppress(OSError):
        stream.seek(max(os.fstat(descriptor).st_size - size, 0))
        return stream.read(size).decode("utf-8", errors="replace")
    return ""


def last_error(file: Path) -> str:
    """Returns the last line `error: …` (or `fatal: …`, either after a program's name) near the end, or ""."""
    found = _ERROR.findall(tail(file, _LAST_BYTES))
    return found[-1].rstrip()[:_LONGEST] if found else ""
