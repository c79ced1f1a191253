"""The end of a command's output."""

from __future__ import annotations

import re
from pathlib import Path

_LAST_BYTES = 4096
_LONGEST = 300
_ERROR = re.compile(r"^(?:\S+: )?(?:error|fatal): (\S.*)$", re.MULTILINE)


def tail(file: Path, size: int) -> str:
    """Returns the last `size` bytes of a file as text; empty if it cannot be read."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(file.stat().st_size - size, 0))
            return stream.read().decode("utf-8", errors="replace")
    except OSError:
        return ""


def last_error(file: Path) -> str:
    """Returns the last line `error: …` (or `fatal: …`, either after a program's name) near the end, or ""."""
    found = _ERROR.findall(tail(file, _LAST_BYTES))
    return found[-1].rstrip()[:_LONGEST] if found else ""
