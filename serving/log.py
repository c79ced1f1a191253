"""The server's log after an error: its last lines, and the likely remedy."""

from __future__ import annotations

import re
from pathlib import Path

LIKELY = (
    (
        r"already in use|Address already",
        "another program uses the port: give another --grpc-port, or leave it out",
    ),
    (r"libpython[\d.]+so", "apt-get install libpython3.N, for the version of this Python"),
    (r"error while loading shared libraries: (\S+)", "a library of the server is missing: make setup-triton"),
    (
        r"No space left|shm_open|Unable to (?:initialize|increase) shared memory",
        "make /dev/shm larger, or free it",
    ),
    (
        r"unable to find backend library",
        "this server has no Python backend: use another server, or nvidia-pytriton's",
    ),
    (r"Permission denied", "a folder or file of the repository or the backend cannot be read"),
    (r"bad_alloc|Cannot allocate memory", "memory ran out: give fewer --instances, or a smaller model"),
)
"""Patterns, in order, and the remedy if the log contains one."""

_NOISE = re.compile(r"^[+|]|CUDA|Cuda|pinned|^\s*$")


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of the log, without tables and the warnings about a missing GPU."""
    kept = [line for line in _text(log).splitlines() if not _NOISE.search(line)]
    return "\n".join(kept[-lines:])


def likely_remedy(log: Path) -> str:
    """The likely remedy; if none is known, the path of the log."""
    text = _text(log)
    return next((remedy for pattern, remedy in LIKELY if re.search(pattern, text)), f"see the log: {log}")


def _text(log: Path) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
